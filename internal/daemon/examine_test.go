package daemon

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
)

// What was not asked yet is neither an error nor a reason for a drill.
func TestADeviceThatWasNotAskedYetIsNoError(t *testing.T) {
	d := &Daemon{name: "node1"}
	f := d.identityFinding(&cluster.State{}, "bmc1")
	if f.Severity != "unknown" || !strings.Contains(f.Text, "has not been asked yet") ||
		strings.Contains(f.Text+f.Next, "fence test") {
		t.Errorf("found %+v", f)
	}
}
