package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// The service of the story.
const (
	shop        = "service:shop"
	shopAddress = "10.77.0.50"
	shopFolder  = "/srv/shop"
)

// shopTree has a file system (a folder of the shared storage), an address, and a
// server that needs both, and so lies below both.
var shopTree = strings.Split(strings.TrimSpace(`
service:shop:
  domain: shop
  recovery: restart
  resources:
    - type: ocf:heartbeat:Filesystem
      name: shop-data
      parameters: {device: /srv/cluster/shop, directory: `+shopFolder+`, fstype: none, options: bind}
      status: [{interval: 2s, timeout: 20s}]
      resources:
        - type: ocf:heartbeat:IPaddr2
          name: shop-ip
          parameters: {ip: `+shopAddress+`, cidr_netmask: 24}
          status: [{interval: 2s, timeout: 20s}]
          resources:
            - type: ocf:heartbeat:nginx
              name: shop-web
              parameters: {configfile: `+shopFolder+`/nginx.conf}
              status: [{interval: 1s, timeout: 20s}]
              subtree: independent
              max_restarts: 3
              restart_expire_time: 5m
`), "\n")

// shopConfiguration makes every answer name the host that gives it.
const shopConfiguration = `user root;
worker_processes 1;
pid /run/nginx.pid;
error_log /var/log/shop-error.log;
events { worker_connections 256; }
http {
  access_log off;
  server { listen ` + shopAddress + `:80; location / { return 200 "$hostname\n"; } }
}
`

// servicePrograms are what the story needs besides the lab's own, by package.
var servicePrograms = []struct{ name, file string }{
	{"resource-agents", "/usr/lib/ocf/resource.d/heartbeat/IPaddr2"},
	{"nginx-light", "/usr/sbin/nginx"},
	{"procps", "/usr/bin/pkill"},
	{"psmisc", "/usr/bin/fuser"},
	{"kmod", "/usr/sbin/modprobe"},
}

func missingForService() []string {
	var missing []string
	for _, program := range servicePrograms {
		if _, err := os.Stat(program.file); err != nil {
			missing = append(missing, program.name)
		}
	}
	return missing
}

// serviceStory is the story of one service made of resources.
type serviceStory struct {
	*story
	lab    *stage.Lab
	client *requests
	cut    uint64
}

// tellService plays it. It needs the lab: addresses and mounts are real.
func tellService(ctx context.Context, t *teller, world stage.World) error {
	hosts, real := world.(*stage.Lab)
	if !real {
		return errors.New("addresses, mounts and servers cannot be pretended; this story needs the lab (root, Debian)")
	}
	if missing := missingForService(); len(missing) > 0 {
		return fmt.Errorf("packages are missing: %s; make demo-service installs them", strings.Join(missing, " "))
	}
	plan := stage.Plan{Cluster: "demo",
		Domains: []string{"shop: {ordered: true, nofailback: true, members: {node1: 1, node2: 2, node3: 3}}"},
		Trees:   shopTree}
	s := &serviceStory{story: &story{teller: t, cluster: &stage.Cluster{World: world, Plan: plan}}, lab: hosts}
	s.cluster.Typed = func(node, command string, result stage.Result) { t.typed(world.Prompt(node), command, result) }
	var err error
	for _, step := range []func(context.Context) error{s.found, s.begin, s.relocate, s.killServer, s.restartDaemon,
		s.loseHost, s.disable, s.timeline} {
		if err = step(ctx); err != nil {
			break
		}
	}
	if s.client != nil {
		s.client.stop()
	}
	if err == nil && len(t.failed) == 0 {
		t.say("\nAll %d checks hold. The story took %s.", t.passed, span(time.Since(t.began)))
		return nil
	}
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.explainFailure()
	}
	if err == nil {
		err = fmt.Errorf("%d of %d checks do not hold:\n  %s", len(t.failed), len(t.failed)+t.passed,
			strings.Join(t.failed, "\n  "))
	}
	return err
}

