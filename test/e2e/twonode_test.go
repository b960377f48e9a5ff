package e2e

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// The guests of two nodes: one prefers each.
var (
	left       = stage.Service{Guest: lab.Guest{Name: "left", Number: 71}, Domain: "first"}
	right      = stage.Service{Guest: lab.Guest{Name: "right", Number: 72}, Domain: "second"}
	pairGuests = []stage.Service{left, right}
	pairPlan   = stage.Plan{Cluster: "pair", Services: pairGuests,
		Top: []string{"two_node: {favour: node1, delay: 10s}"}, Domains: []string{
			"first: {ordered: true, nofailback: true, members: {node1: 1, node2: 2}}",
			"second: {ordered: true, nofailback: true, members: {node2: 1, node1: 2}}",
		}}
)

// pairOnStage is a cluster of two nodes with the two-node rule, at rest.
type pairOnStage struct {
	*stage.Cluster
	world   folders
	watches map[string]stage.Watch
}

// folders is a world whose nodes' data can be looked at.
type folders interface {
	stage.World
	DataFolder(node string) string
}

// buildTools is the folder of a build: a new one, or the one that CLUSTERD_TOOLS names.
func buildTools(t *testing.T, ctx context.Context) string {
	t.Helper()
	root := filepath.Join("..", "..")
	if built := os.Getenv("CLUSTERD_TOOLS"); built != "" {
		if err := stage.CheckTools(ctx, root, built); err != nil {
			t.Fatalf("CLUSTERD_TOOLS names another build than that of this tree: %v", err)
		}
		t.Logf("the tools are those of %s", built)
		return built
	}
	tools := t.TempDir()
	if err := stage.BuildTools(ctx, root, tools); err != nil {
		t.Fatal(err)
	}
	return tools
}

func newPair(t *testing.T, ctx context.Context, world folders) *pairOnStage {
	t.Helper()
	f := &pairOnStage{world: world, watches: map[string]stage.Watch{},
		Cluster: &stage.Cluster{World: world, Plan: pairPlan}}
	t.Cleanup(func() {
		if t.Failed() {
			for _, node := range f.Nodes() {
				t.Logf("--- the end of the log of %s\n%s", node, f.LogTail(node, 40))
			}
		}
	})
	if err := errors.Join(f.Found(ctx), f.Apply(ctx)); err != nil {
		t.Fatal(err)
	}
	for _, guest := range pairGuests {
		watch, err := world.Watch(guest.Guest)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(watch.Stop)
		f.watches[guest.Guest.Name] = watch
	}
	f.bothIn(t, ctx, 1)
	return f
}

