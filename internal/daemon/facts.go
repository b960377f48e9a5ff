package daemon

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
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
		Simulated: d.options.Node.Simulate != nil, Warnings: d.warnings.texts(), Knocks: d.knocks.Texts(now),
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
