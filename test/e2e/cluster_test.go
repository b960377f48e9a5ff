package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

func TestMain(m *testing.M) {
	lab.Reexec()
	reexecUnits()
	os.Exit(m.Run())
}

// The guests: one that is moved and restarted, and one on each side that nobody touches.
var (
	mover = stage.Service{Guest: lab.Guest{Name: "mover", Number: 61, MemoryMiB: 64, DirtyKiBPerSecond: 512},
		Domain: "stays"}
	still   = stage.Service{Guest: lab.Guest{Name: "still", Number: 62}, Domain: "stays"}
	still2  = stage.Service{Guest: lab.Guest{Name: "still2", Number: 63}, Domain: "stays-too"}
	guests  = []stage.Service{mover, still, still2}
	domains = []string{
		"stays: {ordered: true, nofailback: true, members: {node1: 1, node2: 2, node3: 3}}",
		"stays-too: {ordered: true, nofailback: true, members: {node2: 1, node3: 2, node1: 3}}",
	}
)

// fixture is a cluster at rest, and what has to stay as it is.
type fixture struct {
	*stage.Cluster
	world   *stage.Lab
	watches map[string]stage.Watch
	// failureTold: the cluster's account was printed, by the step that failed first.
	failureTold atomic.Bool
}

// newFixture founds a cluster on a lab of its own. The lab skips the test where it cannot be.
func newFixture(t *testing.T, ctx context.Context, prefix string) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(ctx, foundLimit, errors.New("the cluster was not founded in time"))
	defer cancel()
	built := lab.ForTest(t, ctx, lab.Options{Prefix: prefix})
	world, err := stage.FromLab(built, buildTools(t, ctx))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{world: world, watches: map[string]stage.Watch{},
		Cluster: &stage.Cluster{World: world, Plan: stage.Plan{Cluster: "e2e", Domains: domains, Services: guests}}}
	f.begin(t, ctx, t)
	return f
}

// begin founds the cluster and waits until all is at rest and every guest answers. The guests are
// watched until the whole test ends, of which t may be a part.
func (f *fixture) begin(t *testing.T, ctx context.Context, whole *testing.T) {
	t.Helper()
	whole.Cleanup(func() {
		if whole.Failed() {
			f.tellFailureOnce(whole)
		}
	})
	if err := errors.Join(f.Found(ctx), f.Apply(ctx)); err != nil {
		t.Fatal(err)
	}
	f.waitAtRest(t, ctx)
	for _, guest := range guests {
		watch, err := f.world.Watch(guest.Guest)
		if err != nil {
			t.Fatal(err)
		}
		whole.Cleanup(watch.Stop)
		f.watches[guest.Guest.Name] = watch
		f.waitForAnswer(t, ctx, guest.Guest.Name)
	}
}

// tellFailure prints the cluster's own account.
func (f *fixture) tellFailure(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if result, err := stage.Run(ctx, f.World, "node1", "clustat", "--events", "--limit", "60"); err == nil {
		t.Log("\n" + result.Output)
	}
	t.Log(stage.Describe(f.Status(ctx)))
	for _, node := range f.Nodes() {
		t.Logf("--- the end of the log of %s\n%s", node, f.LogTail(node, 25))
	}
}

func (f *fixture) waitAtRest(t *testing.T, ctx context.Context) api.Status {
	t.Helper()
	status, err := f.Wait(ctx, "all is at rest", func(s api.Status) bool {
		return len(s.Services) == f.declared() && stage.AllStarted(s) && stage.Protected(s) && len(stage.OnlineNodes(s)) == 3
	})
	if err != nil {
		t.Fatal(err)
	}
	return status
}

// declared counts the services of the document.
func (f *fixture) declared() int {
	count := len(f.Plan.Services)
	for _, line := range f.Plan.Trees {
		if strings.HasPrefix(line, "service:") {
			count++
		}
	}
	return count
}

func (f *fixture) waitForAnswer(t *testing.T, ctx context.Context, guest string) {
	t.Helper()
	if err := poll(ctx, func() bool {
		seen := f.watches[guest].Seen()
		return seen.Answers && seen.SilentFor < 200*time.Millisecond
	}); err != nil {
		t.Fatalf("guest %s does not answer: %+v", guest, f.watches[guest].Seen())
	}
}

