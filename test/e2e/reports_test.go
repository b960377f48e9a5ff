package e2e

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// report is one kind of trouble that users of such systems reported: a node, a guest or a disk
// looks well and is not.
type report struct {
	name string
	// retell makes the trouble, holds what must hold, and leaves the cluster at rest.
	retell func(f *fixture, t *testing.T, ctx context.Context)
	// parts is how many steps it is made of, each with a deadline of its own; 0 is one.
	parts int
}

// limit is how long it may take in all.
func (r report) limit() time.Duration { return time.Duration(max(r.parts, 1)) * storyLimit }

// reports are retold one after the other on one cluster, because that is what a cluster's life is.
var reports = []report{
	{"a voter without its log", (*fixture).retellLostLog, 0},
	{"a voter with an older folder", (*fixture).retellOlderFolder, 0},
	{"a board typed twice", (*fixture).retellTwinBoards, 0},
	{"two machines of one UUID", (*fixture).retellTwinMachines, 0},
	{"two boards of one UUID at the proof", (*fixture).retellMiswired, 0},
	{"a snapshot nobody merged", (*fixture).retellOverlay, 0},
	{"a snapshot on a host that is lost", (*fixture).retellOverlayOnALostHost, 0},
	{"a disk attached by hand", (*fixture).retellAttachedDisk, 0},
	{"a hung guest process", (*fixture).retellHungGuest, 0},
	{"a move that is regretted", (*fixture).retellRegrettedMove, 0},
	{"a hung hypervisor", (*fixture).retellHungHypervisor, 0},
	{"a start that was never sent", (*fixture).retellUnsentStart, 0},
	{"a daemon stopped on purpose", (*fixture).retellPlannedStop, 0},
	{"online and deaf", (*fixture).retellDeaf, 3},
	{"deaf for long", (*fixture).retellDeafForLong, 0},
	{"a daemon that ends again and again", (*fixture).retellRestartLoop, 0},
	{"such a daemon beside a VM", (*fixture).retellRestartLoopBesideAVM, 0},
	{"a data folder that cannot be written", (*fixture).retellVolume, 4},
	{"state beside the disks", (*fixture).retellState, 0},
	{"state of a VM that was imported", (*fixture).retellImportedState, 0},
	{"on one host only", (*fixture).retellOnOneHost, 0},
	{"an address that comes late", (*fixture).retellLateAddress, 0},
	{"addresses that change", (*fixture).retellAddresses, 5},
}

// TestReports retells reports on real daemons, libvirt and disks; the block server is the witness.
func TestReports(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 38*time.Minute)
	defer cancel()
	f := newFixture(t, ctx, "rep")
	for _, r := range reports {
		if !f.step(t, ctx, r.name, r.limit(), func(t *testing.T, ctx context.Context) { r.retell(f, t, ctx) }) {
			t.FailNow()
		}
	}
}

// do runs a command inside a node that has to succeed, and returns what it said.
func (f *fixture) do(t *testing.T, ctx context.Context, node string, argv ...string) string {
	t.Helper()
	if argv[0] == "virsh" { // a libvirtd that hangs would keep it
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Minute)
		defer cancel()
	}
	result, err := stage.Run(ctx, f.world, node, argv...)
	if err != nil || !result.OK() {
		t.Fatalf("%s on %s: exit code %d, %v: %s", strings.Join(argv, " "), node, result.Code, err, result.Output)
	}
	return result.Output
}

// refused runs a command that has to be refused with all of the words.
func (f *fixture) refused(t *testing.T, ctx context.Context, node string, words []string, argv ...string) {
	t.Helper()
	result, err := stage.Run(ctx, f.world, node, argv...)
	if err != nil || result.OK() {
		t.Fatalf("%s on %s is to be refused: exit code %d, %v: %s", strings.Join(argv, " "), node, result.Code, err,
			result.Output)
	}
	for _, word := range words {
		if !strings.Contains(result.Output, word) {
			t.Errorf("%s on %s does not say %q: %s", strings.Join(argv, " "), node, word, result.Output)
		}
	}
}

// shell runs a line of shell as root of a node.
func (f *fixture) shell(t *testing.T, ctx context.Context, node, line string) string {
	t.Helper()
	return f.do(t, ctx, node, "sh", "-c", line)
}

