package e2e

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// TestLabPlannedShutdown does what clusterd-handover.service does when a host is shut down: its
// VMs leave alive, and its end is no loss.
func TestLabPlannedShutdown(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	f := newFixture(t, ctx, "plan")
	f.step(t, ctx, "its VMs leave and come home", storyLimit, f.testPlannedShutdown)
}

func (f *fixture) testPlannedShutdown(t *testing.T, ctx context.Context) {
	before := f.remember(t, ctx)
	leaving := before.owners[mover.Guest.Name]
	result, err := stage.Run(ctx, f.world, leaving, "clusterd", "node", "leave", "--wait", "2m")
	if err != nil || !result.OK() {
		t.Fatalf("leave %s: %v, exit code %d: %s", leaving, err, result.Code, result.Output)
	}
	// libvirt takes some 200 ms to see that the process of a guest that moved has ended.
	names, err := f.guestsOf(ctx, leaving)
	for deadline := time.Now().Add(3 * time.Second); err == nil && len(names) != 0 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
		names, err = f.guestsOf(ctx, leaving)
	}
	if err != nil || len(names) != 0 {
		t.Fatalf("%s has left and still has %v (%v)", leaving, names, err)
	}
	if err := f.world.Host(leaving).Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	f.settle(t, ctx)
	status, err := f.Wait(ctx, "the services run on the others", stage.AllStarted)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(status.Services, func(s api.Service) bool { return s.Owner == leaving }) {
		t.Fatalf("a service is still on %s: %s", leaving, stage.Describe(status, nil))
	}
	if err := f.world.Boot(ctx, leaving); err != nil {
		t.Fatal(err)
	}
	// An orderly leave remembers what belongs here: it comes home, live.
	if _, err := f.Wait(ctx, "the services are home again", func(s api.Status) bool {
		return stage.AllStarted(s) && stage.Owner(s, mover.Name()) == leaving && stage.Owner(s, still.Name()) == leaving
	}); err != nil {
		t.Fatal(err)
	}
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
}
