//go:build cgo

package vm

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// onlyThere checks that a move has ended with the guest at its target, whole and alone.
func onlyThere(t *testing.T, result agents.Result) {
	t.Helper()
	for _, phase := range result.Phases {
		t.Logf("%s %s", phase.At.Format("05.000"), phase.What)
	}
	t.Logf("total %s, downtime %s: %s", result.Total, result.Downtime, result.Why)
	if !result.OK || result.Source != agents.Absent || result.Target != agents.Running {
		t.Fatalf("%+v", result)
	}
}

func TestRealPostCopy(t *testing.T) {
	a, spec, definition, way := migrating(t)
	started(t, a, spec, definition, way)
	onlyThere(t, a.Migrate(context.Background(), agents.Act{ID: "11.1.0", Spec: spec, Target: "there", PostCopy: true}))
}

// A guest that writes faster than its memory is sent is given up, and is as it was; then it arrives
// by post-copy.
func TestRealHybrid(t *testing.T) {
	a, spec, definition, way := migrating(t)
	started(t, a, spec, definition, way)
	slow := resources.Migration{Mode: resources.MoveHybrid, Bandwidth: 4}
	begun := time.Now()
	result := a.Migrate(context.Background(),
		agents.Act{ID: "12.1.0", Spec: spec, Target: "there", Move: slow, Stallable: true})
	t.Logf("after %s: %+v", time.Since(begun), result)
	if !result.Stalled || result.Source != agents.Running || result.Target != agents.Absent {
		t.Fatalf("%+v", result)
	}
	onlyThere(t, a.Migrate(context.Background(),
		agents.Act{ID: "12.1.0.1", Spec: spec, Target: "there", Move: slow, PostCopy: true}))
}

// The tunnel dies after the switch: the guest is at the target and its memory at both ends, and the
// copying is taken up again over a new one.
func TestRealPostCopyIsTakenUpAgain(t *testing.T) {
	a, spec, definition, way := migrating(t)
	started(t, a, spec, definition, way)
	pause(context.Background(), 8*time.Second) // memory that the guest has not touched is not sent
	status, err := way.client.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	events, forget := a.watch(spec.UUID)
	defer forget()
	results, stop := inBackground(a, agents.Act{ID: "13.1.0", Spec: spec, Target: "there", PostCopy: true,
		Move: resources.Migration{Bandwidth: 4}})
	defer stop()
	limit := time.After(20 * time.Second)
	for switched := false; !switched; {
		select {
		case heard := <-events:
			switched = heard.event == libvirt.DOMAIN_EVENT_SUSPENDED
		case <-limit:
			t.Fatal("it never switched")
		}
	}
	// For some moments after the switch libvirt at the target takes the end of its connection for that
	// of the move, and ends the guest; then both are split, which is what is tried here.
	pause(context.Background(), 3*time.Second)
	if err := syscall.Kill(status.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	result := <-results
	onlyThere(t, result)
	again := func(p agents.Phase) bool { return p.What == "copying taken up again" }
	if !slices.ContainsFunc(result.Phases, again) {
		t.Error("its memory was there before the tunnel died, so nothing was tried")
	}
}

// What libvirt is still at says nothing final: the guest may be at the target a moment later, and a
// cluster that took it for the end would drop or pause it there.
func TestWhatGoesOnIsNoEnd(t *testing.T) {
	m := &move{agent: &Agent{}}
	result := m.result(context.Background(), agents.Observation{Condition: agents.Running, Reason: reasonMigratingOut},
		agents.Observation{Condition: agents.Split, Reason: resources.PostCopyGoing}, nil)
	if result.OK || result.Source != agents.Unknown || result.Target != agents.Unknown {
		t.Errorf("%+v", result)
	}
}