func (s *serviceStory) begin(ctx context.Context) error {
	s.headline("The cluster gets its document: an address, a file system and nginx, by Debian's own agents")
	if err := os.MkdirAll(s.lab.SharedDirectory()+"/shop", 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.lab.SharedDirectory()+"/shop/nginx.conf", []byte(shopConfiguration), 0o644); err != nil {
		return err
	}
	for _, node := range s.cluster.Nodes() {
		if _, err := s.lab.Host(node).Run(ctx, "mkdir", "-p", shopFolder); err != nil {
			return err
		}
	}
	if err := s.cluster.Apply(ctx); err != nil {
		return err
	}
	began := time.Now()
	status, err := s.cluster.Wait(ctx, shop+" is started and all nodes are protected", func(st api.Status) bool {
		return len(st.Services) == 1 && stage.AllStarted(st) && stage.Protected(st)
	})
	if err != nil {
		return err
	}
	s.check(stage.AllStarted(status), "%s is started, %s after the document was applied", shop, span(time.Since(began)))
	s.checkOwner(status, shop, "node1", "its domain prefers it")
	s.client = newRequests(func(limit time.Duration) (net.Conn, error) {
		return s.lab.DialInHub(shopAddress+":80", limit)
	})
	if err := s.client.until(ctx, "node1"); err != nil {
		return err
	}
	s.show(ctx, "node2", "clustat")
	s.checkOnlyOn(ctx, "node1")
	return nil
}

func (s *serviceStory) relocate(ctx context.Context) error {
	s.headline("An administrator moves it to node2")
	s.client.reset()
	result := s.show(ctx, "node1", "clusvcadm", "-r", shop, "-m", "node2")
	s.check(result.OK(), "clusvcadm ended with exit code 0")
	if err := s.client.until(ctx, "node2"); err != nil {
		return err
	}
	s.tellClient(10 * time.Second)
	s.checkOnlyOn(ctx, "node2")
	return nil
}

// killServer ends nginx behind the cluster's back.
func (s *serviceStory) killServer(ctx context.Context) error {
	s.headline("nginx is killed on node2")
	before, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	s.client.reset()
	s.cut = before.Index
	if _, err := s.lab.Host("node2").Run(ctx, "pkill", "-KILL", "-x", "nginx"); err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); s.client.now().Failed == 0 &&
		time.Now().Before(end); pause(ctx, 10*time.Millisecond) {
	}
	if err := s.client.until(ctx, "node2"); err != nil {
		return err
	}
	after, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	s.tellClient(10 * time.Second)
	s.check(stage.Owner(before, shop) == "node2" && stage.Owner(after, shop) == "node2",
		"it was restarted in place, on node2")
	return s.checkMended(ctx)
}

// checkMended checks that the timeline tells of the restart in place.
func (s *serviceStory) checkMended(ctx context.Context) error {
	var mended *cluster.Event
	for end := time.Now().Add(5 * time.Second); mended == nil && time.Now().Before(end); pause(ctx, 50*time.Millisecond) {
		events, err := s.cluster.Events(ctx, "node1", s.cut)
		if err != nil {
			return err
		}
		mended = find(events, func(e cluster.Event) bool {
			return e.Subject == shop && strings.Contains(e.Why.String(), "nginx shop-web was restarted in place, restart 1")
		})
	}
	s.check(mended != nil, "the timeline says that nginx alone was restarted; address and file system stayed")
	s.checkOnlyOn(ctx, "node2")
	return nil
}

// restartDaemon shows that the daemon is not what the service hangs on.
func (s *serviceStory) restartDaemon(ctx context.Context) error {
	s.headline("clusterd on node2 is killed and comes back")
	before, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	s.client.reset()
	if err := s.lab.Host("node2").KillService(ctx, "clusterd", 9); err != nil {
		return err
	}
	if _, err := s.cluster.Wait(ctx, "node2 is online again", func(st api.Status) bool {
		return len(stage.OnlineNodes(st)) == 3 && stage.Owner(st, shop) == "node2" &&
			incarnation(st, "node2") > incarnation(before, "node2")
	}); err != nil {
		return err
	}
	pause(ctx, 2*time.Second)
	seen := s.client.now()
	s.check(seen.Failed == 0 && seen.Changes == 0 && seen.Answered > 50,
		"the client noticed nothing: %d requests answered, %d not", seen.Answered, seen.Failed)
	s.checkOnlyOn(ctx, "node2")
	return nil
}

