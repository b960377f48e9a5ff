package e2e

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// The VM that wanders, and one that stays on node3, where the network has a way out.
var (
	walker = stage.Service{Guest: lab.Guest{Name: "walker", Number: 71, Bridge: "br-blue"}, Domain: "anywhere"}
	porter = stage.Service{Guest: lab.Guest{Name: "porter", Number: 72, Bridge: "br-blue"}, Domain: "gate"}
)

// wayOutside ties the network on node3 to the cable of guests, where who asks the guests sits.
const wayOutside = "ip link add up0 type veth peer name up1 && ip link set up0 master br0 up && " +
	"ip link set up1 master br-blue up"

// TestNetworks: a network is there before its VM comes, and gone when it has left.
func TestNetworks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	w := newWander(t, ctx)
	if owner := w.owner(ctx); owner != "node1" {
		t.Fatalf("it began on %s", owner)
	}
	w.typed(ctx, "node3", "sh", "-c", wayOutside)
	w.answers(ctx)
	t.Log("\n" + w.typed(ctx, "node1", "clusterd", "network", "list"))
	t.Log("\n" + w.typed(ctx, "node1", "clusterd", "network", "show", "blue"))
	for _, target := range []string{"node2", "node3", "node1"} {
		w.moves(ctx, target)
	}
	w.outlivesItsDaemon(ctx, "node1")
	w.isRefusedWhereSomebodyElseHasTheName(ctx, "node2")
	w.isMadeAnewAfterALoss(ctx, "node1")
}

// wander is a cluster with a VM whose network follows it.
type wander struct {
	*stage.Cluster
	t     *testing.T
	world *stage.Lab
	watch stage.Watch
}

func newWander(t *testing.T, ctx context.Context) *wander {
	t.Helper()
	built := lab.ForTest(t, ctx, lab.Options{Prefix: "wand"})
	tools := t.TempDir()
	if err := stage.BuildTools(ctx, filepath.Join("..", ".."), tools); err != nil {
		t.Fatal(err)
	}
	world, err := stage.FromLab(built, tools)
	if err != nil {
		t.Fatal(err)
	}
	w := &wander{t: t, world: world, Cluster: &stage.Cluster{World: world, Plan: stage.Plan{Cluster: "e2e",
		Top: []string{"networks: {blue: {vlan: 20}}"},
		Domains: []string{
			"anywhere: {ordered: true, nofailback: true, members: {node1: 1, node2: 2, node3: 3}}",
			"gate: {restricted: true, members: [node3]}",
		}, Services: []stage.Service{walker, porter}}}}
	if err := w.Found(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	w.atRest(ctx)
	if w.watch, err = world.Watch(walker.Guest); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.watch.Stop)
	return w
}

