package daemon

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
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

// TestWhatIsOffIsTiedToWhereItRan: the state of its TPM lies there, and a start on another node
// goes without it.
func TestWhatIsOffIsTiedToWhereItRan(t *testing.T) {
	s := &cluster.State{}
	s.Services.Set("vm:safe", cluster.Service{LastOwner: "node1", Spec: resources.Spec{
		Name: "vm:safe", Bonds: []resources.Bond{{What: "its TPM's state", Stays: true}},
	}})
	for node, want := range map[string]int{"node1": 1, "node2": 0} {
		d := &Daemon{name: node}
		if found := d.boundFindings(s); len(found) != want {
			t.Errorf("%s tells %+v", node, found)
		}
	}
}
