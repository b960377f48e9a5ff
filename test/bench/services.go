package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/stage"
)

// smallAgent is the agent of a shell.
//
//go:embed serviceagent/agent.sh
var smallAgent string

const (
	servicesWindow = 30 * time.Second
	servicesMost   = 2000
	statusRounds   = 7
)

// services measures many small services on three nodes. The daemons, their log,
// their agents and the BMCs' protocol are real; the machines' power is pretended.
func services(ctx context.Context, tools string, count int) error {
	if count < 3 || count > servicesMost {
		return fmt.Errorf("-n is %d; use 3 to %d", count, servicesMost)
	}
	var last measured
	for _, agent := range []string{"sh", "go"} {
		m, err := measureServices(ctx, tools, agent, count)
		if err != nil {
			return fmt.Errorf("with the agent in %s: %w", agent, err)
		}
		fmt.Printf("\n%d services, agent in %s, three nodes on one machine of %d processors\n%s", count, agent,
			runtime.NumCPU(), m)
		last = m
	}
	fmt.Printf("figure: start%d_s=%.1f failover%d_s=%.1f failover%d_s=%.1f rss_mb=%.0f clustat_ms=%d\n", count,
		last.start.Seconds(),
		(count+2)/3, last.third.Seconds(), count, last.all.Seconds(), last.resident, last.clustat.Milliseconds())
	return nil
}

// measured are the figures of one kind of agent.
type measured struct {
	start, startAll, third, all, clustat time.Duration
	resident                             float64
	usage                                []string
}

func (m measured) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "  all started, a third on each node      %6.1f s\n", m.start.Seconds())
	fmt.Fprintf(&text, "  all started, all on one node           %6.1f s\n", m.startAll.Seconds())
	fmt.Fprintf(&text, "  a third failed over, from power cut    %6.1f s\n", m.third.Seconds())
	fmt.Fprintf(&text, "  all failed over, from power cut        %6.1f s\n", m.all.Seconds())
	fmt.Fprintf(&text, "  clustat                                %6d ms\n", m.clustat.Milliseconds())
	for _, line := range m.usage {
		fmt.Fprintf(&text, "  %s\n", line)
	}
	return text.String()
}

func measureServices(ctx context.Context, tools, agent string, count int) (m measured, err error) {
	spread := func(number int) string { return fmt.Sprintf("home%d", number%3+1) }
	err = onWorld(ctx, tools, agent, count, spread,
		func(c *stage.Cluster, world *stage.Simulated, took time.Duration) error {
			m.start = took
			var err error
			if m.usage, m.resident, err = idleServices(ctx, c, world); err != nil {
				return err
			}
			if m.clustat, err = timeStatus(ctx, c); err != nil {
				return err
			}
			m.third, err = failOver(ctx, c, count)
			return err
		})
	if err != nil {
		return m, err
	}
	return m, onWorld(ctx, tools, agent, count, func(int) string { return "home2" },
		func(c *stage.Cluster, _ *stage.Simulated, took time.Duration) error {
			m.startAll = took
			var err error
			m.all, err = failOver(ctx, c, count)
			return err
		})
}

// onWorld makes a cluster of many services, measures until all are started, and
// goes on with it.
func onWorld(ctx context.Context, tools, agent string, count int, domain func(int) string,
	then func(*stage.Cluster, *stage.Simulated, time.Duration) error) (err error) {
	world, err := stage.NewSimulated(tools)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	folder, err := os.MkdirTemp("", "clusterd-bench-agents-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := installSmallAgent(ctx, folder, agent); err != nil {
		return err
	}
	for _, node := range world.Nodes() {
		settings := strings.Replace(world.NodeSettings(node), "simulate: {",
			"ocf_root: "+folder+"\nsimulate: {agents: true, ", 1)
		if _, err := world.WriteFile(node, "node.yaml", settings); err != nil {
			return err
		}
	}
	plan := stage.Plan{Cluster: "bench", Domains: []string{
		"home1: {ordered: true, nofailback: true, members: {node1: 1, node2: 2, node3: 2}}",
		"home2: {ordered: true, nofailback: true, members: {node2: 1, node1: 2, node3: 2}}",
		"home3: {ordered: true, nofailback: true, members: {node3: 1, node2: 2, node1: 2}}",
	}}
	for number := range count {
		plan.Trees = append(plan.Trees,
			fmt.Sprintf(`service:s%d: {domain: %s, resources: [{type: "ocf:bench:small", parameters: {number: %d}, status: `+
				`[{interval: 10s}]}]}`, number, domain(number), number))
	}
	c := &stage.Cluster{World: world, Plan: plan}
	if err := c.Found(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := c.Apply(ctx); err != nil {
		return err
	}
	if err := waitGently(ctx, c, func(s api.Status) bool {
		return len(s.Services) == count &&
			stage.AllStarted(s)
	}); err != nil {
		return errors.Join(err, errors.New(c.LogTail("node1", 30)))
	}
	took := time.Since(began)
	if err := tellPhases(ctx, c, began); err != nil {
		return err
	}
	if _, err := c.Wait(ctx, "all nodes are protected", stage.Protected); err != nil {
		return err
	}
	return then(c, world, took)
}

// tellPhases says what the time of the start went into.
func tellPhases(ctx context.Context, c *stage.Cluster, began time.Time) error {
	events, err := c.Events(ctx, "node1", 0)
	if err != nil {
		return err
	}
	moments := map[string][]time.Time{}
	for _, e := range events {
		moments[e.To] = append(moments[e.To], e.At)
	}
	fmt.Print("  from the document to: ")
	for _, state := range []string{"uninitialized", "stopped", "starting", "started"} {
		if list := moments[state]; len(list) > 0 {
			fmt.Printf("%s %.1f to %.1f s; ", state, list[0].Sub(began).Seconds(), list[len(list)-1].Sub(began).Seconds())
		}
	}
	fmt.Println()
	return nil
}

func installSmallAgent(ctx context.Context, folder, agent string) error {
	path := filepath.Join(folder, "resource.d", "bench")
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	path = filepath.Join(path, "small")
	if agent == "sh" {
		return os.WriteFile(path, []byte(smallAgent), 0o755)
	}
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", path, "./test/bench/serviceagent")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the agent (from the repository's root): %w: %s", err, output)
	}
	return nil
}

