package api

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/clusterd/clusterd/internal/config/nodefile"
)

// TestTheLocalSocketIsWhereTheDaemonListens reads each file as the daemon does, and
// as a client does.
func TestTheLocalSocketIsWhereTheDaemonListens(t *testing.T) {
	if NodePath != nodefile.Path || DefaultSocket != nodefile.DefaultRunDir+"/clusterd.sock" {
		t.Fatal("client and daemon look in different places")
	}
	path := filepath.Join(t.TempDir(), "node.yaml")
	for _, text := range []string{
		"", "name: node1\n", "run_dir: /var/run/two\n", "name: node1\nrun_dir: \"/x/y\"   # by hand\naddress: 10.0.0.1\n",
		"# run_dir: /elsewhere\n", "run_dir:   '/x'\r\nname: a\r\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		node, err := nodefile.Load(path)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := localSocket(path); got != node.SocketPath() {
			t.Errorf("%q: the client looks at %s, the daemon listens at %s", text, got, node.SocketPath())
		}
	}
	if got := localSocket(filepath.Join(t.TempDir(), "none")); got != DefaultSocket {
		t.Errorf("without a file: %s", got)
	}
}
