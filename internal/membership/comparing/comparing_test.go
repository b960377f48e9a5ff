package comparing

import "testing"

func TestWhichStateIsRight(t *testing.T) {
	for _, c := range []struct {
		name, self string
		told       map[string]string
		want       stateVerdict
	}{
		{"all the same", "a", map[string]string{"a": "x", "b": "x", "c": "x"},
			stateVerdict{told: true, right: "x", others: "a, b, c"}},
		{"the follower is alone", "b", map[string]string{"a": "x", "b": "y", "c": "x"},
			stateVerdict{told: true, odd: true, right: "x", others: "a, c"}},
		{"the leader is alone", "a", map[string]string{"a": "y", "b": "x", "c": "x"},
			stateVerdict{told: true, odd: true, right: "x", others: "b, c"}},
		{"the other one is alone", "c", map[string]string{"a": "y", "b": "x", "c": "x"},
			stateVerdict{told: true, right: "x", others: "b, c"}},
		{"one of three does not tell, and two differ", "b", map[string]string{"a": "x", "b": "y", "c": ""},
			stateVerdict{doubt: "a"}},
		{"one of three does not tell, and two agree", "b", map[string]string{"a": "x", "b": "x"},
			stateVerdict{told: true, right: "x", others: "a, b"}},
		{"all three differ", "a", map[string]string{"a": "x", "b": "y", "c": "z"}, stateVerdict{doubt: "b, c"}},
		{"nobody tells", "a", map[string]string{"a": "x"}, stateVerdict{}},
	} {
		if got := weighStates(c.told, []string{"a", "b", "c"}, c.self, "a"); got != c.want {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	two := map[string]string{"a": "x", "b": "y"}
	if got := weighStates(two, []string{"a", "b"}, "b", "a"); !got.odd || got.right != "x" {
		t.Errorf("of two voters the follower's: %+v", got)
	}
	if got := weighStates(two, []string{"a", "b"}, "a", "a"); got != (stateVerdict{told: true, right: "x", others: "a"}) {
		t.Errorf("of two voters the leader's: %+v", got)
	}
}
