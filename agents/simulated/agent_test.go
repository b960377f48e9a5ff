package simulated

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

const definition = "<domain/>"

func web() resources.Spec {
	sum := sha256.Sum256([]byte(definition))
	return resources.Spec{Name: "vm:web", UUID: "aaaa", Definition: hex.EncodeToString(sum[:])}
}

func node(t *testing.T, dir, name string) *Agent {
	t.Helper()
	a, err := New(Options{Dir: dir, Node: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func start(t *testing.T, a *Agent) {
	t.Helper()
	if result := a.Start(context.Background(), agents.Act{Spec: web(), Definition: definition}); !result.OK {
		t.Fatalf("start: %+v", result)
	}
}

func TestAMigrationKeepsTheGuestAndItsTicks(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		one, two := node(t, dir, "node1"), node(t, dir, "node2")
		start(t, one)
		time.Sleep(time.Second)
		before, instance, err := one.Ticks("aaaa")
		if err != nil {
			t.Fatal(err)
		}
		var told int
		result := one.Migrate(context.Background(),
			agents.Act{Spec: web(), Target: "node2", Progress: func(agents.Progress) { told++ }})
		if !result.OK || told < 3 || result.Total < 600*time.Millisecond {
			t.Fatalf("migrate (progress told %d times): %+v", told, result)
		}
		after, same, err := two.Ticks("aaaa")
		if err != nil || same != instance || after < before {
			t.Fatalf("%d ticks of %s became %d of %s: %v", before, instance, after, same, err)
		}
		if err := CheckSingle(dir); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAMigrationOutlivesItsDaemon(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		one, two := node(t, dir, "node1"), node(t, dir, "node2")
		start(t, one)
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		left := one.Migrate(ctx, agents.Act{Spec: web(), Target: "node2"})
		if left.OK || left.Source != agents.Running || left.Target != agents.Incoming {
			t.Fatalf("in the middle: %+v", left)
		}
		time.Sleep(time.Second)
		if seen := two.Look(context.Background(), web()); seen.Condition != agents.Paused {
			t.Fatalf("arrived with nobody to resume it: %+v", seen)
		}
		next := node(t, dir, "node1")
		if result := next.Migrate(context.Background(), agents.Act{Spec: web(), Target: "node2"}); !result.OK {
			t.Fatalf("asked again: %+v", result)
		}
	})
}

func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		one, two := node(t, dir, "node1"), node(t, dir, "node2")
		start(t, one)
		boot, err := one.BootID()
		if err != nil {
			t.Fatal(err)
		}
		if err := PowerCut(dir, "node1"); err != nil {
			t.Fatal(err)
		}
		if on, err := Powered(dir, "node1"); on || err != nil {
			t.Fatalf("powered %t: %v", on, err)
		}
		if _, err := one.Inventory(context.Background()); !errors.Is(err, ErrPoweredOff) {
			t.Fatalf("a node without power answered: %v", err)
		}
		if seen := one.Look(context.Background(), web()); seen.Condition != agents.Unknown {
			t.Fatalf("a node without power said %+v", seen)
		}
		start(t, two)
		if err := PowerOn(dir, "node1"); err != nil {
			t.Fatal(err)
		}
		if next, err := one.BootID(); err != nil || next == boot {
			t.Fatalf("boot id %s after %s: %v", next, boot, err)
		}
		if err := CheckSingle(dir); err != nil {
			t.Fatal(err)
		}
		start(t, one) // Nothing stops a hypervisor from doing this; the record shows it.
		if err := CheckSingle(dir); err == nil {
			t.Fatal("the same VM on two nodes was not noticed")
		}
	})
}

func TestStopAndChanges(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		one := node(t, dir, "node1")
		refusal := errors.New("gone")
		result := one.Start(context.Background(),
			agents.Act{Spec: web(), Definition: definition, StillWanted: func() error { return refusal }})
		if result.OK || result.Source != agents.Absent {
			t.Fatalf("an unwanted start: %+v", result)
		}
		if result := one.Start(context.Background(), agents.Act{Spec: web(), Definition: "other"}); result.OK {
			t.Fatalf("another definition was started: %+v", result)
		}
		start(t, one)
		time.Sleep(time.Second) // A slow start of the stop, so that the running guest is seen.
		if result := one.Stop(context.Background(), agents.Act{Spec: web()}); !result.OK {
			t.Fatalf("stop: %+v", result)
		}
		time.Sleep(time.Second)
		var told []agents.Condition
		for len(one.Changes()) > 0 {
			told = append(told, (<-one.Changes()).Condition)
		}
		want := []agents.Condition{agents.Running, agents.ShuttingDown, agents.Absent}
		if len(told) < 3 || !slices.Equal(told[len(told)-3:], want) {
			t.Fatalf("told: %v", told)
		}
	})
}
