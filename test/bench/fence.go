package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/bmc"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/redfish"
	"github.com/clusterd/clusterd/test/stage"
)

const (
	// apart is what a proof of off takes whatever the manager does: two readings so long apart.
	apart = 300 * time.Millisecond
	// massNodes is the smallest cluster in which 16 nodes are less than half, and one more.
	massNodes = 34
	massLost  = 16
	massDead  = 4
	// massPatience bounds each wait in the large cluster; forming it on a small machine takes a while.
	massPatience = 4 * time.Minute
)

// fencing measures from the decision (the intent is in the log) to Confirmed (the result is).
func fencing(ctx context.Context, tools string, rounds int, scsi string) error {
	ipmi, redfish, err := byDriver(ctx, tools, rounds)
	if err != nil {
		return err
	}
	mass, err := atOnce(ctx, tools)
	if err != nil {
		return err
	}
	if scsi == "" {
		scsi = "-"
		fmt.Println("scsi was not measured: it needs a disk array, which the QEMU machines of make test-fence-vm have")
	} else {
		fmt.Printf("%-44s %6s ms (in QEMU machines under emulation: preempt-and-abort, keys and reservation read back)\n",
			"scsi, one disk", scsi)
	}
	fmt.Printf("figure: ipmi_ms=%d redfish_ms=%d scsi_ms=%s mass16_ms=%d\n", ipmi.Milliseconds(), redfish.Milliseconds(),
		scsi, mass.Milliseconds())
	return nil
}

// opened is a simulated cluster that was founded.
type opened struct {
	world   *stage.Simulated
	cluster *stage.Cluster
}

func open(ctx context.Context, tools string, nodes int, plan func(*stage.Simulated) stage.Plan) (*opened, error) {
	world, err := stage.NewSimulatedOf(tools, nodes)
	if err != nil {
		return nil, err
	}
	o := &opened{world: world, cluster: &stage.Cluster{World: world, Plan: plan(world)}}
	if err := errors.Join(o.cluster.Found(ctx), o.cluster.Apply(ctx)); err != nil {
		return nil, errors.Join(err, world.Close())
	}
	return o, nil
}

// await asks the first node until the cluster is as wanted.
func (o *opened) await(ctx context.Context, what string, wanted func(api.Status) bool) (api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, massPatience)
	defer cancel()
	for {
		status, err := o.cluster.StatusOf(ctx, "node1")
		if err == nil && wanted(status) {
			return status, nil
		}
		if pause(ctx, 100*time.Millisecond); ctx.Err() != nil {
			return status, fmt.Errorf("waited in vain until %s: %s", what, stage.Describe(status, err))
		}
	}
}

// byDriver fences one node again and again, by turns through IPMI and Redfish.
func byDriver(ctx context.Context, tools string, rounds int) (ipmi, overRedfish time.Duration, err error) {
	var boards []*redfish.Controller
	defer func() {
		for _, board := range boards {
			board.Close()
		}
	}()
	o, err := open(ctx, tools, 3, func(w *stage.Simulated) stage.Plan {
		plan := stage.Plan{Cluster: "bench", Levels: map[string]string{"node3": "[[redfish-node3]]"},
			Top: []string{"fencing: {shots: 64}"}}
		board, startErr := redfish.Start(redfish.Options{Address: "127.0.0.3:0", Username: "admin",
			Password: "board-secret", HardwareUUID: w.HardwareUUID("node3"), On: true,
			OnPower: func(on bool) error { return w.Switch("node3", on) }})
		if err = startErr; err == nil {
			boards = append(boards, board)
			plan.Devices = []string{fmt.Sprintf(
				"redfish-node3: {driver: redfish, address: %q, username: admin, password: board-secret, options: "+
					"{fingerprint: %q}}", board.Address(), board.Fingerprint())}
		}
		return plan
	})
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, o.world.Close()) }()
	tables := map[string]samples{}
	fmt.Printf("%d fences of one node by each driver, decision to Confirmed; the proof itself takes %s\n", rounds, apart)
	for round := range 2 * rounds {
		node := []string{"node2", "node3"}[round%2]
		took, err := o.fenceOnce(ctx, node)
		if err != nil {
			return 0, 0, fmt.Errorf("fence %d of %s: %w", round+1, node, err)
		}
		tables[node] = append(tables[node], took)
	}
	for _, row := range [][2]string{{"ipmi, in-process board", "node2"},
		{"redfish, in-process board, TLS and a session", "node3"}} {
		median := tables[row[1]].median()
		fmt.Printf("%-44s %6d ms, of which the manager and the protocol %d ms\n", row[0], median.Milliseconds(),
			(median - apart).Milliseconds())
	}
	return tables["node2"].median(), tables["node3"].median(), nil
}

// fenceOnce fences a node by hand and gives it its power back.
func (o *opened) fenceOnce(ctx context.Context, node string) (time.Duration, error) {
	// The founder leads and is never fenced; an election would be measured otherwise.
	if _, err := o.await(ctx, "all nodes are online and protected, and node1 leads", func(s api.Status) bool {
		return len(stage.OnlineNodes(s)) == 3 && stage.Protected(s) && s.Leader == "node1"
	}); err != nil {
		return 0, err
	}
	result, err := stage.Run(ctx, o.world, "node1", "clusterd", "fence", "node", node, "--off")
	if err != nil || !result.OK() {
		return 0, errors.Join(err, fmt.Errorf("clusterd fence node %s --off ended with %d: %s", node, result.Code,
			result.Output))
	}
	records, err := o.records(ctx, node)
	if err != nil {
		return 0, err
	}
	took := records[len(records)-1].Took()
	// By its own controller, which would else go on saying off.
	result, err = stage.Run(ctx, o.world, "node1", "clusterd", "fence", "node", node, "--on")
	if err != nil || !result.OK() {
		return 0, errors.Join(err, fmt.Errorf("clusterd fence node %s --on ended with %d: %s", node, result.Code,
			result.Output))
	}
	return took, nil
}

