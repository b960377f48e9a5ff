package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/test/stage"
)

// stranger is what a node types to reach another one's libvirt past its own clusterd: with its
// own key and certificate.
const stranger = `cd /var/lib/clusterd && { printf '{"kind":"api","act":"1.1.0"}\n'; sleep 8; } |
	openssl s_client -quiet -connect %s:%d -alpn %s -cert node.crt -key node.key 2>&1 | tr -d '\000-\010' | head -c 4000`

// TestLabARemovedNodeReachesNoHypervisor: its key opens no port of any host, and a member's
// opens libvirt only for a migration. The live migrations of its leaving go through the same
// doors.
func TestLabARemovedNodeReachesNoHypervisor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	f := newFixture(t, ctx, "door")
	f.step(t, ctx, "it leaves, is removed and tries", storyLimit, f.testRemovedNodesDoors)
}

func (f *fixture) testRemovedNodesDoors(t *testing.T, ctx context.Context) {
	const gone = "node3"
	typed := func(node string, argv ...string) string {
		t.Helper()
		result, err := stage.Run(ctx, f.world, node, argv...)
		if err != nil {
			t.Fatalf("%s on %s: %v", argv[0], node, err)
		}
		return fmt.Sprintf("exit code %d: %s", result.Code, result.Output)
	}
	tries := func(node string, port int, protocol string) string {
		t.Helper()
		address := "10.99.0." + strings.TrimPrefix(node, "node")
		return typed(gone, "sh", "-c", fmt.Sprintf(stranger, address, port, protocol))
	}
	if said := tries("node1", 7441, "clusterd-tunnel"); !strings.Contains(said, "no open migration") {
		t.Errorf("a member without a migration: %s", said)
	}
	if said := typed(gone, "clusterd", "node", "leave", "--wait", "2m"); !strings.HasPrefix(said, "exit code 0") {
		t.Fatalf("leave: %s", said)
	}
	// Its daemon ends, and its machine goes on.
	held := make(chan string, 1)
	go func() { held <- tries("node2", 7440, "clusterd-quorum") }()
	if said := typed("node1", "clusterd", "node", "remove", gone); !strings.HasPrefix(said, "exit code 0") {
		t.Fatalf("remove: %s", said)
	}
	<-held
	time.Sleep(time.Second) // what is promised: within a second, everywhere
	for _, node := range []string{"node1", "node2"} {
		for port, protocol := range map[int]string{7440: "clusterd-quorum", 7441: "clusterd-tunnel"} {
			if said := tries(node, port, protocol); !strings.Contains(said, "was removed from the cluster") {
				t.Errorf("the removed node at %s, port %d: %s", node, port, said)
			}
		}
	}
}
