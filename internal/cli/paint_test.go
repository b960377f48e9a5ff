package cli

import (
	"strings"
	"testing"
)

func TestCutLineCountsNoColour(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"plain", "plai"},
		{alarm + "plain" + plainly, alarm + "plai" + plainly},
		{"ab" + alarm + "cdef", "ab" + alarm + "cd" + plainly},
		{"äöüß!", "äöüß"},
		{"", ""},
	} {
		if got := CutLine(c.line, 4); got != c.want {
			t.Errorf("%q is cut to %q, want %q", c.line, got, c.want)
		}
	}
}

func TestColourOnlyWhereItIsWanted(t *testing.T) {
	for _, c := range []struct {
		noColour, terminal string
		want               bool
	}{{"", "xterm", true}, {"1", "xterm", false}, {"", "dumb", false}, {"", "", false}} {
		if got := colourful(c.noColour, c.terminal); got != c.want {
			t.Errorf("NO_COLOR=%q TERM=%q: %v", c.noColour, c.terminal, got)
		}
	}
	view := View{Width: 80, Terminal: true}
	plain := Status(alpha(), view)
	if strings.Contains(plain, "\x1b") {
		t.Errorf("colour that nobody wanted: %q", plain)
	}
	view.Colour = true
	coloured := Status(alpha(), view)
	if !strings.Contains(coloured, alarm) || !strings.Contains(coloured, caution) {
		t.Errorf("no trouble is seen in a bad night: %q", coloured)
	}
	for _, colour := range []string{alarm, caution, plainly} {
		coloured = strings.ReplaceAll(coloured, colour, "")
	}
	if coloured != plain {
		t.Errorf("colours change the text:\n%s\n%s", coloured, plain)
	}
}
