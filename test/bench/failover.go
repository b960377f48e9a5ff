package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

const (
	// shotsPerCluster keeps below the brake, which allows six shots in ten minutes; a new cluster
	// has a new count.
	shotsPerCluster = 6
	// calm is how long the cluster is left alone before the power is cut.
	calm = 3 * time.Second
	// total is the row that the figures are taken from.
	total = "power cut -> VM running"
)

var victimService = stage.Service{Guest: lab.Guest{Name: "victim", Number: 31}}

// failover cuts the power of the host that runs a VM, by turns a follower's and the leader's.
func failover(ctx context.Context, b *bench) error {
	fmt.Printf("%d power cuts of a follower's host and %d of the leader's, by turns, default settings\n", b.rounds,
		b.rounds)
	fmt.Printf("(a new cluster on the same hosts after each %d, the brake on fencing counts per cluster)\n",
		shotsPerCluster)
	tables := map[bool]*table{false: newTable("a follower's host"), true: newTable("the leader's host")}
	watch, err := b.world.Watch(victimService.Guest)
	if err != nil {
		return err
	}
	defer watch.Stop()
	for shot := range 2 * b.rounds {
		if shot%shotsPerCluster == 0 {
			if err := b.refound(ctx, shot > 0); err != nil {
				return err
			}
		}
		leader := shot%2 == 1
		if err := b.shoot(ctx, watch, leader, tables[leader]); err != nil {
			return fmt.Errorf("power cut %d: %w", shot+1, err)
		}
	}
	if err := b.world.CheckSingleWriter(victimService.Guest); err != nil {
		return err
	}
	fmt.Print(tables[false], tables[true])
	fmt.Println("\nthe record of the block server: one writer at a time")
	fmt.Printf("figure: failover_follower_ms=%d failover_leader_ms=%d\n", tables[false].median(total),
		tables[true].median(total))
	return nil
}

func (b *bench) refound(ctx context.Context, again bool) error {
	if again {
		if err := b.cluster.Forget(ctx); err != nil {
			return err
		}
	}
	return b.found(ctx, stage.Plan{Cluster: "bench", Services: []stage.Service{victimService}, Probes: true})
}

// shoot places the VM on the victim, cuts its power, measures, and gives the power back.
func (b *bench) shoot(ctx context.Context, watch stage.Watch, leader bool, into *table) error {
	status, err := b.place(ctx, leader)
	if err != nil {
		return err
	}
	pause(ctx, calm)
	victim := stage.Owner(status, victimService.Name())
	watch.Reset()
	began := time.Now()
	if err := b.world.CutPower(victim); err != nil {
		return err
	}
	after, err := b.cluster.Wait(ctx, "the VM runs elsewhere", func(s api.Status) bool {
		owner := stage.Owner(s, victimService.Name())
		return owner != "" && owner != victim
	})
	if err != nil {
		return err
	}
	if err := waitForAnswer(ctx, watch); err != nil {
		return err
	}
	if err := b.measure(ctx, status.Index, began, stage.Owner(after, victimService.Name()), watch.Seen(),
		into); err != nil {
		return err
	}
	if err := b.world.Boot(ctx, victim); err != nil {
		return err
	}
	_, err = b.cluster.Wait(ctx, victim+" is back and all is at rest", atRest)
	return err
}

// place moves the VM to the leader's host, or to one that is not the leader's.
func (b *bench) place(ctx context.Context, leader bool) (api.Status, error) {
	status, err := b.cluster.Wait(ctx, "all is at rest", atRest)
	if err != nil {
		return status, err
	}
	owner := stage.Owner(status, victimService.Name())
	if (owner == status.Leader) == leader {
		return status, nil
	}
	target := status.Leader
	if !leader {
		target = b.world.Nodes()[slices.IndexFunc(b.world.Nodes(), func(node string) bool { return node != status.Leader })]
	}
	result, err := stage.Run(ctx, b.world, status.Leader, "clusvcadm", "-M", victimService.Name(), "-m", target)
	if err != nil {
		return status, err
	}
	if !result.OK() {
		return status, fmt.Errorf("the VM could not be moved to %s: %s", target, result.Output)
	}
	return b.cluster.Wait(ctx, "the VM runs on "+target, func(s api.Status) bool {
		return atRest(s) && stage.Owner(s, victimService.Name()) == target && s.Leader == status.Leader
	})
}

// measure takes the phases out of the timeline. All hosts of the lab read the same clock.
func (b *bench) measure(ctx context.Context, after uint64, cut time.Time, node string, seen stage.Seen,
	into *table) error {
	events, err := b.cluster.Events(ctx, node, after)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(events, func(e cluster.Event) bool {
		return e.Subject == victimService.Name() && e.To == "started" && len(e.Phases) > 0
	})
	if at < 0 {
		return fmt.Errorf("the timeline has no start of %s after event %d", victimService.Name(), after)
	}
	moments := map[string]time.Time{"power cut": cut, "guest answering": seen.RunSince}
	for _, phase := range events[at].Phases {
		moments[phase.What] = phase.At
	}
	for _, span := range [][2]string{
		{"last heard", "lost"}, {"power cut", "lost"}, {"lost", "fence sent"}, {"fence sent", "off accepted"},
		{"off accepted", "off confirmed"},
		{"off confirmed", "start issued"}, {"start issued", "created paused"}, {"created paused", "VM running"},
		{"VM running", "guest answering"},
		{"power cut", "VM running"}, {"power cut", "guest answering"},
	} {
		from, to := moments[span[0]], moments[span[1]]
		if from.IsZero() || to.IsZero() {
			return fmt.Errorf("the timeline lacks the moment %q or %q: %+v", span[0], span[1], events[at].Phases)
		}
		into.add(span[0]+" -> "+span[1], to.Sub(from))
	}
	fmt.Printf("%-18s %5d ms until the VM ran on %s\n", into.title, moments["VM running"].Sub(cut).Milliseconds(), node)
	return nil
}
