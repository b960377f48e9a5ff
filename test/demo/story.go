package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// The services of the story, each with a failover domain of another kind.
var services = []stage.Service{
	{Guest: lab.Guest{Name: "web", Number: 11}, Domain: "prefer-node1"},
	{Guest: lab.Guest{Name: "db", Number: 12}, Domain: "prefer-node2-and-stay"},
	{Guest: lab.Guest{Name: "mail", Number: 13}, Domain: "only-node2-node3"},
	{Guest: lab.Guest{Name: "batch", Number: 14}},
}

var domains = []string{
	"prefer-node1: {ordered: true, members: {node1: 1, node2: 2, node3: 3}}",
	"prefer-node2-and-stay: {ordered: true, nofailback: true, members: {node2: 1, node3: 2, node1: 3}}",
	"only-node2-node3: {ordered: true, restricted: true, members: {node3: 1, node2: 2}}",
}

// Where the domains want the services that fail back, best node first.
var preferences = map[string][]string{
	"vm:web":  {"node1", "node2", "node3"},
	"vm:mail": {"node3", "node2"},
}

// story is the demonstration under way.
type story struct {
	*teller
	cluster *stage.Cluster
	web     stage.Watch
	// cuts are the power cuts so far.
	cuts []cut
}

// cut is one power cut and what the cluster was just before.
type cut struct {
	node  string
	role  string
	at    time.Time
	index uint64
	owned []string
	nonce string
}

// tell plays the story on a world. On failure the daemons' own words follow.
func tell(ctx context.Context, t *teller, world stage.World) error {
	s := &story{teller: t, cluster: &stage.Cluster{World: world, Plan: stage.Plan{Cluster: "demo", Domains: domains,
		Services: services, Probes: world.Label() == ""}}}
	s.cluster.Typed = func(node, command string, result stage.Result) { t.typed(world.Prompt(node), command, result) }
	return s.play(ctx, s.found, s.start, s.moveLive, s.loseOwner, s.comeBack, s.loseLeader, s.comeBack, s.loseHome,
		s.judge)
}

// play goes through the steps; the first that cannot be done ends the story.
func (s *story) play(ctx context.Context, steps ...func(context.Context) error) error {
	t := s.teller
	var err error
	for _, step := range steps {
		if err = step(ctx); err != nil {
			break
		}
	}
	if s.web != nil {
		s.web.Stop()
	}
	if err == nil && len(t.failed) == 0 {
		t.say("\nAll %d checks hold. The story took %s.", t.passed, span(time.Since(t.began)))
		return nil
	}
	// After Ctrl-C nobody wants to read on, and what is asked now would fail as well.
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.explainFailure()
	}
	if err == nil {
		err = fmt.Errorf("%d of %d checks do not hold:\n  %s", len(t.failed), len(t.failed)+t.passed,
			strings.Join(t.failed, "\n  "))
	}
	return err
}

// explainFailure prints what happened as the cluster and its daemons tell it.
func (s *story) explainFailure() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	s.headline("Something is not as it should be; this is what the nodes say")
	for _, node := range s.cluster.Nodes() {
		if s.cluster.Powered(node) {
			s.show(ctx, node, "clustat", "-l")
			s.show(ctx, node, "clustat", "--events", "--limit", "200")
			break
		}
	}
	for _, node := range s.cluster.Nodes() {
		s.say("\n--- the end of the log of %s\n%s", node, s.cluster.LogTail(node, 40))
	}
}

// show runs a command for its output, and prints both.
func (s *story) show(ctx context.Context, node string, argv ...string) stage.Result {
	result, err := stage.Run(ctx, s.cluster, node, argv...)
	if err != nil {
		result.Output += err.Error()
		result.Code = -1
	}
	s.typed(s.cluster.Prompt(node), strings.Join(argv, " "), result)
	return result
}

func (s *story) found(ctx context.Context) error {
	s.headline("node1 founds a cluster, node2 and node3 join it")
	if err := s.cluster.Found(ctx); err != nil {
		return err
	}
	status, err := s.cluster.Wait(ctx, "all nodes are online",
		func(st api.Status) bool { return len(stage.OnlineNodes(st)) == 3 })
	if err != nil {
		return err
	}
	s.show(ctx, "node1", "clustat")
	s.check(len(stage.OnlineNodes(status)) == 3, "3 nodes are online: %s", strings.Join(stage.OnlineNodes(status), ", "))
	return nil
}