// noted waits until a note on a subject has the words.
func (f *fixture) noted(t *testing.T, ctx context.Context, subject, words string) {
	t.Helper()
	if _, err := f.Wait(ctx, "a note on "+subject+" says "+words, func(s api.Status) bool {
		return slices.ContainsFunc(s.Notes, func(n cluster.Note) bool {
			return n.Subject == subject && strings.Contains(n.Why.String()+" "+n.Next.String(), words)
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// runsOn waits until a service is started on a node.
func (f *fixture) runsOn(t *testing.T, ctx context.Context, service stage.Service, node string) {
	t.Helper()
	if _, err := f.Wait(ctx, service.Name()+" runs on "+node, func(s api.Status) bool {
		return stage.Owner(s, service.Name()) == node
	}); err != nil {
		t.Fatal(err)
	}
}

// runsElsewhere waits until a service is started on another node than the one it was on.
func (f *fixture) runsElsewhere(t *testing.T, ctx context.Context, service stage.Service, node string) {
	t.Helper()
	if _, err := f.Wait(ctx, service.Name()+" runs elsewhere", func(s api.Status) bool {
		owner := stage.Owner(s, service.Name())
		return owner != "" && owner != node
	}); err != nil {
		t.Fatal(err)
	}
}

// checkWitness asks the block server whether two hosts ever wrote to one disk at a time.
func (f *fixture) checkWitness(t *testing.T) {
	t.Helper()
	for _, service := range f.Plan.Services {
		if err := f.world.CheckSingleWriter(service.Guest); err != nil {
			t.Error(err)
		}
	}
}

// isDown waits until the cluster knows of a service that it runs nowhere, and that no start
// of it is under way.
func (f *fixture) isDown(t *testing.T, ctx context.Context, service stage.Service) {
	t.Helper()
	if _, err := f.Wait(ctx, service.Name()+" is down", func(s api.Status) bool {
		return slices.ContainsFunc(s.Services, func(it api.Service) bool {
			return it.Name == service.Name() && it.StateText != "started" && len(it.Holders) == 0
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// logSays waits until the log of a node's daemon has the words after an offset.
func (f *fixture) logSays(t *testing.T, ctx context.Context, node, words string) {
	t.Helper()
	if err := poll(ctx, func() bool { return strings.Contains(f.LogTail(node, 200), words) }); err != nil {
		t.Fatalf("the log of %s does not say %q:\n%s", node, words, f.LogTail(node, 20))
	}
}

// down stops a node's daemon until up; its libvirt and its guests go on.
func (f *fixture) down(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	if err := f.world.Host(node).StopService(ctx, "clusterd"); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) up(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	if err := f.world.Host(node).ReleaseService(ctx, "clusterd"); err != nil {
		t.Fatal(err)
	}
}

// settleOn moves each guest to a node and waits for rest. A rule may bring one home meanwhile,
// after the report before: a move that it began is not interrupted.
func (f *fixture) settleOn(t *testing.T, ctx context.Context, places map[string]string) {
	t.Helper()
	status := f.waitAtRest(t, ctx)
	for _, guest := range guests {
		if node := places[guest.Guest.Name]; node != "" && stage.Owner(status, guest.Name()) != node {
			if err := poll(ctx, func() bool {
				moved, err := stage.Run(ctx, f.world, node, "clusvcadm", "-M", guest.Name(), "-m", node)
				now, unknown := f.Status(ctx)
				return err == nil && moved.OK() || unknown == nil && stage.Owner(now, guest.Name()) == node
			}); err != nil {
				t.Fatalf("%s does not come to %s: %v", guest.Name(), node, err)
			}
		}
	}
	f.waitAtRest(t, ctx)
}

// homeAgain boots a node that was fenced, and waits for rest.
func (f *fixture) homeAgain(t *testing.T, ctx context.Context, node string) {
	t.Helper()
	if !f.world.Powered(node) {
		if err := f.world.Boot(ctx, node); err != nil && !f.world.Powered(node) {
			t.Fatal(err)
		}
	}
	f.waitAtRest(t, ctx)
}

// retellHungHypervisor: libvirtd of the node that would be next hangs when a host dies. The node
// after it takes over.
func (f *fixture) retellHungHypervisor(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: "node2"})
	libvirtd := func(signal syscall.Signal) error { return f.world.Host("node3").KillService(ctx, "libvirtd", signal) }
	if err := libvirtd(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	hung := true
	defer func() {
		if hung {
			if err := libvirtd(syscall.SIGCONT); err != nil {
				t.Error(err)
			}
		}
	}()
	f.noted(t, ctx, "node3", "libvirt")
	f.refused(t, ctx, "node1", []string{"node3"}, "clusvcadm", "-M", mover.Name(), "-m", "node3")
	if err := f.world.CutPower("node2"); err != nil {
		t.Fatal(err)
	}
	f.runsOn(t, ctx, still2, "node1")
	f.waitForAnswer(t, ctx, still2.Guest.Name)
	if err := errors.Join(libvirtd(syscall.SIGCONT), f.world.CheckSingleWriter(still2.Guest)); err != nil {
		t.Fatal(err)
	}
	hung = false
	f.homeAgain(t, ctx, "node2")
}

// retellHungGuest: the QEMU process hangs when it is to be moved. A request to disable ends it
// at both ends.
func (f *fixture) retellHungGuest(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1"})
	before := f.waitAtRest(t, ctx)
	f.shell(t, ctx, "node1", "kill -STOP $(cat /run/libvirt/qemu/mover.pid)")
	said := f.operate(ctx, "node3", "-M", mover.Name(), "-m", "node2")
	f.waitForState(t, ctx, "node3", mover, "migrating")
	began := time.Now()
	t.Log(f.ended(t, ctx, f.operate(ctx, "node3", "-d", mover.Name())))
	f.waitForState(t, ctx, "node3", mover, "disabled")
	t.Logf("disabled %s after it was asked for; the move: %s", time.Since(began).Round(time.Second), f.ended(t, ctx, said))
	if where := f.hosts(t, ctx, mover.Guest.Name); len(where) != 0 {
		t.Errorf("%s is disabled and still on %v", mover.Name(), where)
	}
	f.do(t, ctx, "node3", "clusvcadm", "-e", mover.Name(), "-n", "node1")
	f.waitAtRest(t, ctx)
	if err := f.world.CheckSingleWriter(mover.Guest); err != nil {
		t.Error(err)
	}
	f.saidNothing(t, ctx, before.Index, message.HypervisorHung)
}

// retellRegrettedMove: a live move would take long, and is given up. The guest stays where
// it was, and has not stopped.
func (f *fixture) retellRegrettedMove(t *testing.T, ctx context.Context) {
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1"})
	before := f.remember(t, ctx)
	// The limit is the guest's and goes with it wherever it is; all that follows moves it.
	usual := strings.TrimSpace(f.do(t, ctx, "node1", "virsh", "migrate-getspeed", mover.Guest.Name))
	f.do(t, ctx, "node1", "virsh", "migrate-setspeed", mover.Guest.Name, "1")
	defer func() {
		f.do(t, ctx, "node1", "virsh", "migrate-setspeed", mover.Guest.Name, usual)
	}()
	said := f.operate(ctx, "node3", "-M", mover.Name(), "-m", "node2")
	f.waitForState(t, ctx, "node3", mover, "migrating")
	t.Log(f.ended(t, ctx, f.operate(ctx, "node3", "--cancel", mover.Name())))
	if answer := f.ended(t, ctx, said); !strings.Contains(answer, "running on original owner") {
		t.Errorf("the move that was given up ended with: %s", answer)
	}
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
	if status := f.waitAtRest(t, ctx); stage.Owner(status, mover.Name()) != "node1" {
		t.Errorf("%s is on %s", mover.Name(), stage.Owner(status, mover.Name()))
	}
}

// saidNothing holds that no event after an index has the code.
func (f *fixture) saidNothing(t *testing.T, ctx context.Context, after uint64, code *message.Code) {
	t.Helper()
	events, err := f.Events(ctx, f.Nodes()[0], after)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.Why.Is(code) {
			t.Errorf("event %d of %s: %s", e.Index, e.Subject, e.Why)
		}
	}
}

// retellLateAddress: the daemon waits for its address instead of ending, again and again.
func (f *fixture) retellLateAddress(t *testing.T, ctx context.Context) {
	const node = "node3"
	address := f.world.Host(node).Address(lab.Management)
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: node})
	before := f.remember(t, ctx)
	// A host without its address is silent to everybody, so it is under maintenance meanwhile, as one
	// that is booted is.
	f.do(t, ctx, "node1", "clusterd", "node", "maintenance", node)
	f.down(t, ctx, node)
	device := strings.TrimSpace(f.shell(t, ctx, node, "ip -o addr show to "+address+" | awk '{print $2}'"))
	network := strings.TrimSpace(f.shell(t, ctx, node, "ip -o addr show to "+address+" | awk '{print $4}'"))
	f.shell(t, ctx, node, "ip addr del "+network+" dev "+device)
	f.up(t, ctx, node)
	f.logSays(t, ctx, node, "waits for")
	pid := f.pidOf(t, ctx, node)
	f.shell(t, ctx, node, "ip addr add "+network+" dev "+device)
	f.waitAtRest(t, ctx)
	if now := f.pidOf(t, ctx, node); now != pid {
		t.Errorf("the daemon that waited was process %d, and now it is %d", pid, now)
	}
	f.do(t, ctx, "node1", "clusterd", "node", "return", node)
	f.checkGuests(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
	f.checkNever(t, ctx, before.index, "fencing", "fenced")
	f.checkWitness(t)
}

func (f *fixture) pidOf(t *testing.T, ctx context.Context, node string) int {
	t.Helper()
	services, err := f.world.Host(node).Services(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range services {
		if s.Name == "clusterd" {
			return s.Pid
		}
	}
	t.Fatalf("%s has no daemon", node)
	return 0
}