// bothIn waits until both nodes are online voters of a generation, may go on without
// each other, and both guests run and answer.
func (f *pairOnStage) bothIn(t *testing.T, ctx context.Context, generation uint64) {
	t.Helper()
	_, err := f.Wait(ctx, "both nodes vote and all runs", func(s api.Status) bool {
		voters := 0
		for _, n := range s.Nodes {
			if n.Voter && n.State == "online" {
				voters++
			}
		}
		return voters == 2 && len(s.Services) == 2 && stage.AllStarted(s) && s.Generation == generation
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := poll(ctx, func() bool { return f.hasWarrant("node1") && f.hasWarrant("node2") }); err != nil {
		t.Fatalf("not both nodes may go on alone: %v", err)
	}
	f.answer(t, ctx)
}

func (f *pairOnStage) hasWarrant(node string) bool {
	_, err := os.Stat(filepath.Join(f.world.DataFolder(node), "warrant.json"))
	return err == nil
}

func (f *pairOnStage) answer(t *testing.T, ctx context.Context) {
	t.Helper()
	for name, watch := range f.watches {
		if err := poll(ctx, func() bool {
			seen := watch.Seen()
			return seen.Answers &&
				seen.SilentFor < 200*time.Millisecond
		}); err != nil {
			t.Fatalf("guest %s does not answer: %+v", name, watch.Seen())
		}
	}
}

// goesOn waits until a node has gone on alone and runs both guests, and tells how
// long the guest of the other one was away.
func (f *pairOnStage) goesOn(t *testing.T, ctx context.Context, node string, generation uint64, began time.Time) {
	t.Helper()
	_, err := f.Wait(ctx, node+" runs both", func(s api.Status) bool {
		return s.Generation == generation && len(s.Services) == 2 && stage.AllStarted(s) &&
			!slices.ContainsFunc(s.Services, func(v api.Service) bool { return v.Owner != node })
	})
	if err != nil {
		t.Fatal(err)
	}
	f.answer(t, ctx)
	t.Logf("after %s all answers on %s", time.Since(began).Round(10*time.Millisecond), node)
	for _, guest := range pairGuests {
		if err := f.world.CheckSingleWriter(guest.Guest); err != nil {
			t.Error(err)
		}
	}
}

// eachDies pulls the power of one host after the other, and boots it again.
func (f *pairOnStage) eachDies(t *testing.T, ctx context.Context) (generation uint64) {
	t.Helper()
	generation = 1
	for _, dead := range []string{"node2", "node1"} {
		generation++
		if !timed(t, ctx, dead+" loses its power", stepLimit, f.tellFailure, f.world.Close,
			func(t *testing.T, ctx context.Context) { f.dies(t, ctx, dead, generation) }) {
			t.FailNow()
		}
	}
	return generation
}

func (f *pairOnStage) dies(t *testing.T, ctx context.Context, dead string, generation uint64) {
	began := time.Now()
	if err := f.world.CutPower(dead); err != nil {
		t.Fatal(err)
	}
	f.goesOn(t, ctx, f.otherThan(dead), generation, began)
	if err := f.world.Boot(ctx, dead); err != nil {
		t.Fatal(err)
	}
	f.bothIn(t, ctx, generation)
	if _, err := os.Stat(filepath.Join(f.world.DataFolder(dead), "raft-set-aside")); err != nil {
		t.Errorf("%s did not set its log aside: %v", dead, err)
	}
}

// tellFailure prints what the cluster is, and the ends of the logs.
func (f *pairOnStage) tellFailure(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	t.Log(stage.Describe(f.Status(ctx)))
	f.tellAll(t, ctx)
	for _, node := range f.Nodes() {
		t.Logf("--- the end of the log of %s\n%s", node, f.LogTail(node, 40))
	}
}

// tellAll prints the cluster's own account.
func (f *pairOnStage) tellAll(t *testing.T, ctx context.Context) {
	if result, err := stage.Run(ctx, f.world, "node1", "clustat", "--events", "--limit", "60"); err == nil {
		t.Log("\n" + strings.TrimRight(result.Output, "\n"))
	}
}

// TestTwoNodesAsProcesses: real daemons with real Raft, TLS and IPMI on the loopback
// interface; the hypervisor and the power are pretended. A daemon that takes its log
// over, or sets it aside, starts again in its own place.
func TestTwoNodesAsProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("two real daemons take ten seconds and a build; they were left out because of -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	world, err := stage.NewSimulatedOf(buildTools(t, ctx), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Error(err)
		}
	})
	f := newPair(t, ctx, world)
	pid := world.Pid("node1")
	f.eachDies(t, ctx)
	f.tellAll(t, ctx)
	if pid == world.Pid("node1") {
		t.Error("node1 lost its power and has the process that it had")
	}
}

// TestTwoNodesOnHosts is part of make test-all; TestTwoNodesAsProcesses is what each run of the
// tests has. The power of one of two hosts is pulled, and it comes back; then
// they lose each other, and the favoured one is left.
func TestTwoNodesOnHosts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	world, err := stage.FromLab(lab.ForTest(t, ctx, lab.Options{Prefix: "pair", Hosts: 2}), buildTools(t, ctx))
	if err != nil {
		t.Fatal(err)
	}
	f := newPair(t, ctx, world)
	generation := f.eachDies(t, ctx) + 1
	timed(t, ctx, "they lose each other", stepLimit, f.tellFailure, world.Close,
		func(t *testing.T, ctx context.Context) { f.loseEachOther(t, ctx, world, generation) })
	f.tellAll(t, ctx)
}

func (f *pairOnStage) loseEachOther(t *testing.T, ctx context.Context, world *stage.Lab, generation uint64) {
	began := time.Now()
	if err := world.Host("node2").Cut(lab.Management); err != nil {
		t.Fatal(err)
	}
	f.goesOn(t, ctx, "node1", generation, began)
	if world.Powered("node2") || !world.Powered("node1") {
		t.Errorf("node1 has power: %v, node2: %v", world.Powered("node1"), world.Powered("node2"))
	}
	if err := world.Host("node2").Heal(lab.Management); err != nil {
		t.Fatal(err)
	}
	if err := world.Boot(ctx, "node2"); err != nil {
		t.Fatal(err)
	}
	f.bothIn(t, ctx, generation)
}

func (f *pairOnStage) otherThan(node string) string {
	return f.Nodes()[1-slices.Index(f.Nodes(), node)]
}