func (s *story) start(ctx context.Context) error {
	s.headline("The cluster gets its document: fence devices, failover domains, four VMs")
	if err := s.cluster.Apply(ctx); err != nil {
		return err
	}
	began := time.Now()
	status, err := s.cluster.Wait(ctx, "all services are started and all nodes protected", func(st api.Status) bool {
		return len(st.Services) == len(services) && stage.AllStarted(st) && stage.Protected(st)
	})
	if err != nil {
		return err
	}
	if s.web, err = s.cluster.Watch(services[0].Guest); err != nil {
		return err
	}
	s.show(ctx, "node2", "clustat")
	s.check(stage.AllStarted(status), "vm:web and three more VMs are started, %s after the document was applied",
		span(time.Since(began)))
	s.check(stage.Protected(status), "each node can be fenced: its BMC answers and is its own")
	s.checkOwner(status, "vm:web", "node1", "its domain prefers it")
	s.checkOwner(status, "vm:db", "node2", "its domain prefers it")
	s.checkOwner(status, "vm:mail", "node3", "its domain prefers it")
	return s.waitForAnswer(ctx)
}

func (s *story) checkOwner(status api.Status, service, node, why string) {
	owner := stage.Owner(status, service)
	s.check(owner == node, "%s runs on %s (%s), seen on %q", service, node, why, owner)
}

// waitForAnswer waits until the guest of vm:web is heard.
func (s *story) waitForAnswer(ctx context.Context) error {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if seen := s.web.Seen(); seen.Answers && seen.SilentFor < 100*time.Millisecond {
			return nil
		}
		pause(ctx, 20*time.Millisecond)
	}
	return fmt.Errorf("the guest of vm:web does not answer: %+v (%v)", s.web.Seen(), ctx.Err())
}

func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

func (s *story) moveLive(ctx context.Context) error {
	s.headline("An administrator moves vm:web live to node2")
	before := s.web.Seen()
	s.web.Reset()
	result := s.show(ctx, "node1", "clusvcadm", "-M", "vm:web", "-m", "node2")
	s.check(result.OK(), "clusvcadm ended with exit code 0")
	if err := s.waitForAnswer(ctx); err != nil {
		return err
	}
	seen := s.web.Seen()
	s.check(seen.Nonce == before.Nonce && seen.Runs == 1, "it is the same guest as before: run %s, before %s",
		short(seen.Nonce), short(before.Nonce))
	s.check(seen.TickWentBack == 0 && seen.Tick >= before.Tick, "its own counter is unbroken: %d before, %d now",
		before.Tick, seen.Tick)
	s.check(seen.Silence < time.Second, "it was silent for less than a second: %s", span(seen.Silence))
	s.checkNowhereElse(ctx, "web", "node2")
	s.checkWriters()
	s.show(ctx, "node3", "clustat")
	return nil
}

func short(nonce string) string { return nonce[:min(8, len(nonce))] }

// tidyUp is how long a hypervisor may still list a guest whose process has
// ended: libvirt takes some 200 ms to see that after a migration.
const tidyUp = 3 * time.Second

// checkNowhereElse asks each host's hypervisor, not the cluster.
func (s *story) checkNowhereElse(ctx context.Context, guest, node string) {
	where := s.whereListed(ctx, guest)
	for deadline := time.Now().Add(tidyUp); !slices.Equal(where, []string{node}) && time.Now().Before(deadline) &&
		ctx.Err() == nil; {
		time.Sleep(50 * time.Millisecond)
		where = s.whereListed(ctx, guest)
	}
	s.check(slices.Equal(where, []string{node}), "the hypervisors have the guest %s on %s and nowhere else: %s", guest,
		node, strings.Join(where, ", "))
}

// whereListed names the hosts whose hypervisor lists a guest.
func (s *story) whereListed(ctx context.Context, guest string) (where []string) {
	for _, other := range s.cluster.Nodes() {
		names, err := s.cluster.Guests(ctx, other)
		if err != nil {
			s.checkNone(err, "the hypervisor of %s tells its guests", other)
			continue
		}
		if slices.Contains(names, guest) {
			where = append(where, other)
		}
	}
	return where
}

// checkWriters asks the witness about every disk.
func (s *story) checkWriters() {
	var names []string
	for _, service := range services {
		if err := s.cluster.CheckSingleWriter(service.Guest); err != nil {
			s.checkNone(err, "the witness saw one writer at a time on the disk of %s", service.Guest.Name)
			continue
		}
		names = append(names, service.Guest.Name)
	}
	s.check(len(names) == len(services), "the witness saw one writer at a time on the disks of %s",
		strings.Join(names, ", "))
}
