package nearest

import "testing"

func TestWord(t *testing.T) {
	known := []string{"node1", "node2", "vm:web", "priority", "Restricted", "a", "bolds", "cold"}
	for _, c := range []struct{ given, want string }{
		{"nod1", "node1"},
		{"ndoe2", "node2"},
		{"NODE2", "node2"},
		{"node3", "node1"}, // Equally near: the first in sorted order, always the same.
		{"prioritty", "priority"},
		{"restrcted", "Restricted"},
		{"prio", "priority"},
		{"colds", "cold"}, // Equally near to bolds, and begins with it.
		{"b", ""},         // One letter is not near to every other letter.
		{"", ""},
		{"something else", ""},
	} {
		if got := Word(c.given, known); got != c.want {
			t.Errorf("Word(%q) = %q, want %q", c.given, got, c.want)
		}
	}
}

func TestHintIsAQuestionOrNothing(t *testing.T) {
	if got := Hint("nod1", []string{"node1"}); got != " Did you mean 'node1'?" {
		t.Errorf("Hint = %q", got)
	}
	if got := Hint("node1", []string{"node1"}); got != "" {
		t.Errorf("a word that is known needs no hint, got %q", got)
	}
}
