//go:build cgo

package vm

import (
	"strings"
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

const guestUUID = "77777777-0000-4000-8000-000000000001"

func TestConditionOf(t *testing.T) {
	for _, c := range []struct {
		state  libvirt.DomainState
		reason int
		job    job
		want   agents.Condition
		word   string
	}{
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_BOOTED), noJob, agents.Running, ""},
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_MIGRATED), noJob, agents.Running, "migrated"},
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_UNPAUSED), jobOut, agents.Running, reasonMigratingOut},
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_POSTCOPY_FAILED), noJob, agents.Split, "post-copy failed"},
		{libvirt.DOMAIN_RUNNING, int(libvirt.DOMAIN_RUNNING_POSTCOPY), jobIn, agents.Split, resources.PostCopyGoing},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_USER), noJob, agents.Paused, "user"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_IOERROR), noJob, agents.Paused, "ioerror"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_MIGRATION), jobIn, agents.Incoming, "migration"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_MIGRATION), jobOut, agents.Running, reasonMigratingOut},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_MIGRATION), noJob, agents.Paused, "migration"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_POSTCOPY_FAILED), jobOut, agents.Split, "post-copy failed"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_POSTCOPY), jobOut, agents.Split, resources.PostCopyGoing},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_SHUTTING_DOWN), noJob, agents.ShuttingDown, "shutdown"},
		{libvirt.DOMAIN_PAUSED, int(libvirt.DOMAIN_PAUSED_CRASHED), noJob, agents.Crashed, "crashed"},
		{libvirt.DOMAIN_PAUSED, 99, noJob, agents.Paused, "for an unknown reason"},
		{libvirt.DOMAIN_SHUTDOWN, 0, noJob, agents.ShuttingDown, "shutdown"},
		{libvirt.DOMAIN_CRASHED, 0, noJob, agents.Crashed, "crashed"},
		{libvirt.DOMAIN_PMSUSPENDED, 0, noJob, agents.Paused, "suspended by its guest"},
		{libvirt.DOMAIN_NOSTATE, 0, noJob, agents.Unknown, "libvirt shows no state"},
	} {
		if got, word := conditionOf(c.state, c.reason, c.job); got != c.want || word != c.word {
			t.Errorf("state %d reason %d job %d: %s (%s), not %s (%s)", c.state, c.reason, c.job, got, word, c.want, c.word)
		}
	}
}

func TestNothingIsKnownWithoutAHypervisor(t *testing.T) {
	a, err := New(Options{URI: "qemu+unix:///system?socket=/nonexistent/libvirt-sock", Node: "node1",
		StateDir: t.TempDir()})
	if err != nil && strings.Contains(err.Error(), "Failed to open libvirt.so") {
		t.Skip("this machine has no libvirt library; on Debian: apt-get install libvirt0")
	}
	if err != nil {
		t.Fatalf("New must not need libvirtd: %v", err)
	}
	if _, err := a.Inventory(t.Context()); err == nil {
		t.Error("an inventory without a hypervisor")
	}
	spec := specOf(t, "<domain><name>web</name><uuid>"+guestUUID+"</uuid></domain>")
	if seen := a.Look(t.Context(), spec); seen.Condition != agents.Unknown {
		t.Errorf("look: %+v", seen)
	}
	if result := a.Stop(t.Context(), agents.Act{Spec: spec}); result.OK || result.Source != agents.Unknown {
		t.Errorf("stop: %+v", result)
	}
	if result := a.Start(t.Context(),
		agents.Act{Spec: spec, Definition: "<domain><name>web</name><uuid>" + guestUUID +
			"</uuid></domain>"}); result.OK || result.Source != agents.Unknown {
		t.Errorf("start: %+v", result)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for range a.Changes() {
		continue // It must be closed, or this never ends.
	}
}
