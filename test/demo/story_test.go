package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

func TestMain(m *testing.M) {
	lab.Reexec()
	os.Exit(m.Run())
}

// TestSimulatedStory runs the whole demonstration with the real daemons on the loopback interface.
func TestSimulatedStory(t *testing.T) {
	if testing.Short() {
		t.Skip("the simulated demonstration takes ten seconds; it was left out because of -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	tools := t.TempDir()
	if err := stage.BuildTools(ctx, filepath.Join("..", ".."), tools); err != nil {
		t.Fatal(err)
	}
	world, err := stage.NewSimulated(tools)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	var out bytes.Buffer
	told := newTeller(&out)
	told.label = world.Label()
	if err := tell(ctx, told, world); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if strings.HasPrefix(line, "=== ") && !strings.Contains(line, "[SIMULATED]") {
			t.Errorf("a headline of the simulated story does not say so: %s", line)
		}
	}
	if told.passed < 40 {
		t.Errorf("only %d checks were made", told.passed)
	}
}

func TestAFailedCheckIsRememberedAndEndsBadly(t *testing.T) {
	var out bytes.Buffer
	told := newTeller(&out)
	told.headline("something happens")
	told.check(true, "this holds")
	told.checkNone(errors.New("because of that"), "this does not")
	if told.passed != 1 || len(told.failed) != 1 {
		t.Fatalf("%d passed, failed %q", told.passed, told.failed)
	}
	for _, want := range []string{"[ok]     this holds", "[FAILED] this does not: because of that"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
	if want := "step 1: this does not: because of that"; told.failed[0] != want {
		t.Errorf("remembered %q, want %q", told.failed[0], want)
	}
}
