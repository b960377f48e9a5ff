//go:build cgo

package vm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
	"github.com/clusterd/clusterd/resources"
)

// slowly makes the guest's next migration take as long as the test needs: the
// guest (CLUSTERD_TEST_DEFINITION) must dirty its memory faster than 2 MiB/s.
func slowly(t *testing.T, a *Agent, spec resources.Spec) {
	t.Helper()
	speed(t, a, spec, 2)
}

func speed(t *testing.T, a *Agent, spec resources.Spec, megabytesPerSecond uint64) {
	t.Helper()
	s, err := a.current()
	if err != nil {
		t.Fatal(err)
	}
	_, err = onDomain(context.Background(), s, spec.UUID, func(domain *libvirt.Domain) (struct{}, error) {
		return struct{}{}, domain.MigrateSetMaxSpeed(megabytesPerSecond, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func underWay(t *testing.T, a *Agent, spec resources.Spec) {
	t.Helper()
	until(t, "the migration is under way",
		func() bool { return a.Look(context.Background(), spec).Reason == reasonMigratingOut })
	pause(context.Background(), time.Second) // Let memory flow, so that the middle is hit and not the beginning.
}

func inBackground(a *Agent, migrate agents.Act) (<-chan agents.Result, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	results := make(chan agents.Result, 1)
	go func() { results <- a.Migrate(ctx, migrate) }()
	return results, cancel
}

func TestRealMigrationIsAbortedAtItsDeadline(t *testing.T) {
	a, spec, definition, way := migrating(t)
	started(t, a, spec, definition, way)
	slowly(t, a, spec)
	spec.MigrateTimeout = 2 * time.Second
	result := a.Migrate(context.Background(), agents.Act{ID: "2.1.0", Spec: spec, Target: "there"})
	t.Logf("%+v", result)
	if result.OK || result.Source != agents.Running || result.Target != agents.Absent {
		t.Fatalf("after the abort: %+v", result)
	}
}

// TestRealMigrationInItsOwnProcess is the daemon that is killed below.
func TestRealMigrationInItsOwnProcess(t *testing.T) {
	state := os.Getenv("CLUSTERD_TEST_STATE")
	if state == "" {
		t.Skip("this is the helper process of TestRealMigrationSurvivesItsDaemon")
	}
	a, spec, _, _ := migratingIn(t, state)
	result := a.Migrate(context.Background(), agents.Act{ID: "3.1.0", Spec: spec, Target: "there"})
	t.Fatalf("the migration was to be interrupted: %+v", result)
}

func TestRealMigrationSurvivesItsDaemon(t *testing.T) {
	a, spec, definition, way := migrating(t)
	started(t, a, spec, definition, way)
	slowly(t, a, spec)
	state := t.TempDir()
	daemon := exec.Command(os.Args[0], "-test.run", "^TestRealMigrationInItsOwnProcess$")
	daemon.Env = append(os.Environ(), "CLUSTERD_TEST_STATE="+state, "CLUSTERD_TEST_FORWARD=")
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	underWay(t, a, spec)
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait()

	next, _, _, _ := migratingIn(t, state)
	if open := next.journal.Open(spec.UUID); len(open) != 1 || !open[0].Orphan || open[0].Kind != proof.Migrate {
		t.Fatalf("the journal of the killed daemon: %+v", open)
	}
	if seen := next.Look(context.Background(), spec); seen.Reason != reasonMigratingOut {
		t.Fatalf("the next daemon sees %+v", seen)
	}
	speed(t, next, spec, 1000)
	result := next.Migrate(context.Background(), agents.Act{ID: "3.1.0", Spec: spec, Target: "there"})
	t.Logf("%+v", result)
	if !result.OK {
		t.Fatalf("the next daemon did not bring the migration to its end: %+v", result)
	}
}

func TestRealMigrationLosesItsForwarder(t *testing.T) {
	a, spec, definition, way := migrating(t)
	started(t, a, spec, definition, way)
	slowly(t, a, spec)
	results, stop := inBackground(a, agents.Act{ID: "4.1.0", Spec: spec, Target: "there"})
	defer stop()
	underWay(t, a, spec)
	status, err := way.client.Status(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(status.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	result := <-results
	t.Logf("%+v", result)
	if result.OK || result.Source != agents.Running || result.Target != agents.Absent {
		t.Fatalf("after the forwarder died: %+v", result)
	}
}

// The worst moment: the source's guest stands still, the target's is whole,
// and the reply that says so is lost.
func TestRealForwarderDiesAtTheSwitch(t *testing.T) {
	a, spec, definition, way := migrating(t)
	for round := range 4 {
		if result := a.Start(context.Background(),
			agents.Act{ID: "8.0.0", Spec: spec, Definition: definition}); !result.OK {
			t.Fatalf("start: %+v", result)
		}
		events, forget := a.watch(spec.UUID)
		results, stop := inBackground(a, agents.Act{ID: fmt.Sprintf("8.%d.0", round), Spec: spec, Target: "there"})
		status, err := way.client.Status(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for heard := range events {
			if heard.event == libvirt.DOMAIN_EVENT_SUSPENDED {
				break
			}
		}
		pause(context.Background(), time.Duration(round)*8*time.Millisecond)
		if err := syscall.Kill(status.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		result := <-results
		stop()
		forget()
		t.Logf("killed %d ms after the guest stood still: %+v", round*8, result)
		here, there := result.Source == agents.Running, result.Target == agents.Running
		if here == there || result.OK != there || (here && result.Target != agents.Absent) ||
			(there && result.Source != agents.Absent) {
			t.Fatalf("not exactly one is left: %+v", result)
		}
		destroyBoth(t, a, spec, way)
	}
}

func TestRealMigrationLosesLibvirtd(t *testing.T) {
	a, spec, definition, way := migrating(t)
	started(t, a, spec, definition, way)
	slowly(t, a, spec)
	results, stop := inBackground(a, agents.Act{ID: "6.1.0", Spec: spec, Target: "there"})
	defer stop()
	underWay(t, a, spec)
	if err := syscall.Kill(libvirtdPID(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	result := <-results
	t.Logf("%+v", result)
	if result.OK || result.Source != agents.Running || result.Target != agents.Absent {
		t.Fatalf("after libvirtd died: %+v", result)
	}
}

// TestRealRunningTwice needs a guest whose disk has no image lock, or no disk, and a copy of it
// that somebody has started on the target: nobody can by the way that migrations take.
func TestRealRunningTwice(t *testing.T) {
	a, spec, definition, way := migrating(t)
	if len(spec.Disks) > len(ImageLocks(spec.Disks)) {
		t.Skip("the guest's disk has an image lock, so it cannot be made to run twice")
	}
	started(t, a, spec, definition, way)
	there := onTarget(t, a, way)
	defer there.close()
	if seen := a.lookOn(context.Background(), there, spec.UUID); seen.Condition != agents.Running {
		t.Fatalf("no copy runs on the target (%+v): start one there with virsh create", seen)
	}
	result := a.Migrate(context.Background(), agents.Act{ID: "7.1.0", Spec: spec, Target: "there"})
	t.Logf("%+v", result)
	if result.OK || result.Source != agents.Running || result.Target != agents.Paused ||
		!strings.Contains(result.Why, "TWICE") {
		t.Fatalf("%+v", result)
	}
	// The copy is paused now; the next migration takes it away and succeeds.
	result = a.Migrate(context.Background(), agents.Act{ID: "7.2.0", Spec: spec, Target: "there"})
	if !result.OK {
		t.Fatalf("%+v", result)
	}
}

// libvirtdPID finds the libvirtd of this host.
func libvirtdPID(t *testing.T) int {
	t.Helper()
	server := proof.Processes{Dir: "/proc"}.Server("")
	if server.PID == 0 {
		t.Fatal("libvirtd's process is not known")
	}
	return server.PID
}

func TestRealLibvirtdDies(t *testing.T) {
	options, spec, definition := realGuest(t)
	a := connected(t, options)
	ctx := context.Background()
	if result := a.Start(ctx, agents.Act{Spec: spec, Definition: definition}); !result.OK {
		t.Fatalf("start: %+v", result)
	}
	defer func() { a.Stop(ctx, agents.Act{Spec: spec, Kill: true}) }()
	waitFor := func(want agents.Condition) agents.Observation {
		t.Helper()
		for deadline := time.After(20 * time.Second); ; {
			select {
			case seen := <-a.Changes():
				t.Logf("%s %s %s", seen.UUID, seen.Condition, seen.Reason)
				if seen.UUID == spec.UUID && seen.Condition == want {
					return seen
				}
			case <-deadline:
				t.Fatalf("%s was not told", want)
			}
		}
	}
	waitFor(agents.Running)
	if err := syscall.Kill(libvirtdPID(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(agents.Unknown)
	if seen := a.Look(ctx, spec); seen.Condition != agents.Unknown && seen.Condition != agents.Running {
		t.Fatalf("without libvirtd a look answers %+v", seen)
	}
	waitFor(agents.Running)
	qemu, _, found, err := a.table.QEMU(spec.UUID)
	if err != nil || !found {
		t.Fatalf("the guest's QEMU process: %v", err)
	}
	if err := syscall.Kill(qemu.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if seen := waitFor(agents.Absent); !seen.Explained {
		t.Fatalf("an event told that QEMU ended, but: %+v", seen)
	}
}

// TestRealHungGuestIsEndedAndSaysNothingAboutLibvirtd: its QEMU is stopped, and the main
// connection is held up, as by a look at it.
func TestRealHungGuestIsEndedAndSaysNothingAboutLibvirtd(t *testing.T) {
	options, spec, definition := realGuest(t)
	a := connected(t, options)
	ctx := context.Background()
	if result := a.Start(ctx, agents.Act{Spec: spec, Definition: definition}); !result.OK {
		t.Fatalf("start: %+v", result)
	}
	qemu, _, found, err := a.table.QEMU(spec.UUID)
	if err != nil || !found {
		t.Fatalf("its process: %v %v", found, err)
	}
	s, err := a.current()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.take(ctx); err != nil {
		t.Fatal(err)
	}
	answering, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	err = a.Answers(answering)
	s.give()
	if err != nil {
		t.Errorf("libvirtd is said not to answer: %v", err)
	}
	if err := syscall.Kill(qemu.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if result := a.Stop(ctx, agents.Act{Spec: spec, Kill: true}); !result.OK {
		t.Fatalf("destroy a hung guest: %+v", result)
	}
	t.Logf("a hung guest is destroyed in %s", time.Since(begun))
}

func TestRealCallOutlivesItsCaller(t *testing.T) {
	options, spec, definition := realGuest(t)
	a := connected(t, options)
	ctx := context.Background()
	pid := libvirtdPID(t)
	// The create is sent to a libvirtd that is stopped in that very moment.
	s, err := a.session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thaw := exec.Command("sh", "-c", "sleep 8; kill -CONT "+strconv.Itoa(pid)) // Should the test die.
	if err := thaw.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = thaw.Wait() }()
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	err = a.create(short, s, spec.UUID, agents.Act{ID: "5.1.0", Spec: spec, Definition: definition})
	if err == nil {
		t.Fatal("a stopped libvirtd answered")
	}
	entries, err := os.ReadDir(options.StateDir + "/calls")
	if err != nil || len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), spec.UUID) {
		t.Fatalf("the open call is not on disk: %v %v", entries, err)
	}
	if seen := a.Look(ctx, spec); seen.Condition != agents.Unknown {
		t.Fatalf("while the call is open: %+v", seen)
	}
	_ = a.Close()
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	next := connected(t, options) // A daemon that knows the call from the file only.
	until(t, "the orphaned create has been seen to happen",
		func() bool { return next.Look(ctx, spec).Condition == agents.Paused })
	if left := next.journal.Open(spec.UUID); len(left) != 0 {
		t.Fatalf("still open: %+v", left)
	}
	if result := next.Stop(ctx, agents.Act{Spec: spec, Kill: true}); !result.OK {
		t.Fatalf("stop: %+v", result)
	}
}
