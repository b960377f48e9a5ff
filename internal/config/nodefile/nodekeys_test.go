package nodefile

import (
	"os"
	"testing"

	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/manual"
)

// TestTheReferenceIsTheTable: each key of the page is a row, and each row is there. REWRITE=1
// writes the page anew.
func TestTheReferenceIsTheTable(t *testing.T) {
	const page = "../../../docs/operators/configuration.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	renewed, found := keys.Renew(string(text), "## The node's own file: /etc/clusterd/node.yaml", 0,
		keys.Lines(nodeKeys, true))
	if !found {
		t.Fatal("the page has no table of the node's own file")
	}
	manual.Same(t, page, renewed)
}
