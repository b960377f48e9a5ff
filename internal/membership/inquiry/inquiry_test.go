package inquiry

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestWhatIsNoAnswerOfThisClusterIsNone, and silence is told apart from it.
func TestWhatIsNoAnswerOfThisClusterIsNone(t *testing.T) {
	silence := errors.New("no answer in time")
	for reply, want := range map[string]Answer{
		`{"cluster":"one","generation":2,"letIn":true}`: {Cluster: "one", Generation: 2, LetIn: true},
		`{"cluster":"two","generation":2,"letIn":true}`: {},
		`no JSON`: {}, ``: {},
	} {
		asked := ""
		asker := Asker{Cluster: "one", Node: "node1", Send: func(_ context.Context, _ string, text []byte) ([]byte, error) {
			asked = string(text)
			return []byte(reply), nil
		}}
		got, err := asker.Ask(t.Context(), "node2:7440", Question{Node: "node3", Empty: true})
		if err != nil || got.Cluster != want.Cluster || got.Generation != want.Generation || got.LetIn != want.LetIn {
			t.Errorf("%q is heard as %+v, %v", reply, got, err)
		}
		if !strings.Contains(asked, `"node":"node1"`) || !strings.Contains(asked, `"empty":true`) {
			t.Errorf("asked was %s", asked)
		}
		asker.Send = func(context.Context, string, []byte) ([]byte, error) { return nil, silence }
		if _, err := asker.Ask(t.Context(), "node2:7440", Question{}); !errors.Is(err, silence) {
			t.Errorf("silence is heard as %v", err)
		}
	}
}
