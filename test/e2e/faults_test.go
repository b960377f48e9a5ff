package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// fault breaks one daemon of a node and returns when that is done.
type fault struct {
	name string
	do   func(ctx context.Context, f *fixture, node string) error
}

var (
	killClusterd = fault{"clusterd killed", func(ctx context.Context, f *fixture, node string) error {
		return f.world.Host(node).KillService(ctx, "clusterd", syscall.SIGKILL)
	}}
	killLibvirtd = fault{"libvirtd killed", func(ctx context.Context, f *fixture, node string) error {
		return f.world.Host(node).KillLibvirtd(ctx, false)
	}}
	restartLibvirtd = fault{"libvirtd restarted", func(ctx context.Context, f *fixture, node string) error {
		return f.world.Host(node).RestartLibvirtd(ctx)
	}}
)

// moments are how long after its beginning an act is disturbed.
func moments() []time.Duration {
	if os.Getenv("CLUSTERD_LAB_LONG") == "" {
		return []time.Duration{200 * time.Millisecond}
	}
	var all []time.Duration
	for moment := time.Duration(0); moment <= 1500*time.Millisecond; moment += 150 * time.Millisecond {
		all = append(all, moment)
	}
	return all
}

// TestLabFaults has one cluster go through everything, because that is what a cluster's life is.
func TestLabFaults(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	f := newFixture(t, ctx, "ende")
	if !f.step(t, ctx, "at rest", stepLimit, f.testAtRest) {
		t.FailNow()
	}
	for _, moment := range moments() {
		for _, broken := range []fault{killClusterd, killLibvirtd, restartLibvirtd} {
			for _, end := range []string{"source", "target"} {
				name := fmt.Sprintf("%s on the %s %s into a migration", broken.name, end, moment)
				f.step(t, ctx, name, stepLimit,
					func(t *testing.T, ctx context.Context) { f.testMigration(t, ctx, broken, end, moment) })
			}
			f.step(t, ctx, fmt.Sprintf("%s %s into a start", broken.name, moment), stepLimit,
				func(t *testing.T, ctx context.Context) { f.testStart(t, ctx, broken, moment) })
		}
	}
}

// testAtRest breaks daemons while nothing is under way: nobody may notice.
func (f *fixture) testAtRest(t *testing.T, ctx context.Context) {
	everything := []string{mover.Guest.Name, still.Guest.Name, still2.Guest.Name}
	for _, broken := range []fault{killClusterd, killLibvirtd, restartLibvirtd} {
		before := f.remember(t, ctx)
		for _, node := range f.Nodes() {
			if err := broken.do(ctx, f, node); err != nil {
				t.Fatal(err)
			}
		}
		// All three at once: whoever comes back first finds no quorum, and whoever leads next knows
		// nothing yet.
		f.settle(t, ctx)
		f.checkUnharmed(t, ctx, before, everything...)
	}
}

// settle waits until each node's daemon has done something new, so that the old state is not
// taken for the new one.
func (f *fixture) settle(t *testing.T, ctx context.Context) {
	t.Helper()
	select {
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	case <-time.After(1500 * time.Millisecond): // Longer than it takes to lose a silent node.
	}
}

func (f *fixture) testMigration(t *testing.T, ctx context.Context, broken fault, end string, moment time.Duration) {
	before := f.remember(t, ctx)
	source := before.owners[mover.Guest.Name]
	target := map[string]string{"node1": "node3", "node3": "node1", "node2": "node1"}[source]
	victim := map[string]string{"source": source, "target": target}[end]
	f.awaitCalm(t, ctx, target)
	said := f.operate(ctx, "node2", "-M", mover.Name(), "-m", target)
	f.waitForState(t, ctx, "node2", mover, "migrating")
	f.after(t, ctx, moment)
	if err := broken.do(ctx, f, victim); err != nil {
		t.Fatal(err)
	}
	t.Log(f.endedWithHelp(t, ctx, said, target, mover))
	f.settle(t, ctx)
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
}

// halfBorn is within how long a move ends whatever libvirt did, unless libvirt itself is stuck.
const halfBorn = 50 * time.Second