// failOver cuts the power of node2 and waits until nothing is left on it.
func failOver(ctx context.Context, c *stage.Cluster, count int) (time.Duration, error) {
	pause(ctx, 5*time.Second)
	began := time.Now()
	if err := c.CutPower("node2"); err != nil {
		return 0, err
	}
	err := waitGently(ctx, c, func(s api.Status) bool {
		for _, service := range s.Services {
			if service.Owner == "node2" {
				return false
			}
		}
		return len(s.Services) == count && stage.AllStarted(s)
	})
	return time.Since(began), err
}

// waitGently asks seldom enough not to be what is measured: a status of 500
// services is a long text. Any node that has power answers.
func waitGently(ctx context.Context, c *stage.Cluster, wanted func(api.Status) bool) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	var last api.Status
	var problem error
	for ctx.Err() == nil {
		if last, problem = c.StatusOf(ctx, "node1"); problem == nil && wanted(last) {
			return nil
		}
		pause(ctx, 200*time.Millisecond)
	}
	left := 0
	for _, service := range last.Services {
		if service.StateText != "started" {
			left++
		}
	}
	return fmt.Errorf("it did not come to that in time: %d of %d services are not started (%v)", left,
		len(last.Services), problem)
}

// timeStatus takes the median of several calls of clustat.
func timeStatus(ctx context.Context, c *stage.Cluster) (time.Duration, error) {
	var list samples
	for range statusRounds {
		result, err := stage.Run(ctx, c, "node1", "clustat")
		if err != nil {
			return 0, err
		}
		list = append(list, result.Took)
	}
	return list.median(), nil
}

// idleServices measures the daemons, and the agents that they run, while nothing
// happens but checks every ten seconds.
func idleServices(ctx context.Context, c *stage.Cluster, world *stage.Simulated) (lines []string, largest float64,
	err error) {
	pause(ctx, 5*time.Second)
	before := map[string]usage{}
	for _, node := range c.Nodes() {
		if before[node], err = usageWithChildren(world.Pid(node)); err != nil {
			return nil, 0, err
		}
	}
	began := time.Now()
	pause(ctx, servicesWindow)
	status, err := c.Status(ctx)
	if err != nil {
		return nil, 0, err
	}
	for _, node := range c.Nodes() {
		now, err := usageWithChildren(world.Pid(node))
		if err != nil {
			return nil, 0, err
		}
		role := ""
		if node == status.Leader {
			role = " (leader)"
		}
		resident := float64(now.residentKiB) / 1024
		percent := 100 * float64(now.cpu-before[node].cpu) / float64(time.Since(began))
		lines = append(lines, fmt.Sprintf("%s %6.1f MiB RSS, %5.1f %% of a processor with its agents%s", node, resident,
			percent, role))
		largest = max(largest, resident)
	}
	return lines, largest, nil
}

// usageWithChildren is a process with what it has waited for.
func usageWithChildren(pid int) (usage, error) {
	folder := filepath.Join("/proc", strconv.Itoa(pid))
	used, err := usageOf(folder)
	if err != nil {
		return used, err
	}
	text, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return used, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	for _, at := range []int{13, 14} { // cutime and cstime
		ticks, err := strconv.Atoi(fields[at])
		if err != nil {
			return used, err
		}
		used.cpu += time.Duration(ticks) * clockTick
	}
	return used, nil
}
