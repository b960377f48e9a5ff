package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// restoreWorld is three real daemons of which one was backed up.
type restoreWorld struct {
	*stage.Cluster
	t     *testing.T
	world *stage.Simulated
	file  string
	// watches look at the guests from their first start on.
	watches map[string]stage.Watch
}

func newRestoreWorld(t *testing.T, ctx context.Context) *restoreWorld {
	t.Helper()
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
	r := &restoreWorld{t: t, world: world, file: filepath.Join(t.TempDir(), "alpha.json"),
		watches: map[string]stage.Watch{}}
	r.Cluster = &stage.Cluster{World: world, Plan: stage.Plan{Cluster: "alpha",
		Domains: []string{
			"one: {ordered: true, nofailback: true, members: {node1: 1, node2: 2, node3: 3}}",
			"two: {ordered: true, nofailback: true, members: {node2: 1, node1: 2, node3: 3}}"},
		Services: []stage.Service{{Guest: lab.Guest{Name: "web", Number: 81}, Domain: "one"},
			{Guest: lab.Guest{Name: "mail", Number: 82}, Domain: "two"}}}}
	t.Cleanup(func() {
		if t.Failed() {
			for _, node := range r.Nodes() {
				t.Logf("--- the end of the log of %s\n%s", node, r.LogTail(node, 25))
			}
		}
	})
	if err := errors.Join(r.Found(ctx), r.Apply(ctx)); err != nil {
		t.Fatal(err)
	}
	r.wait(ctx, "all run", r.whole)
	for _, service := range r.Plan.Services {
		if r.watches[service.Guest.Name], err = world.Watch(service.Guest); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *restoreWorld) whole(s api.Status) bool {
	return stage.AllStarted(s) && len(s.Services) == 2 && len(stage.OnlineNodes(s)) == 3
}

func (r *restoreWorld) wait(ctx context.Context, what string, wanted func(api.Status) bool) {
	r.t.Helper()
	if _, err := r.Wait(ctx, what, wanted); err != nil {
		r.t.Fatal(err)
	}
}

func (r *restoreWorld) typed(ctx context.Context, node string, argv ...string) string {
	r.t.Helper()
	result, err := stage.Run(ctx, r.world, node, argv...)
	if err != nil || !result.OK() {
		r.t.Fatalf("%s# %v: %v %+v", node, argv, err, result)
	}
	r.t.Logf("%s# %v\n%s", node, argv, result.Output)
	return result.Output
}

// lose ends every daemon and leaves of the data folders what a loss leaves.
func (r *restoreWorld) lose(ctx context.Context) {
	r.t.Helper()
	for _, node := range r.Nodes() {
		if err := r.StopDaemon(ctx, node); err != nil {
			r.t.Fatal(err)
		}
	}
	data := r.world.DataFolder("node2")
	key, err := os.ReadFile(filepath.Join(data, "node.key"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, node := range r.Nodes() {
		if err := r.world.Wipe(node); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(data, "node.key"), key, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// joins lets a node in with a token, and starts its daemon.
func (r *restoreWorld) joins(ctx context.Context, node string, token ...string) {
	r.t.Helper()
	text, err := r.Command(ctx, "node1", append([]string{"clusterd"}, token...)...).Output()
	if err != nil {
		r.t.Fatalf("%v: %v", token, err)
	}
	command := r.Command(ctx, node, "clusterd", "join")
	command.Stdin = bytes.NewReader(text)
	if output, err := command.CombinedOutput(); err != nil {
		r.t.Fatalf("%s joins again: %v: %s", node, err, output)
	}
	if err := r.StartDaemon(ctx, node); err != nil {
		r.t.Fatal(err)
	}
}

// TestARestoredClusterTakesItsNodesIn restores a backup from before the authority was rotated. All
// data folders are lost but the key of node2, whose VMs run on; node3 has to be fenced first.
func TestARestoredClusterTakesItsNodesIn(t *testing.T) {
	if testing.Short() {
		t.Skip("real daemons take half a minute; it was left out because of -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	r := newRestoreWorld(t, ctx)
	r.typed(ctx, "node1", "clusterd", "backup", r.file)
	r.typed(ctx, "node1", "clusterd", "keys", "rotate", "authority")
	r.wait(ctx, "the rotation is over", func(api.Status) bool {
		return r.typed(ctx, "node1", "clusterd", "keys", "status") == "The authority is not being rotated.\n"
	})
	r.lose(ctx)
	r.typed(ctx, "node1", "clusterd", "restore", r.file)
	if err := r.StartDaemon(ctx, "node1"); err != nil {
		r.t.Fatal(err)
	}
	r.wait(ctx, "node1 is online", func(s api.Status) bool {
		return len(stage.OnlineNodes(s)) == 1 && s.Leader == "node1"
	})
	r.joins(ctx, "node2", "token")
	r.wait(ctx, "node2 is online", func(s api.Status) bool { return len(stage.OnlineNodes(s)) == 2 })
	result, err := stage.Run(ctx, r.world, "node1", "clusterd", "node", "replace", "node3")
	if err != nil || result.OK() || !strings.Contains(result.Output, "may still hold") {
		t.Errorf("a node that nobody asked yet is replaced: %v %+v", err, result)
	}
	r.typed(ctx, "node1", "clusterd", "fence", "node", "node3", "--off")
	r.joins(ctx, "node3", "node", "replace", "node3")
	if err := r.Boot(ctx, "node3"); err != nil {
		t.Fatal(err)
	}
	r.wait(ctx, "all run again", r.whole)
	for name, watch := range r.watches {
		if seen := watch.Seen(); seen.Runs != 1 || seen.TickWentBack != 0 {
			t.Errorf("guest %s was restarted: %+v", name, seen)
		}
	}
}
