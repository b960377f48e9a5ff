package cli

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/message"
)

func TestCodesAreListedByPattern(t *testing.T) {
	all := Codes("", 80)
	for _, c := range message.Codes() {
		if !strings.Contains(all, c.Name()+"\n    ") {
			t.Errorf("%s is not listed", c.Name())
		}
	}
	name := message.Codes()[0].Name()
	if got := Codes(name, 80); !strings.HasPrefix(got, name+"\n    ") ||
		strings.Count(got, "\n    ") == len(message.Codes()) {
		t.Errorf("%s alone is\n%s", name, got)
	}
	for line := range strings.Lines(all) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if got := Codes("no-such-code", 80); got != "" {
		t.Errorf("what there is not is\n%s", got)
	}
}
