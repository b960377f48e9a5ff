package assemble

import (
	"slices"
	"testing"

	"github.com/clusterd/clusterd/internal/config/nodefile"
)

// The forwarder listens where its daemon looks for it, whatever node.yaml says by then.
func TestAForwarderIsToldWhereToListen(t *testing.T) {
	node := nodefile.Node{TunnelPort: 7441}
	argv, want := Self{Config: "node.yaml"}.forwarder(node), TunnelConfig(node, nil).Listen
	if i := slices.Index(argv, "--listen"); i < 0 || i+1 >= len(argv) || argv[i+1] != want {
		t.Errorf("%q does not say %q", argv, want)
	}
}
