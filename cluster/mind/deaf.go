package mind

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// hears takes in one more beat of a node. Since is the time from the one before it,
// and all that counts: while a node is silent, its silence is judged and not its log.
func hears(l cluster.Logwatch, b Beat, applied, end uint64, since, limit time.Duration) cluster.Logwatch {
	if b.Applied == 0 && b.End == 0 {
		return l // it is known to live by other means, which say nothing of its log
	}
	moves := b.Applied > l.Applied
	if b.Applied >= l.ApplyGoal {
		moves = b.End >= l.EndGoal || b.End > l.End
	}
	if moves {
		l.Still, l.Well = 0, l.Well+since
	} else {
		l.Still, l.Well = l.Still+since, 0
	}
	if l.Still >= limit {
		l.Deaf = true
	} else if l.Well >= cluster.DeafBack {
		l.Deaf = false
	}
	l.Applied, l.End, l.ApplyGoal, l.EndGoal = b.Applied, b.End, applied, end
	return l
}

// logKnown is what the State says of a node's log until this leader has measured otherwise. It
// counts from the leader's first step, before any beat: else a node that was deaf under the last
// leader would be taken for well by the next, and be given work until that one had waited in
// vain itself.
func logKnown(l cluster.Logwatch, node *cluster.Member, in Input) cluster.Logwatch {
	l.Deaf = l.Deaf || (in.Leading && node.State == cluster.NodeDeaf && l.Well < cluster.DeafBack)
	return l
}

// starts is what the leader makes of a node that starts again and again. Like all that it measures
// of others it begins at zero when it begins to lead.
func (n *Node) starts(w cluster.Contactwatch, node *cluster.Member, tick time.Duration, b Beat,
	in Input) cluster.Startwatch {
	if !in.Leading {
		return cluster.Startwatch{}
	}
	timing, heard := cluster.TimingFor(in.State.Document.Timing), time.Duration(0)
	if b.Node != "" && b.Incarnation == node.Incarnation {
		heard = min(w.Silence+tick, timing.Test)
	}
	return w.Starts.Goes(node, w.Known, tick, heard, timing.SilentGrace)
}

// followed is what the leader makes of a beat. A follower measures nothing of the log, and the
// stopwatches of a new leader begin at zero: the way from the last one may be what was broken.
func (n *Node) followed(w cluster.Contactwatch, node *cluster.Member, b Beat, tick time.Duration,
	in Input) cluster.Logwatch {
	if !in.Leading {
		return cluster.Logwatch{}
	}
	l, timing := w.Log, cluster.TimingFor(in.State.Document.Timing)
	if node.Incarnation != w.Known {
		l = cluster.Logwatch{} // the daemon that was measured is gone
	}
	return hears(l, b, in.State.Index, in.End, min(w.Silence+tick, timing.Test), timing.Deaf)
}
