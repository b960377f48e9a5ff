//go:build cgo

package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// The TestReal tests need a real libvirtd and a guest that obeys the power
// button: CLUSTERD_TEST_DEFINITION names a file with its definition.
// TestInTheLab runs them inside a host of the lab.
func realGuest(t *testing.T) (Options, resources.Spec, string) {
	t.Helper()
	file := os.Getenv("CLUSTERD_TEST_DEFINITION")
	if file == "" {
		t.Skip("CLUSTERD_TEST_DEFINITION is not set: this test needs a real libvirtd and the definition of a " +
			"guest to start on it")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Node: "here", StateDir: t.TempDir(), Unsafe: os.Getenv("CLUSTERD_TEST_UNSAFE") != ""},
		specOf(t, string(text)), string(text)
}

func specOf(t *testing.T, definition string) resources.Spec {
	t.Helper()
	disks, uuid, name, err := DisksOf(definition)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(definition))
	return resources.Spec{
		Name: "vm:" + name, UUID: uuid, Definition: hex.EncodeToString(sum[:]), Disks: disks,
		StopTimeout: 10 * time.Second, DestroyTimeout: 10 * time.Second, StartTimeout: 20 * time.Second,
	}
}

func connected(t *testing.T, options Options) *Agent {
	t.Helper()
	a, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	until(t, "connected", func() bool {
		_, err := a.current()
		return err == nil
	})
	return a
}

func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !reached(); {
		if time.Now().After(deadline) {
			t.Fatalf("not reached: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestRealLifecycle(t *testing.T) {
	options, spec, definition := realGuest(t)
	a := connected(t, options)
	ctx := context.Background()

	other := spec
	other.Definition = "0000"
	if result := a.Start(ctx, agents.Act{Spec: other, Definition: definition}); result.OK ||
		result.Source != agents.Absent {
		t.Fatalf("a definition that was not committed was started: %+v", result)
	}
	refusal := errors.New("the intent is gone")
	result := a.Start(ctx, agents.Act{Spec: spec, Definition: definition, StillWanted: func() error { return refusal }})
	if result.OK || result.Source != agents.Absent {
		t.Fatalf("a start that was not wanted any more: %+v", result)
	}
	begun := time.Now()
	result = a.Start(ctx, agents.Act{Spec: spec, Definition: definition})
	if !result.OK || result.Source != agents.Running {
		t.Fatalf("start: %+v", result)
	}
	t.Logf("started in %s: %+v", time.Since(begun), result)
	if result = a.Start(ctx, agents.Act{Spec: spec, Definition: definition}); !result.OK {
		t.Fatalf("a running VM was not adopted: %+v", result)
	}
	if result = a.Pause(ctx, spec); !result.OK || a.Look(ctx, spec).Condition != agents.Paused {
		t.Fatalf("pause: %+v", result)
	}
	if result = a.Start(ctx, agents.Act{Spec: spec, Definition: definition}); !result.OK {
		t.Fatalf("a paused VM was not adopted: %+v", result)
	}
	all, err := a.Inventory(ctx)
	if err != nil || len(all) == 0 {
		t.Fatalf("inventory: %v %v", all, err)
	}
	t.Logf("inventory: %+v", all)
	pause(ctx, 500*time.Millisecond) // The guest needs some time to see its power button.
	begun = time.Now()
	if result = a.Stop(ctx, agents.Act{Spec: spec}); !result.OK || !a.Look(ctx, spec).Explained {
		t.Fatalf("stop: %+v, %+v", result, a.Look(ctx, spec))
	}
	t.Logf("stopped in %s: %+v", time.Since(begun), result)
	a.Start(ctx, agents.Act{Spec: spec, Definition: definition})
	begun = time.Now()
	if result = a.Stop(ctx, agents.Act{Spec: spec, Kill: true}); !result.OK {
		t.Fatalf("destroy: %+v", result)
	}
	t.Logf("destroyed in %s: %+v", time.Since(begun), result)
}