// poll waits for something outside, which no clock of ours governs.
func poll(ctx context.Context, condition func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// memory is what was true before a fault.
type memory struct {
	index  uint64
	owners map[string]string
	nonces map[string]string
}

func (f *fixture) remember(t *testing.T, ctx context.Context) memory {
	t.Helper()
	status := f.waitAtRest(t, ctx)
	m := memory{index: status.Index, owners: map[string]string{}, nonces: map[string]string{}}
	for _, guest := range guests {
		f.waitForAnswer(t, ctx, guest.Guest.Name)
		m.owners[guest.Guest.Name] = stage.Owner(status, guest.Name())
		m.nonces[guest.Guest.Name] = f.watches[guest.Guest.Name].Seen().Nonce
		f.watches[guest.Guest.Name].Reset()
	}
	return m
}

// checkUnharmed waits for rest and checks what must hold after every fault. same names the
// guests that must still be the same runs as before.
func (f *fixture) checkUnharmed(t *testing.T, ctx context.Context, before memory, same ...string) {
	t.Helper()
	f.checkGuests(t, ctx, before, same...)
	f.checkNoFence(t, ctx, before.index)
}

// checkGuests is checkUnharmed where a node may have been out of touch.
func (f *fixture) checkGuests(t *testing.T, ctx context.Context, before memory, same ...string) {
	t.Helper()
	status := f.waitAtRest(t, ctx)
	for _, guest := range guests {
		name := guest.Guest.Name
		f.waitForAnswer(t, ctx, name)
		seen := f.watches[name].Seen()
		if seen.TickWentBack != 0 {
			t.Errorf("guest %s contradicted itself %d times: it may have run twice", name, seen.TickWentBack)
		}
		if slices.Contains(same, name) && (seen.Nonce != before.nonces[name] || seen.Runs != 1) {
			t.Errorf("guest %s is not the run it was: %s, now %s, %d runs seen", name, before.nonces[name], seen.Nonce,
				seen.Runs)
		}
		if err := f.CheckSingleWriter(guest.Guest); err != nil {
			t.Error(err)
		}
		wanted := []string{stage.Owner(status, guest.Name())}
		where := f.hosts(t, ctx, name)
		// libvirt takes some 200 ms to see that the process of a guest that moved has ended.
		for deadline := time.Now().Add(3 * time.Second); !slices.Equal(where, wanted) && time.Now().Before(deadline); {
			time.Sleep(50 * time.Millisecond)
			where = f.hosts(t, ctx, name)
		}
		if !slices.Equal(where, wanted) {
			t.Errorf("guest %s is on %v, and the cluster says %s", name, where, stage.Owner(status, guest.Name()))
		}
	}
}

func (f *fixture) hosts(t *testing.T, ctx context.Context, guest string) []string {
	t.Helper()
	var where []string
	for _, node := range f.Nodes() {
		names, err := f.guestsOf(ctx, node)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains(names, guest) {
			where = append(where, node)
		}
	}
	return where
}

// guestsOf asks a node's libvirt, which may hang.
func (f *fixture) guestsOf(ctx context.Context, node string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return f.Guests(ctx, node)
}

func (f *fixture) checkNoFence(t *testing.T, ctx context.Context, after uint64) {
	t.Helper()
	f.checkNever(t, ctx, after, "fencing", "fenced", "lost")
}

// checkNever holds that nothing has become any of these states after an index, and that all hosts
// have power.
func (f *fixture) checkNever(t *testing.T, ctx context.Context, after uint64, states ...string) {
	t.Helper()
	events, err := f.Events(ctx, f.Nodes()[0], after)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if slices.Contains(states, e.To) {
			t.Errorf("event %d: %s became %s: %s", e.Index, e.Subject, e.To, e.Why)
		}
	}
	for _, node := range f.Nodes() {
		if !f.Powered(node) {
			t.Errorf("%s has no power", node)
		}
	}
}

// operate runs clusvcadm on a node in the background, and returns a channel for its end. What it
// says is not judged: the daemon it talks to may be the one that is killed.
func (f *fixture) operate(ctx context.Context, node string, argv ...string) <-chan string {
	ended := make(chan string, 1)
	go func() {
		result, err := stage.Run(ctx, f.world, node, append([]string{"clusvcadm"}, argv...)...)
		ended <- fmt.Sprintf("clusvcadm %s: exit code %d (%v): %s", strings.Join(argv, " "), result.Code, err,
			strings.TrimSpace(result.Output))
	}()
	return ended
}

// waitForState waits until a service is in a state, as one node that is left alone has it.
func (f *fixture) waitForState(t *testing.T, ctx context.Context, node string, service stage.Service, state string) {
	t.Helper()
	if err := poll(ctx, func() bool {
		status, err := f.StatusOf(ctx, node)
		return err == nil && slices.ContainsFunc(status.Services,
			func(s api.Service) bool { return s.Name == service.Name() && s.StateText == state })
	}); err != nil {
		t.Fatalf("%s never was %s: %s", service.Name(), state, stage.Describe(f.Status(ctx)))
	}
}
