package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// deafness is a way in which a node's heartbeats pass and the log does not.
type deafness struct {
	name        string
	begin, mend string // lines of shell on that node
	// large: it shows itself only when something large is written, as it does in life.
	large bool
}

// The rules of nft(8) lie in the host's own network namespace.
var deafnesses = []deafness{
	{"its port of the log is closed",
		"nft add table inet deaf && nft 'add chain inet deaf in { type filter hook input priority 0; }' && " +
			"nft add rule inet deaf in tcp dport 7440 drop && nft add rule inet deaf in tcp sport 7440 drop",
		"nft delete table inet deaf", false},
	{"large packets do not pass",
		"nft add table inet deaf && nft 'add chain inet deaf in { type filter hook input priority 0; }' && " +
			"nft add rule inet deaf in iifname eth0 meta length '>' 600 drop",
		"nft delete table inet deaf", true},
}

// retellDeaf: a node that is heard and takes nothing of the log gets no work, says so, and is
// whole again when it is mended.
func (f *fixture) retellDeaf(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node2"})
	f.leadFrom(t, ctx, "node1", "node2")
	for _, way := range deafnesses {
		f.step(t, ctx, way.name, storyLimit, func(t *testing.T, ctx context.Context) {
			before := f.waitAtRest(t, ctx)
			f.shell(t, ctx, "node3", way.begin)
			mended := false
			defer func() {
				if !mended {
					f.shell(t, ctx, "node3", way.mend)
				}
			}()
			if way.large {
				f.writeMuch(t, ctx)
			}
			f.stands(t, ctx, "node3", "deaf")
			f.noted(t, ctx, "node3", "deaf")
			f.refused(t, ctx, "node1", []string{"node3"}, "clusvcadm", "-M", mover.Name(), "-m", "node3")
			f.shell(t, ctx, "node3", way.mend)
			mended = true
			f.waitAtRest(t, ctx)
			f.checkNoFence(t, ctx, before.Index)
		})
	}
}

// writeMuch brings an entry into the log that no small packet carries: domains with names that
// do not compress.
func (f *fixture) writeMuch(t *testing.T, ctx context.Context) {
	t.Helper()
	before := f.Plan.Domains
	defer func() { f.Plan.Domains = before }()
	f.Plan.Domains = slices.Clone(before)
	for range 60 {
		f.Plan.Domains = append(f.Plan.Domains, fmt.Sprintf("d%s: {members: {node1: 1}}", rand.Text()))
	}
	if err := f.Apply(ctx); err != nil {
		t.Fatal(err)
	}
}

// retellDeafForLong: what runs on a node that stays deaf is started elsewhere, after its fence.
func (f *fixture) retellDeafForLong(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node3"})
	f.leadFrom(t, ctx, "node1", "node2")
	f.shell(t, ctx, "node3", deafnesses[0].begin)
	began := time.Now()
	f.runsElsewhere(t, ctx, still2, "node3")
	t.Logf("elsewhere %s after its node became deaf", time.Since(began).Round(100*time.Millisecond))
	f.waitForAnswer(t, ctx, still2.Guest.Name)
	if f.world.Powered("node3") {
		t.Error("it was started elsewhere while its host has power")
	}
	if err := f.world.CheckSingleWriter(still2.Guest); err != nil {
		t.Error(err)
	}
	f.homeAgain(t, ctx, "node3")
}

// retellRestartLoop: a daemon that ends a second after each start is heard each time, and takes
// its part never.
func (f *fixture) retellRestartLoop(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node2"})
	f.leadFrom(t, ctx, "node1", "node2")
	before := f.waitAtRest(t, ctx)
	f.loop(t, ctx, "node3")
	f.after(t, ctx, 40*time.Second)
	f.refused(t, ctx, "node1", []string{"node3"}, "clusvcadm", "-M", mover.Name(), "-m", "node3")
	f.toldAsOne(t, ctx, before.Index, "node3")
	f.unloop(t, ctx, "node3")
}

