package daemon

import (
	"context"
	"time"

	"github.com/clusterd/clusterd/cluster"
	clustermind "github.com/clusterd/clusterd/cluster/mind"
)

// loop is the only goroutine that steps the mind.
func (d *Daemon) loop(ctx context.Context) {
	ticker := time.NewTicker(cluster.Tick)
	defer ticker.Stop()
	mind := clustermind.NewNode(d.name)
	started := time.Now()
	counts := map[string]uint64{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-d.box.woken:
		}
		in := d.box.drain()
		in.Beats = d.newBeats(counts)
		in.State = d.replica.Root()
		in.Incarnation, in.End = d.admission.Incarnation(), d.log.Held().LastIndex
		role := d.role.Load()
		in.Leader, in.Leading = role.leader, role.leading
		if in.Leading {
			in.Term = role.term
		}
		in.Odd = d.comparing.Odd()
		d.guard.Guarded(&in)
		out := mind.Step(time.Since(started), in)
		d.pair.Watch(mind, in.State)
		d.publish(out)
		d.guard.Obey(ctx, out)
		if out.Planned != nil {
			d.plans.Keep(out.Planned, time.Now())
		}
		for _, p := range out.Propose {
			d.carry(ctx, p)
		}
		for _, duty := range out.Do {
			d.executor.Take(ctx, duty)
		}
		for _, node := range out.Test {
			d.test(ctx, node)
		}
	}
}

// decided is what the last Step came to, as it is shown. It never changes.
type decided struct {
	notes []cluster.Note
	// view is what a leader's notes come from, of the moment at; nil on a node that has planned
	// nothing.
	view *cluster.View
	at   time.Time
}

// publish shows what a Step came to.
func (d *Daemon) publish(out clustermind.Output) {
	next := decided{notes: out.Notes, view: out.Seen, at: time.Now()}
	if last := d.decided.Load(); next.view != nil && next.view == last.view {
		next.at = last.at
	}
	d.decided.Store(&next)
}

// newBeats compares the heartbeat counters with those of the last Step.
func (d *Daemon) newBeats(counts map[string]uint64) []clustermind.Beat {
	var beats []clustermind.Beat
	heard, now := d.pulse.Heard(), time.Now()
	d.hearing.keep(heard)
	for node, beat := range heard {
		if beat.Count != counts[node] {
			counts[node] = beat.Count
			d.hearing.note(node, now)
			beats = append(beats, clustermind.Beat{Node: node, Incarnation: beat.Incarnation, Applied: beat.Applied,
				End: beat.Held.LastIndex})
		}
	}
	return d.otherVoter(d.leaderBeat(counts, beats))
}

// otherVoter counts the second of two voters as heard as long as this node leads: without it
// there would be no quorum. A leader that the other one has just elected would otherwise call it
// lost, because its first beat is still on its way.
func (d *Daemon) otherVoter(beats []clustermind.Beat) []clustermind.Beat {
	if !d.role.Load().leading {
		return beats
	}
	other, voters := "", 0
	for _, m := range d.log.Members() {
		if m.Voter {
			voters++
		}
		if m.Voter && m.ID != d.name {
			other = m.ID
		}
	}
	member, known := d.replica.Root().Nodes.Get(other)
	if voters != 2 || !known {
		return beats
	}
	said := d.pulse.Heard()[other] // what its last beat said of its log still holds
	return append(beats, clustermind.Beat{Node: other, Incarnation: member.Incarnation, Applied: said.Applied,
		End: said.Held.LastIndex})
}

// leaderBeat counts the leader as heard when only its log entries came so far. Without it a node
// that takes over within half a second of its own start would give the lost leader the grace of
// a node that nobody has seen yet.
func (d *Daemon) leaderBeat(counts map[string]uint64, beats []clustermind.Beat) []clustermind.Beat {
	leader := d.role.Load().leader
	if leader == "" || leader == d.name || counts[leader] != 0 {
		return beats
	}
	r := d.log.Role()
	member, known := d.replica.Root().Nodes.Get(leader)
	if !known || r.Leader != leader || r.LastContact.IsZero() || time.Since(r.LastContact) > cluster.Tick {
		return beats
	}
	return append(beats, clustermind.Beat{Node: leader, Incarnation: member.Incarnation})
}