func (w *wander) atRest(ctx context.Context) api.Status {
	w.t.Helper()
	status, err := w.Wait(ctx, "both VMs run", func(s api.Status) bool {
		return stage.AllStarted(s) && stage.Protected(s) && len(stage.OnlineNodes(s)) == 3
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return status
}

func (w *wander) owner(ctx context.Context) string {
	w.t.Helper()
	return stage.Owner(w.atRest(ctx), walker.Name())
}

// run types a command on a node.
func (w *wander) run(ctx context.Context, node string, argv ...string) (string, bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	result, err := stage.Run(ctx, w.world, node, argv...)
	if err != nil {
		w.t.Fatalf("%s on %s: %v", argv[0], node, err)
	}
	return result.Output, result.OK()
}

func (w *wander) typed(ctx context.Context, node string, argv ...string) string {
	w.t.Helper()
	said, ok := w.run(ctx, node, argv...)
	if !ok {
		w.t.Fatalf("%s on %s: %s", strings.Join(argv, " "), node, said)
	}
	return said
}

func (w *wander) answers(ctx context.Context) {
	w.t.Helper()
	if err := poll(ctx, func() bool {
		seen := w.watch.Seen()
		return seen.Answers && seen.SilentFor < 200*time.Millisecond
	}); err != nil {
		w.t.Fatalf("it does not answer over its network: %+v", w.watch.Seen())
	}
}

// has tells the kernel's number of the bridge on a node; empty where there is none.
func (w *wander) has(ctx context.Context, node string) string {
	w.t.Helper()
	said, _ := w.run(ctx, node, "sh", "-c", "cat /sys/class/net/br-blue/ifindex 2>/dev/null")
	return strings.TrimSpace(said)
}

func (w *wander) waitUntilGone(ctx context.Context, node string) {
	w.t.Helper()
	if err := poll(ctx, func() bool { return w.has(ctx, node) == "" }); err != nil {
		w.t.Errorf("the VM has left %s, and its network is still there", node)
	}
}

func (w *wander) moves(ctx context.Context, target string) {
	w.t.Helper()
	source := w.owner(ctx)
	w.watch.Reset()
	w.typed(ctx, "node1", "clusvcadm", "-M", walker.Name(), "-m", target)
	w.answers(ctx)
	w.t.Logf("%s to %s: silent for %s at most", source, target, w.watch.Seen().Silence.Round(time.Millisecond))
	if seen := w.watch.Seen(); seen.Runs != 1 {
		w.t.Errorf("it is another run: %+v", seen)
	}
	if source != "node3" { // the porter's network stays
		w.waitUntilGone(ctx, source)
	}
}

// outlivesItsDaemon: the network is nobody's process.
func (w *wander) outlivesItsDaemon(ctx context.Context, node string) {
	w.t.Helper()
	before := w.has(ctx, node)
	w.watch.Reset()
	if err := w.world.Host(node).KillService(ctx, "clusterd", 9); err != nil {
		w.t.Fatal(err)
	}
	w.answers(ctx)
	w.atRest(ctx)
	if after := w.has(ctx, node); after != before || after == "" {
		w.t.Errorf("the bridge was number %q and is %q", before, after)
	}
	if silence := w.watch.Seen().Silence; silence > time.Second {
		w.t.Errorf("its daemon died, and the VM was silent for %s", silence)
	}
}

// isRefusedWhereSomebodyElseHasTheName: the VM stays, the reason is told, and nothing foreign is
// touched.
func (w *wander) isRefusedWhereSomebodyElseHasTheName(ctx context.Context, node string) {
	w.t.Helper()
	w.typed(ctx, node, "ip", "link", "add", "br-blue", "type", "bridge")
	source, theirs := w.owner(ctx), w.has(ctx, node)
	said, ok := w.run(ctx, "node3", "clusvcadm", "-M", walker.Name(), "-m", node)
	if ok || !strings.Contains(said, "not made by clusterd") {
		w.t.Errorf("moved to where a bridge of that name is: %s", said)
	}
	w.t.Log("\n" + said)
	w.answers(ctx)
	if now := w.has(ctx, node); w.owner(ctx) != source || now != theirs {
		w.t.Errorf("it is on %s, and the bridge of %s is %s, was %s", w.owner(ctx), node, now, theirs)
	}
	w.typed(ctx, node, "ip", "link", "del", "br-blue")
}

// isMadeAnewAfterALoss: where a VM starts after its host's death, its network is there.
func (w *wander) isMadeAnewAfterALoss(ctx context.Context, node string) {
	w.t.Helper()
	if owner := w.owner(ctx); owner != node {
		w.t.Fatalf("it is on %s", owner)
	}
	w.watch.Reset()
	if err := w.world.CutPower(node); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.Wait(ctx, "it runs on node2", func(s api.Status) bool {
		return stage.Owner(s, walker.Name()) == "node2" && stage.AllStarted(s)
	}); err != nil {
		w.t.Fatal(err)
	}
	w.answers(ctx)
	w.t.Logf("after the loss of its host silent for %s", w.watch.Seen().Silence.Round(time.Millisecond))
}
