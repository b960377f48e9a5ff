package adoption

import (
	"strings"
	"testing"
)

// TestARunningVMWhoseTPMWouldGoIsNotTakenIn: its keys lie in state that libvirt deletes when the VM
// ends, unless it keeps a definition of it, and an import takes that away.
func TestARunningVMWhoseTPMWouldGoIsNotTakenIn(t *testing.T) {
	err := Imported{Running: true, ForgetsTPM: true}.mayCome("vault", "node1")
	if err == nil || !strings.Contains(err.Error(), "virsh shutdown vault") {
		t.Errorf("it is taken in: %v", err)
	}
	if err := (Imported{Running: true}).mayCome("web", "node1"); err != nil {
		t.Error(err)
	}
}