// retellRestartLoopBesideAVM: a daemon that dies as soon as it is in touch has a VM on its node.
// The VM is none of its business: it runs on untouched, and its host is not shot.
func (f *fixture) retellRestartLoopBesideAVM(t *testing.T, ctx context.Context) {
	const node, rounds = "node3", 6
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: node})
	f.leadFrom(t, ctx, "node1", "node2")
	before := f.remember(t, ctx)
	for range rounds {
		f.stands(t, ctx, node, "online")
		if err := poll(ctx, func() bool {
			_, err := f.StatusOf(ctx, node)
			return err == nil
		}); err != nil {
			t.Fatal(err)
		}
		if err := killClusterd.do(ctx, f, node); err != nil {
			t.Fatal(err)
		}
		f.after(t, ctx, 300*time.Millisecond)
	}
	f.noted(t, ctx, node, "its daemon has started")
	f.refused(t, ctx, "node1", []string{node}, "clusvcadm", "-M", mover.Name(), "-m", node)
	f.toldAsOne(t, ctx, before.index, node)
	f.waitAtRest(t, ctx)
	f.awaitCalm(t, ctx, node)
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
	if owner := stage.Owner(f.waitAtRest(t, ctx), still2.Name()); owner != node {
		t.Errorf("%s was taken off its node: it is on %s", still2.Name(), owner)
	}
}

// loop has the daemon of a node end a second after each start.
func (f *fixture) loop(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	if err := f.StopDaemon(ctx, node); err != nil {
		t.Fatal(err)
	}
	loop := lab.Service{
		Name: "clusterd", Argv: []string{"timeout", "-s", "KILL", "1", "/srv/cluster/bin/clusterd", "run"},
		Restart: lab.RestartAlways, RestartDelay: 200 * time.Millisecond,
	}
	if err := f.world.Host(node).StartService(ctx, loop); err != nil {
		t.Fatal(err)
	}
}

// unloop gives the node a daemon that stays up, and waits until it is given work.
func (f *fixture) unloop(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	if err := errors.Join(f.StopDaemon(ctx, node), f.StartDaemon(ctx, node)); err != nil {
		t.Fatal(err)
	}
	f.homeAgain(t, ctx, node)
	f.awaitCalm(t, ctx, node)
}

// toldAsOne holds that the rounds of a loop do not fill the timeline.
func (f *fixture) toldAsOne(t *testing.T, ctx context.Context, after uint64, node string) {
	t.Helper()
	events, err := f.Events(ctx, "node1", after)
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, e := range events {
		if e.Subject == node {
			told++
			t.Log(e.From, " -> ", e.To, ": ", e.Why)
		}
	}
	if told > 16 {
		t.Errorf("the timeline tells %d times of one loop", told)
	}
}

// retellPlannedStop: a daemon that is stopped on purpose, for longer than a silent one has,
// costs no host.
func (f *fixture) retellPlannedStop(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node2"})
	before := f.remember(t, ctx)
	f.down(t, ctx, "node2")
	f.noted(t, ctx, "node2", "stopped")
	f.after(t, ctx, 25*time.Second)
	f.waitForAnswer(t, ctx, still2.Guest.Name)
	f.up(t, ctx, "node2")
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
}

// stands waits until the cluster has a node in a state.
func (f *fixture) stands(t *testing.T, ctx context.Context, node, state string) {
	t.Helper()
	if _, err := f.Wait(ctx, node+" is "+state, func(s api.Status) bool {
		return slices.ContainsFunc(s.Nodes, func(n api.Node) bool { return n.Name == node && n.State == state })
	}); err != nil {
		t.Fatal(err)
	}
}

// leadFrom waits until one of the nodes leads; another one that leads has its daemon restarted.
func (f *fixture) leadFrom(t *testing.T, ctx context.Context, nodes ...string) {
	t.Helper()
	for range 5 {
		status := f.waitAtRest(t, ctx)
		if slices.Contains(nodes, status.Leader) {
			return
		}
		f.down(t, ctx, status.Leader)
		f.up(t, ctx, status.Leader)
	}
	t.Fatalf("none of %s ever leads", strings.Join(nodes, ", "))
}