func incarnation(status api.Status, node string) uint64 {
	for _, n := range status.Nodes {
		if n.Name == node {
			return n.Incarnation
		}
	}
	return 0
}

func (s *serviceStory) loseHost(ctx context.Context) error {
	s.headline("node2 loses its power")
	status, err := s.cluster.Status(ctx)
	if err != nil {
		return err
	}
	s.cut = status.Index
	s.client.reset()
	began := time.Now()
	if err := s.cluster.CutPower("node2"); err != nil {
		return err
	}
	after, err := s.cluster.Wait(ctx, shop+" runs elsewhere", func(st api.Status) bool {
		return stage.AllStarted(st) && stage.Owner(st, shop) != "node2"
	})
	if err != nil {
		return err
	}
	owner := stage.Owner(after, shop)
	if err := s.client.until(ctx, owner); err != nil {
		return err
	}
	s.say("  %s answers on %s again %s after the power cut.", shop, owner, span(time.Since(began)))
	s.tellClient(20 * time.Second)
	s.check(!s.cluster.Powered("node2"), "node2 is off")
	s.checkOnlyOn(ctx, owner)
	events, err := s.cluster.Events(ctx, owner, s.cut)
	if err != nil {
		return err
	}
	fenced := find(events, func(e cluster.Event) bool {
		return e.Subject == "node2" &&
			e.To == string(cluster.NodeFenced)
	})
	starting := find(events, func(e cluster.Event) bool { return e.Subject == shop && e.To == "starting" })
	s.check(fenced != nil && starting != nil && fenced.Index < starting.Index,
		"its BMC confirmed off before the start was decided")
	return s.cluster.Boot(ctx, "node2")
}

func (s *serviceStory) disable(ctx context.Context) error {
	s.headline("The service is disabled: everything is taken down again")
	if _, err := s.cluster.Wait(ctx, "node2 is back",
		func(st api.Status) bool { return len(stage.OnlineNodes(st)) == 3 && stage.AllStarted(st) }); err != nil {
		return err
	}
	result := s.show(ctx, "node1", "clusvcadm", "-d", shop)
	s.check(result.OK(), "clusvcadm ended with exit code 0")
	s.show(ctx, "node1", "clustat")
	s.checkOnlyOn(ctx)
	return nil
}

func (s *serviceStory) timeline(ctx context.Context) error {
	s.headline("The whole story as the cluster tells it")
	result := s.show(ctx, "node1", "clustat", "--events", "--limit", "1000")
	s.check(result.OK() && strings.Contains(result.Output, "off confirmed"),
		"clustat --events tells the timeline and its phases")
	return nil
}

// tellClient says what the client saw, which bounds the outage.
func (s *serviceStory) tellClient(most time.Duration) {
	seen := s.client.now()
	s.say("  The client: %d requests answered, %d not; answered by %s.", seen.Answered, seen.Failed,
		strings.Join(seen.Servers, ", then "))
	s.check(seen.Gap < most, "the longest time without an answer was %s (less than %s)", span(seen.Gap), most)
	s.check(seen.Changes <= 1, "no two hosts answered by turns")
}

// checkOnlyOn asks each host itself for the address, the mount and the server.
func (s *serviceStory) checkOnlyOn(ctx context.Context, nodes ...string) {
	for _, part := range []struct {
		what, mark string
		argv       []string
	}{
		{"the address", shopAddress + "/24", []string{"ip", "-4", "-o", "addr", "show"}},
		{"the file system", " " + shopFolder + " ", []string{"cat", "/proc/self/mounts"}},
		{"nginx", "nginx: master", []string{"ps", "-eo", "args"}},
	} {
		var where []string
		for _, node := range s.cluster.Nodes() {
			if !s.cluster.Powered(node) {
				continue
			}
			said, err := s.lab.Host(node).Run(ctx, part.argv...)
			if err != nil {
				s.checkNone(err, "%s can be asked for %s", node, part.what)
			}
			if strings.Contains(said, part.mark) {
				where = append(where, node)
			}
		}
		s.check(slices.Equal(where, nodes), "%s is on %s and nowhere else: %s", part.what, orNobody(nodes), orNobody(where))
	}
}

func orNobody(nodes []string) string {
	if len(nodes) == 0 {
		return "no host"
	}
	return strings.Join(nodes, ", ")
}
