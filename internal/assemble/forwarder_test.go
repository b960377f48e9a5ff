package assemble

import (
	"slices"
	"testing"

	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/roster"
	"github.com/clusterd/clusterd/internal/tunnel"
)

// The forwarder listens where its daemon looks for it, whatever node.yaml says by then.
func TestAForwarderIsToldWhereToListen(t *testing.T) {
	node := nodefile.Node{TunnelPort: 7441}
	argv, want := Self{Config: "node.yaml"}.forwarder(node), TunnelConfig(node, nil).Listen
	if i := slices.Index(argv, "--listen"); i < 0 || i+1 >= len(argv) || argv[i+1] != want {
		t.Errorf("%q does not say %q", argv, want)
	}
}

// TestForwarderAndDaemonHearOfEachOther: the one who the members are, the other who was refused.
func TestForwarderAndDaemonHearOfEachOther(t *testing.T) {
	book := &roster.Book{}
	w := newWay(nodefile.Node{RunDir: t.TempDir()}, Self{}, book, nil)
	if book.Changed == nil || w.config.Refused == nil {
		t.Fatal("one of them hears nothing")
	}
	if err := book.Changed(tunnel.Roster{}); err != nil {
		t.Error(err)
	}
	w.config.Refused(tunnel.Refusal{})
}
