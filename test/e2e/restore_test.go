package e2e

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
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
	tools string
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
	r := &restoreWorld{t: t, world: world, tools: tools, file: filepath.Join(t.TempDir(), "alpha.json"),
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

// page types lines of the page on simulated hosts, where there is no systemd and no libvirtd. The
// token goes from the line that prints it to the line that asks for it.
func (r *restoreWorld) page(ctx context.Context, steps []step) {
	r.t.Helper()
	token := ""
	for _, s := range steps {
		var err error
		switch {
		case s.node == "" || s.line == "systemctl restart libvirtd":
		case s.line == "systemctl stop clusterd":
			err = r.StopDaemon(ctx, s.node)
		case s.line == "systemctl start clusterd":
			err = r.StartDaemon(ctx, s.node)
		default:
			if said := r.shell(ctx, s, token); strings.Contains(s.line, "token") || strings.Contains(s.line, "replace") {
				token = said
			}
		}
		if err != nil {
			r.t.Fatalf("%s# %s: %v", s.node, s.line, err)
		}
	}
}

// shell types one line, with the world's folders in the place of the page's.
func (r *restoreWorld) shell(ctx context.Context, s step, input string) string {
	r.t.Helper()
	line := strings.NewReplacer("/root/alpha.json", r.file, "/root/", filepath.Dir(r.file)+"/",
		"/var/lib/clusterd", r.world.DataFolder(s.node), " alpha.yaml", " "+r.document()).Replace(s.line)
	command := r.Command(ctx, s.node, "sh", "-c", "PATH="+r.tools+":$PATH; "+line)
	command.Stdin = strings.NewReader(input)
	output, err := command.Output()
	if err != nil {
		r.t.Fatalf("%s# %s: %v: %s", s.node, line, err, output)
	}
	return string(output)
}

// document is the file of the administrator.
func (r *restoreWorld) document() string {
	return filepath.Join(filepath.Dir(r.world.DataFolder("node1")), "etc", "cluster.yaml")
}

// lose ends daemons and empties data folders.
func (r *restoreWorld) lose(ctx context.Context, nodes ...string) {
	r.t.Helper()
	for _, node := range nodes {
		if err := errors.Join(r.StopDaemon(ctx, node), r.world.Wipe(node)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestARestoredClusterTakesItsNodesIn types the page's steps for a backup from before the authority
// was rotated. All is lost but the data folder of node2, whose VMs run on; node3 has to be fenced
// first.
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
		said := r.typed(ctx, "node1", "clusterd", "keys", "status")
		return strings.HasPrefix(said, "The authority is not being rotated.\n")
	})
	steps := stepsOf(between(t, page(t, "docs/operators/recovery.md"), "## Everything is lost", "\n## "))
	first := func(beginning string) int {
		t.Helper()
		at := slices.IndexFunc(steps, func(s step) bool { return s.node != "" && strings.HasPrefix(s.line, beginning) })
		if at < 0 {
			t.Fatalf("the page has no line %q", beginning)
		}
		return at
	}
	keepsKey, hasNone := first("systemctl stop clusterd"), first("clusterd config apply")
	r.lose(ctx, "node1", "node3")
	r.page(ctx, steps[:keepsKey])
	r.wait(ctx, "node1 is online", func(s api.Status) bool {
		return len(stage.OnlineNodes(s)) == 1 && s.Leader == "node1"
	})
	r.page(ctx, steps[keepsKey:hasNone])
	r.wait(ctx, "node2 is online", func(s api.Status) bool { return len(stage.OnlineNodes(s)) == 2 })
	result, err := stage.Run(ctx, r.world, "node1", "clusterd", "node", "replace", "node3")
	if err != nil || result.OK() || !strings.Contains(result.Output, "may still hold") {
		t.Errorf("a node that nobody asked yet is replaced: %v %+v", err, result)
	}
	r.page(ctx, steps[hasNone:])
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
