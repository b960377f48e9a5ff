package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/lab/pdu"
	"github.com/clusterd/clusterd/test/stage"
)

// The power strip of the story, and how long one level may take.
const (
	stripPort     = 4161
	agentInside   = "/srv/cluster/bin/fence_lab_pdu"
	levelDeadline = 30 * time.Second
)

// fenceServices run where they are shot: each domain begins with the host to be lost.
var fenceServices = []stage.Service{
	{Guest: lab.Guest{Name: "web", Number: 11}, Domain: "at-node2"},
	{Guest: lab.Guest{Name: "db", Number: 12}, Domain: "at-node3"},
}

// fenceStory is the story of how hosts are made harmless.
type fenceStory struct {
	*story
	lab   *lab.Lab
	strip *pdu.Strip
}

// tellFence plays it. It needs the lab: what it shows is what machines do.
func tellFence(ctx context.Context, t *teller, world stage.World) error {
	built, real := world.(*stage.Lab)
	if !real {
		return errors.New("the story of the fence devices needs the lab's hosts (root, Debian); the drivers alone are " +
			"tried by: make test-fence")
	}
	f := &fenceStory{lab: built.Lab}
	if err := f.mountStrip(t); err != nil {
		return err
	}
	plan := stage.Plan{Cluster: "demo", Services: fenceServices, Levels: map[string]string{}, Probes: true,
		Domains: []string{
			"at-node2: {ordered: true, members: {node2: 1, node1: 2, node3: 3}}",
			"at-node3: {ordered: true, members: {node3: 1, node1: 2, node2: 3}}",
		}}
	for _, node := range world.Nodes() {
		plan.Levels[node] = fmt.Sprintf("[[bmc-%s], [pdu-%s-a, pdu-%s-b]]", node, node, node)
		for _, side := range []string{"a", "b"} {
			plan.Devices = append(plan.Devices,
				fmt.Sprintf("pdu-%s-%s: {driver: agent, address: %q, password: %q, options: {agent: %s, plug: %s-%s, "+
					"identity: assumed}}",
					node, side, f.stripAddress(), f.strip.Password, agentInside, node, side))
		}
	}
	f.story = &story{teller: t, cluster: &stage.Cluster{World: world, Plan: plan}}
	f.cluster.Typed = func(node, command string, result stage.Result) { t.typed(world.Prompt(node), command, result) }
	return f.play(ctx, f.found, f.declare, f.deadBMC, f.twoSupplies, f.hungHost, f.disarmed, f.onlyAWatchdog,
		f.whatIsElsewhere, f.judge)
}

// mountStrip puts the power strip into the machine room: two outlets for each host, which has
// power while one of them has.
func (f *fenceStory) mountStrip(t *teller) error {
	var outlets []string
	for _, host := range f.lab.Hosts {
		outlets = append(outlets, host.Name+"-a", host.Name+"-b")
	}
	f.strip = pdu.NewStrip("strip-secret", outlets, f.outletChanged)
	listener, err := f.lab.ListenInHub(fmt.Sprintf(":%d", stripPort))
	if err != nil {
		return err
	}
	go f.strip.Serve(listener)
	go func() {
		<-f.lab.Closed()
		_ = listener.Close()
	}()
	t.say("A power strip with outlets %s is simulated; the power that it switches is the hosts'.",
		strings.Join(outlets, ", "))
	return copyAgent(f.lab)
}

func (f *fenceStory) stripAddress() string {
	return net.JoinHostPort("10.97.0.254", fmt.Sprint(stripPort))
}

// copyAgent puts the strip's fence agent where every host finds it.
func copyAgent(l *lab.Lab) error {
	program, err := os.ReadFile(filepath.Join(filepath.Dir(os.Args[0]), "fence_lab_pdu"))
	if err != nil {
		return fmt.Errorf("the strip's agent is not built; use make demo-fence: %w", err)
	}
	return os.WriteFile(filepath.Join(l.SharedDirectory(), "bin", "fence_lab_pdu"), program, 0o755)
}

func (f *fenceStory) outletChanged(outlet string, on bool) error {
	name := outlet[:strings.LastIndex(outlet, "-")]
	host := f.lab.Host(name)
	powered := f.strip.Any([]string{name + "-a", name + "-b"})
	switch {
	case !powered:
		return host.Crash()
	case on && !host.Power():
		go func() { _ = host.Boot(context.Background()) }()
	}
	return nil
}