func (o *opened) records(ctx context.Context, node string) ([]cluster.FenceRecord, error) {
	client, err := o.cluster.Client("node1")
	if err != nil {
		return nil, err
	}
	defer client.Close()
	history, err := client.FenceHistory(ctx, node)
	if err == nil && len(history.Records) == 0 {
		err = errors.New("no fence is in the history")
	}
	return history.Records, err
}

// atOnce loses 16 nodes at the same time, first with healthy controllers and then with four dead
// ones.
func atOnce(ctx context.Context, tools string) (mass time.Duration, err error) {
	began := time.Now()
	var victims []string
	for number := massNodes - massLost + 1; number <= massNodes; number++ {
		victims = append(victims, fmt.Sprintf("node%d", number))
	}
	o, err := open(ctx, tools, massNodes, func(*stage.Simulated) stage.Plan {
		plan := stage.Plan{Cluster: "mass",
			Top: []string{"timing: relaxed", fmt.Sprintf("fencing: {at_once: %d, shots: 64}", massLost)}}
		for i, node := range victims {
			plan.Domains = append(plan.Domains, fmt.Sprintf("at-%s: {ordered: true, members: {%s: 1}}", node, node))
			plan.Services = append(plan.Services, stage.Service{Guest: lab.Guest{Name: "on-" + node, Number: 11 + i},
				Domain: "at-" + node})
		}
		return plan
	})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, o.world.Close()) }()
	fmt.Printf("a cluster of %d nodes was formed in %s; %d of them lose their power together, each with one VM\n",
		massNodes, time.Since(began).Round(time.Second), massLost)
	healthy, err := o.loseAll(ctx, victims, 0)
	if err != nil {
		return 0, err
	}
	mass, err = o.loseAll(ctx, victims, massDead)
	if err != nil {
		return 0, err
	}
	fmt.Printf("%-44s %6d ms, with none dead %d ms\n", fmt.Sprintf("%d nodes, %d of their controllers dead", massLost,
		massDead), mass.Milliseconds(), healthy.Milliseconds())
	return mass, nil
}

// loseAll cuts the power of all victims, and returns the time from the first decision to the
// last proof about those whose controllers answer. All of them come back afterwards.
func (o *opened) loseAll(ctx context.Context, victims []string, dead int) (time.Duration, error) {
	status, err := o.await(ctx, "every VM is at home and every node protected", func(s api.Status) bool {
		for _, node := range victims {
			if stage.Owner(s, "vm:on-"+node) != node {
				return false
			}
		}
		return len(stage.OnlineNodes(s)) == massNodes && stage.Protected(s) && !slices.Contains(victims, s.Leader)
	})
	if err != nil {
		return 0, err
	}
	for _, node := range victims[:dead] {
		o.world.Controller(node).SetFaults(bmc.Faults{Deaf: true})
	}
	var cutting sync.WaitGroup
	for _, node := range victims {
		cutting.Go(func() { _ = o.world.CutPower(node) })
	}
	cutting.Wait()
	fenced := func(s api.Status, nodes []string) int {
		count := 0
		for _, n := range s.Nodes {
			if slices.Contains(nodes, n.Name) && n.State == string(cluster.NodeFenced) {
				count++
			}
		}
		return count
	}
	if _, err := o.await(ctx, "those whose controllers answer are fenced",
		func(s api.Status) bool { return fenced(s, victims[dead:]) == massLost-dead }); err != nil {
		return 0, err
	}
	took, err := o.spanSince(ctx, status.Index, victims[dead:])
	if err != nil {
		return 0, err
	}
	for _, node := range victims[:dead] {
		o.world.Controller(node).SetFaults(bmc.Faults{})
	}
	if _, err := o.await(ctx, "the others are fenced once their controllers answer",
		func(s api.Status) bool { return fenced(s, victims) == massLost }); err != nil {
		return 0, err
	}
	for _, node := range victims {
		if err := o.world.Boot(ctx, node); err != nil {
			return 0, err
		}
	}
	return took, nil
}

// spanSince reads the timeline: from the first decision about any node to the last proof about
// these.
func (o *opened) spanSince(ctx context.Context, after uint64, nodes []string) (time.Duration, error) {
	events, err := o.cluster.Events(ctx, "node1", after)
	if err != nil {
		return 0, err
	}
	var first, last time.Time
	proven := 0
	for _, e := range events {
		switch {
		case e.To == "fencing" && first.IsZero():
			first = e.At
		case e.To == string(cluster.NodeFenced) && slices.Contains(nodes, e.Subject):
			last = e.At
			proven++
		}
	}
	if first.IsZero() || proven != len(nodes) {
		return 0, fmt.Errorf("the timeline tells %d proofs about %s", proven, strings.Join(nodes, ", "))
	}
	return last.Sub(first), nil
}
