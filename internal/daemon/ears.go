package daemon

import (
	"context"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/quorum"
)

// role is what this node believes about the leadership. Leading is only set
// after the barrier of the term: the State holds everything committed before.
type role struct {
	leader  string
	leading bool
	term    uint64
	member  bool
}

// watchRole follows the leadership.
func (d *Daemon) watchRole(ctx context.Context) {
	for {
		r := d.log.Role()
		old := d.role.Load()
		now := role{leader: r.Leader, term: r.Term, member: r.Member}
		if r.IsLeader {
			now.leading = old.leading && old.term == r.Term
		}
		d.stewardship.note(now.leader, time.Now())
		d.metrics.Tally.Led(now.leader)
		d.setRole(now)
		if r.IsLeader && !now.leading && d.admission.Begun() && d.passTerm(ctx, r.Term) {
			now.leading = true
			d.setRole(now)
		}
		if r.IsLeader && !now.leading {
			if !sleep.For(ctx, 20*time.Millisecond) {
				return
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-d.log.Roles():
		}
	}
}

func (d *Daemon) setRole(now role) {
	if now == *d.role.Load() {
		return
	}
	d.role.Store(&now)
	d.box.wake()
	d.logger.Info("leadership", "leader", now.leader, "leading", now.leading, "term", now.term)
}

// termLimit bounds the wait for the barrier of a term; after it the role is
// looked at anew.
const termLimit = time.Second

// passTerm makes sure that this node leads the term and has applied what was
// committed before it. Verify alone would also succeed through the next leader.
func (d *Daemon) passTerm(ctx context.Context, term uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, termLimit)
	defer cancel()
	if d.log.Verify(ctx) != nil {
		return false
	}
	r := d.log.Role()
	return r.IsLeader && r.Term == term
}

// test asks the peers to reach a node and hands the verdict to the mind.
func (d *Daemon) test(ctx context.Context, node string) {
	d.work.Go(func() {
		verdict := d.pulse.Test(ctx, node)
		d.box.add(func(in *mind.Input) { in.Verdicts = append(in.Verdicts, judged(verdict)) })
		d.yield(ctx, verdict)
	})
}

// judged puts a verdict into the mind's words.
func judged(v quorum.Verdict) cluster.Verdict {
	said := make([]message.Text, 0, len(v.SeenBy))
	for _, w := range v.SeenBy {
		said = append(said, message.PeerSaw.With(w.Peer, w.Kernel, w.Daemon))
	}
	verdict := cluster.Verdict{Node: v.Node, Kernel: answer(v.Kernel), Daemon: answer(v.Daemon),
		Why: message.PeersSaw.With(said)}
	if verdict.Kernel == cluster.Silent && len(v.SeenBy) > 1 && !confirmed(v.SeenBy[1:]) {
		// Only this node could look, and it may be the one that is cut off.
		verdict.Kernel = cluster.Uncertain
	}
	return verdict
}

// confirmed reports whether at least one of the peers could look for itself.
func confirmed(peers []quorum.Witness) bool {
	return slices.ContainsFunc(peers, func(w quorum.Witness) bool { return w.Kernel != quorum.Unknown })
}

func answer(a quorum.Answer) cluster.Answer {
	switch a {
	case quorum.Answers:
		return cluster.Answers
	case quorum.Silent:
		return cluster.Silent
	}
	return cluster.Uncertain
}