func (f *fenceStory) declare(ctx context.Context) error {
	f.headline("Each host gets two fence levels: its BMC, then both of its power supplies")
	if err := f.cluster.Apply(ctx); err != nil {
		return err
	}
	status, err := f.cluster.Wait(ctx, "the services are at home and all nodes protected", func(st api.Status) bool {
		return len(st.Services) == len(fenceServices) && stage.AllStarted(st) && stage.Protected(st)
	})
	if err != nil {
		return err
	}
	f.checkOwner(status, "vm:web", "node2", "its domain prefers it")
	f.checkOwner(status, "vm:db", "node3", "its domain prefers it")
	ready, err := f.readiness(ctx, func(s api.FenceStatus) bool {
		return !slices.ContainsFunc(s.Nodes, func(n api.FenceNode) bool {
			return slices.ContainsFunc(n.Devices, func(d api.FenceDevice) bool { return len(d.Checks) < 2 })
		})
	})
	f.show(ctx, "node1", "clusterd", "fence", "status")
	f.checkNone(err, "every device was checked from both nodes that may have to use it")
	for _, n := range ready.Nodes {
		f.check(n.Unprotected == "" && len(n.Devices) == 3, "%s can be fenced by %d devices on two levels", n.Node,
			len(n.Devices))
	}
	return nil
}

// readiness waits until the fence status is as wanted.
func (f *fenceStory) readiness(ctx context.Context, wanted func(api.FenceStatus) bool) (status api.FenceStatus,
	err error) {
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	client, err := f.cluster.Client("node1")
	if err != nil {
		return status, err
	}
	defer client.Close()
	for {
		if status, err = client.Fence(ctx); err == nil && wanted(status) {
			return status, nil
		}
		if pause(ctx, 200*time.Millisecond); ctx.Err() != nil {
			return status, errors.Join(errors.New("it did not come to that"), err, ctx.Err())
		}
	}
}

// shot is a host that is lost, and what was known right before.
type shot struct {
	node, service, guest string
	index                uint64
	at                   time.Time
}

func (f *fenceStory) aim(ctx context.Context, node, guest string) (shot, error) {
	status, err := f.cluster.Wait(ctx, "all is at rest", func(st api.Status) bool {
		return stage.AllStarted(st) && len(stage.OnlineNodes(st)) == 3 && stage.Owner(st, "vm:"+guest) == node
	})
	return shot{node: node, service: "vm:" + guest, guest: guest, index: status.Index, at: time.Now()}, err
}

// recovered waits until the service runs elsewhere, and returns the timeline since the shot.
func (f *fenceStory) recovered(ctx context.Context, s shot) ([]cluster.Event, error) {
	_, err := f.cluster.Wait(ctx, s.service+" runs elsewhere", func(st api.Status) bool {
		owner := stage.Owner(st, s.service)
		return owner != "" && owner != s.node
	})
	if err != nil {
		return nil, err
	}
	events, err := f.cluster.Events(ctx, "node1", s.index)
	var told []cluster.Event
	for _, e := range events {
		if e.Subject == s.node || e.Subject == s.service {
			told = append(told, e)
		}
	}
	f.say("\nThe timeline of %s and %s since then:\n%s", s.node, s.service, cli.Timeline(told, 100))
	return events, err
}

// checkShot holds the order of things against the log's indexes, which no clock can confuse.
func (f *fenceStory) checkShot(events []cluster.Event, s shot) *cluster.Event {
	fenced := find(events, func(e cluster.Event) bool { return e.Subject == s.node && e.To == string(cluster.NodeFenced) })
	starting := find(events, func(e cluster.Event) bool { return e.Subject == s.service && e.To == "starting" })
	f.check(fenced != nil && !f.cluster.Powered(s.node), "%s is confirmed off, and is", s.node)
	if fenced == nil || starting == nil {
		f.check(false, "the timeline has the fence of %s and the start of %s", s.node, s.service)
		return nil
	}
	f.check(fenced.Index < starting.Index && starting.Node != s.node,
		"off was confirmed (event %d) before the start of %s on %s was decided (event %d)", fenced.Index, s.service,
		starting.Node, starting.Index)
	f.checkNone(f.cluster.CheckSingleWriter(lab.Guest{Name: s.guest}),
		"the witness saw one writer at a time on the disk of %s", s.guest)
	return fenced
}

// whatIsElsewhere says what this machine room cannot show.
func (f *fenceStory) whatIsElsewhere(context.Context) error {
	f.headline("What is shown elsewhere")
	f.say("A node that is cut off from a disk array by reservations, and a watchdog of a kernel's own, need machines " +
		"that do not share this one's")
	f.say("kernel, as these hosts do. QEMU machines show them: make test-fence-vm.")
	return nil
}

// judge shows the history.
func (f *fenceStory) judge(ctx context.Context) error {
	f.headline("Who was fenced, why, how, and how long it took")
	result := f.show(ctx, "node1", "clusterd", "fence", "history")
	f.check(result.OK() && strings.Contains(result.Output, "a drill, confirmed"),
		"clusterd fence history tells of the shots and the drill")
	for _, service := range fenceServices {
		f.checkNone(f.cluster.CheckSingleWriter(service.Guest),
			"the witness saw one writer at a time on the disk of %s, the whole story long", service.Guest.Name)
	}
	return nil
}
