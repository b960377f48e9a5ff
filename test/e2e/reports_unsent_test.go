package e2e

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// retellUnsentStart: libvirtd of a node hangs in the moment in which a VM is to be started there,
// before anybody knows. No call was sent, so the start is proven not to have happened, and the
// next node has its turn while that libvirtd still hangs.
func (f *fixture) retellUnsentStart(t *testing.T, ctx context.Context) {
	const preferred, next = "node2", "node3"
	f.settleOn(t, ctx, map[string]string{
		mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: preferred})
	before := f.remember(t, ctx)
	t.Log(f.ended(t, ctx, f.operate(ctx, "node1", "-d", still2.Name())))
	f.waitForState(t, ctx, "node1", still2, "disabled")
	libvirtd := func(signal syscall.Signal) error {
		return f.world.Host(preferred).KillService(ctx, "libvirtd", signal)
	}
	if err := libvirtd(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thawed := false
	thaw := func() {
		if !thawed {
			thawed = true
			if err := libvirtd(syscall.SIGCONT); err != nil {
				t.Error(err)
			}
		}
	}
	defer thaw()
	began := time.Now()
	said := f.operate(ctx, "node1", "-e", still2.Name())
	f.wasToStartOn(t, ctx, before.index, still2, preferred)
	f.runsOn(t, ctx, still2, next)
	t.Logf("on %s %s after it was asked for: %s", next, time.Since(began).Round(100*time.Millisecond),
		f.ended(t, ctx, said))
	f.waitForAnswer(t, ctx, still2.Guest.Name)

	// What was queued in the hung libvirtd is done now, if anything was.
	thaw()
	f.after(t, ctx, 3*time.Second)
	f.checkGuests(t, ctx, before, mover.Guest.Name, still.Guest.Name)
	f.checkNoFence(t, ctx, before.index)
	if owner := stage.Owner(f.waitAtRest(t, ctx), still2.Name()); owner != next && owner != preferred {
		t.Errorf("%s is on %q", still2.Name(), owner)
	}
	f.checkWitness(t)
}

// wasToStartOn waits until a start of a service on a node is decided; a node that was passed over
// proves nothing here.
func (f *fixture) wasToStartOn(t *testing.T, ctx context.Context, after uint64, service stage.Service, node string) {
	t.Helper()
	if _, err := f.Wait(ctx, service.Name()+" is to start on "+node, func(api.Status) bool {
		events, err := f.Events(ctx, "node1", after)
		if err != nil {
			return false
		}
		return slices.ContainsFunc(events, func(e cluster.Event) bool {
			return e.Subject == service.Name() && e.To == "starting" && e.Node == node
		})
	}); err != nil {
		t.Fatal(errors.Join(err, errors.New("the node was known as hung before, so nothing was tried there")))
	}
}
