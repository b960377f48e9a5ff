package daemon

import (
	"context"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/metrics"
	"github.com/clusterd/clusterd/internal/report"
)

// Status is the cluster as this node sees it.
func (d *Daemon) Status(now time.Time) api.Status {
	root := d.replica.Root()
	return report.Status(root, d.facts(root, now))
}

// facts are what is shown and stands in no State.
func (d *Daemon) facts(root *cluster.State, now time.Time) report.Facts {
	role := d.role.Load()
	f := report.Facts{Now: now, Cluster: d.membership.Cluster, ID: d.membership.ID, Local: d.name, Leader: role.leader,
		Simulated: d.options.Node.Simulate != nil, Warnings: d.warnings.Texts(), Knocks: d.register.Knocks(now),
		Voters: map[string]bool{}, Heard: map[string]bool{}, Moving: d.executor.Moving()}
	if role.leading {
		f.Notes = d.decided.Load().notes
	}
	for _, m := range d.log.Members() {
		f.Voters[m.ID] = m.Voter
	}
	silence := cluster.TimingFor(root.Document.Timing).Lost
	for _, name := range root.Nodes.Keys() {
		f.Heard[name] = d.hearing.within(name, silence, now)
	}
	return f
}

// measured are what a monitoring system is told of. It waits for this node to be level with its
// leader, as long as the context lets it.
func (d *Daemon) measured(ctx context.Context) metrics.Facts {
	current := d.isLevel(ctx)
	role, now, root := d.role.Load(), time.Now(), d.replica.Root()
	f := metrics.Facts{Now: now, Root: root, Current: current, Cluster: d.membership.Cluster, Node: d.name,
		Version: Version, Leader: role.leader, Leading: role.leading, Term: role.term, Applied: d.log.Applied(),
		Last: d.log.LastIndex(), Writable: d.log.Health().Writable, Heard: d.hearing.times(),
		Asked: map[string]metrics.Asked{}, Warnings: len(d.warnings.Texts())}
	if role.leading {
		f.Notes = d.decided.Load().notes
	}
	for device := range root.Document.Devices {
		if answer, asked := d.executor.LastCheck(device); asked {
			f.Asked[device] = metrics.Asked{At: answer.At, Faulty: answer.Check.Problem != ""}
		}
	}
	return f
}

// isLevel reports whether this node has applied what its leader said last that it has. Who leads is
// level once it has passed the barrier of its term.
func (d *Daemon) isLevel(ctx context.Context) bool {
	role := d.role.Load()
	if role.leading || role.leader == "" || role.leader == d.name {
		return role.leading
	}
	silence := cluster.TimingFor(d.replica.Root().Document.Timing).Lost
	return d.hearing.within(role.leader, silence, time.Now()) &&
		d.log.WaitApplied(ctx, d.pulse.Heard()[role.leader].Applied) == nil
}

// count keeps the tally of what is applied here.
func (d *Daemon) count(ctx context.Context) {
	d.metrics.Tally.Follow(ctx, d.replica.Root, d.replica.Changed, d.admission.Incarnation)
}
