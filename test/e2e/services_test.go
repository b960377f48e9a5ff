package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// resourceAgent is an agent whose resource is a file in the node's own scratch
// folder, so that each node has its own.
const resourceAgent = `#!/bin/sh
file="$HA_RSCTMP/$OCF_RESOURCE_INSTANCE"
case "$1" in
meta-data) cat <<END
<resource-agent name="file"><parameters><parameter name="color" reloadable="1"/></parameters>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="reload-agent" timeout="20s"/><action name="monitor" timeout="20s" interval="1s"/></actions>
</resource-agent>
END
;;
start) echo "$OCF_RESKEY_color" >"$file" ;;
reload-agent) echo "$OCF_RESKEY_color" >"$file" ;;
stop) rm -f "$file" ;;
monitor) [ -e "$file" ] || exit 7 ;;
*) exit 3 ;;
esac
`

// treesOfFiles is a service with a part of each kind.
func treesOfFiles(color string) []string {
	return strings.Split(`service:shop:
  domain: order
  resources:
    - type: ocf:e2e:file
      name: base
      parameters: {color: `+color+`}
      resources:
        - {type: "ocf:e2e:file", name: web, subtree: independent}
        - {type: "ocf:e2e:file", name: report, subtree: non-critical}`, "\n")
}

// shopWorld is three real daemons with real agents; the machines' power is pretended.
type shopWorld struct {
	*stage.Cluster
	t     *testing.T
	world *stage.Simulated
	tools string
}

func newShopWorld(t *testing.T, ctx context.Context) *shopWorld {
	t.Helper()
	return newWorldOf(t, ctx, map[string]string{"file": resourceAgent}, treesOfFiles("red"))
}

// newWorldOf has such agents of provider e2e, and service:shop of them on node1.
func newWorldOf(t *testing.T, ctx context.Context, agentsOf map[string]string, trees []string) *shopWorld {
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
	agents := t.TempDir()
	if err := os.MkdirAll(agents+"/resource.d/e2e", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range agentsOf {
		if err := os.WriteFile(filepath.Join(agents, "resource.d", "e2e", name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range world.Nodes() {
		settings := strings.Replace(world.NodeSettings(node), "simulate: {",
			"log_level: debug\nocf_root: "+agents+"\nsimulate: {agents: true, ", 1)
		if _, err := world.WriteFile(node, "node.yaml", settings); err != nil {
			t.Fatal(err)
		}
	}
	s := &shopWorld{t: t, world: world, tools: tools, Cluster: &stage.Cluster{World: world, Plan: stage.Plan{
		Cluster: "e2e", Domains: []string{
			"order: {ordered: true, nofailback: true, members: {node1: 1, node2: 2, node3: 3}}"}, Trees: trees}}}
	if err := s.Found(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	s.until(ctx, "the service runs and all nodes are protected", func(st api.Status) bool {
		return stage.Owner(st, "service:shop") == "node1" && stage.Protected(st)
	})
	return s
}

// file is where a resource's file lies on a node.
func (s *shopWorld) file(node, resource string) string {
	return filepath.Join(filepath.Dir(s.world.Socket(node)), "agents", "file-"+resource)
}

func (s *shopWorld) has(node, resource string) bool {
	_, err := os.Stat(s.file(node, resource))
	return err == nil
}

func (s *shopWorld) remove(node, resource string) {
	s.t.Helper()
	if err := os.Remove(s.file(node, resource)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shopWorld) until(ctx context.Context, what string, wanted func(api.Status) bool) {
	s.t.Helper()
	if _, err := s.Wait(ctx, what, wanted); err != nil {
		s.t.Fatalf("%v\n%s", err, s.LogTail("node1", 20))
	}
}

// told waits for an event.
func (s *shopWorld) told(ctx context.Context, words string) {
	s.t.Helper()
	s.until(ctx, "the timeline tells: "+words, func(api.Status) bool {
		events, err := s.Events(ctx, "node3", 0)
		return err == nil && containsWhy(events, words)
	})
}

func containsWhy(events []cluster.Event, words string) bool {
	for _, e := range events {
		if strings.Contains(e.Why.String(), words) {
			return true
		}
	}
	return false
}

// TestAServiceOfRealAgents follows one service through real daemons: mended,
// partial, convalesced, changed in place, recovered, moved, failed over.
func TestAServiceOfRealAgents(t *testing.T) {
	if testing.Short() {
		t.Skip("real daemons take half a minute; it was left out because of -short")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s := newShopWorld(t, ctx)
	shop := func(st api.Status) api.Service { return st.Services[0] }

	s.remove("node1", "web")
	s.told(ctx, "ocf:e2e:file web was restarted in place, restart 1 since its start")
	if !s.has("node1", "web") {
		t.Error("the part that was restarted is not there")
	}

	s.remove("node1", "report")
	s.until(ctx, "it goes on partial", func(st api.Status) bool {
		return shop(st).FlagsText == "P" &&
			shop(st).StateText == "started"
	})
	if result, err := stage.Run(ctx, s, "node2", "clusvcadm", "-c", "service:shop"); err != nil || !result.OK() {
		t.Fatalf("%v %+v", err, result)
	}
	s.until(ctx, "it is whole", func(st api.Status) bool { return shop(st).FlagsText == "" && s.has("node1", "report") })

	s.Plan.Trees = treesOfFiles("blue")
	if err := s.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	s.until(ctx, "the color is changed in place", func(st api.Status) bool {
		color, err := os.ReadFile(s.file("node1", "base"))
		return err == nil && string(color) == "blue\n" && shop(st).StateText == "started"
	})

	s.remove("node1", "base")
	s.told(ctx, "failed on node1: ocf:e2e:file base")
	s.until(ctx, "it is restarted on node1", func(st api.Status) bool {
		return stage.Owner(st, "service:shop") == "node1" && s.has("node1", "base") && s.has("node1", "web")
	})

	if result, err := stage.Run(ctx, s, "node3", "clusvcadm", "-r", "service:shop", "-m", "node2"); err != nil ||
		!result.OK() {
		t.Fatalf("%v %+v", err, result)
	}
	if !s.has("node2", "web") || s.has("node1", "web") || s.has("node1", "base") {
		t.Error("it was moved, and its parts are not on node2 alone")
	}

	if err := s.CutPower("node2"); err != nil {
		t.Fatal(err)
	}
	s.until(ctx, "it runs on node1 again",
		func(st api.Status) bool { return stage.Owner(st, "service:shop") == "node1" && s.has("node1", "web") })
}