// endedWithHelp waits for the end of a move or a start. A libvirtd that was killed while its child
// was about to become QEMU shows a guest "starting up" that has no process, and lets nobody at it
// for minutes (libvirt 9.0). What lives runs on, and the cluster rightly waits for a person, who
// takes its status file away and starts that libvirtd again.
func (f *fixture) endedWithHelp(t *testing.T, ctx context.Context, said <-chan string, target string,
	lives stage.Service) string {
	t.Helper()
	select {
	case text := <-said:
		return text
	case <-ctx.Done():
	case <-time.After(halfBorn):
		f.waitForAnswer(t, ctx, lives.Guest.Name)
		status, err := f.StatusOf(ctx, "node2")
		if err != nil || !slices.ContainsFunc(status.Notes, func(n cluster.Note) bool {
			return n.Subject == lives.Name() && strings.Contains(n.Next.String(), "restart libvirtd")
		}) {
			t.Errorf("nobody is told what to do: %v, %+v", err, status.Notes)
		}
		t.Logf("libvirt of %s is stuck over a guest without a process; it is started again", target)
		// Its status file says pid 0, and a libvirtd that reads it waits for a monitor that never comes.
		forget := "rm -f /run/libvirt/qemu/" + lives.Guest.Name + ".xml /run/libvirt/qemu/" + lives.Guest.Name + ".pid"
		if said, err := f.world.Host(target).Command(ctx, "sh", "-c", forget).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		if err := f.world.Host(target).KillLibvirtd(ctx, false); err != nil {
			t.Fatal(err)
		}
	}
	return f.ended(t, ctx, said)
}

// testStart disturbs a start. The guest may have to be started once more, but never beside itself.
func (f *fixture) testStart(t *testing.T, ctx context.Context, broken fault, moment time.Duration) {
	before := f.remember(t, ctx)
	t.Log(f.ended(t, ctx, f.operate(ctx, "node2", "-d", mover.Name())))
	f.waitForState(t, ctx, "node2", mover, "disabled")
	if where := f.hosts(t, ctx, mover.Guest.Name); len(where) != 0 {
		t.Fatalf("%s is disabled and still on %v", mover.Name(), where)
	}
	node := "node1" // where another guest runs
	if broken.name == killClusterd.name {
		node = "node3" // its daemon was killed less often before, and so is trusted sooner
	}
	f.awaitCalm(t, ctx, node)
	said := f.operate(ctx, "node2", "-e", mover.Name(), "-n", node)
	f.waitForState(t, ctx, "node2", mover, "starting")
	f.after(t, ctx, moment)
	if err := broken.do(ctx, f, node); err != nil {
		t.Fatal(err)
	}
	t.Log(f.endedWithHelp(t, ctx, said, node, still))
	f.settle(t, ctx)
	f.checkUnharmed(t, ctx, before, still.Guest.Name, still2.Guest.Name)
}

// awaitCalm waits until a node's daemon, which was killed again and again, has stayed up long
// enough to be given work.
func (f *fixture) awaitCalm(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	var status api.Status
	if err := poll(ctx, func() bool {
		var err error
		status, err = f.StatusOf(ctx, "node2")
		return err == nil && !slices.ContainsFunc(status.Notes, func(n cluster.Note) bool { return n.Subject == node })
	}); err != nil {
		t.Fatalf("%s is given no work: %+v", node, status.Notes)
	}
}

// after waits for the moment of the fault. It is no wait for something to become true: any
// moment has to be good.
func (f *fixture) after(t *testing.T, ctx context.Context, moment time.Duration) {
	t.Helper()
	select {
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	case <-time.After(moment):
	}
}

// ended waits for the end of an operation.
func (f *fixture) ended(t *testing.T, ctx context.Context, said <-chan string) string {
	t.Helper()
	select {
	case text := <-said:
		return text
	case <-ctx.Done():
	case <-time.After(90 * time.Second):
	}
	t.Fatalf("clusvcadm does not end: %s", stage.Describe(f.Status(ctx)))
	return ""
}
