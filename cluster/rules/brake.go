package rules

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// Brake says why one more shot is too many (law L8). Whatever the numbers are,
// half of the nodes or more are never shot: so many that fall silent at once
// are more likely to be cut off than dead. The shots in more are not in the State
// yet. Apply judges with the entry's time, Plan with its View's estimate.
func (w *World) Brake(at time.Time, more ...string) message.Text {
	limits := w.Document.Fencing.WithDefaults()
	if busy := append(w.underWay(), more...); len(busy) >= limits.AtOnce {
		if len(busy) == 1 {
			return message.BrakeOneAtOnce.With(busy[0])
		}
		return message.BrakeSomeAtOnce.With(busy, limits.AtOnce)
	}
	down := 1 + len(more)
	for _, name := range w.Nodes.Keys() {
		if n, _ := w.Nodes.Get(name); n.State == cluster.NodeFenced || w.Fences.Has(name) ||
			(n.State == cluster.NodeCut && len(w.HeldBy(n)) == 0) {
			down++
		}
	}
	// The two-node rule is the exception: where one of two may go on alone, the one
	// that has a quorum may shoot the other.
	exception := down == 1 && w.TwoNodeRule().IsZero()
	if 2*down >= w.Nodes.Len() && !exception {
		return message.BrakeHalfOfNodes.With(down, w.Nodes.Len())
	}
	recent := len(more)
	for _, shot := range w.Shots() {
		if at.Sub(shot.At) <= limits.Window {
			recent++
		}
	}
	if recent >= limits.Shots {
		return message.BrakeTooManyShots.With(recent, limits.Window)
	}
	return message.Text{}
}

// underWay are the shots that hold up another one. A shot of which an attempt
// has ended without a proof no longer holds anybody up: its device may be dead for
// hours, and other nodes have devices of their own. It goes on counting among
// the nodes that are down, and in the window.
func (w *World) underWay() []string {
	var busy []string
	for _, name := range w.Fences.Keys() {
		if open, _ := w.Fences.Get(name); open.TriedTotal == 0 {
			busy = append(busy, name)
		}
	}
	return busy
}

// Estimate is about what time it is: that of the newest event, and what has
// passed since by this node's own stopwatch. It is for telling and for policy
// windows, as Entry.At is.
func Estimate(v cluster.View, w *World) time.Time {
	if len(w.Timeline()) == 0 {
		return time.Time{}
	}
	return w.Timeline()[len(w.Timeline())-1].At.Add(v.Quiet)
}

// Attempts is how often one node tries each level of a node in a row.
func (w *World) Attempts(node string) []int {
	attempts := make([]int, len(w.Document.Nodes[node].Fence))
	for level := range attempts {
		if !w.cutBy(node, level) { // what it can prove is proven; the levels after it may prove more
			attempts[level] = fence.AttemptsAt(w.DevicesOf(node, level))
		}
	}
	return attempts
}

// ShotDelay is what the first level of a node waits before an intent. It is over
// before the decision, because a committed intent is not spared.
func (w *World) ShotDelay(node string) time.Duration {
	return fence.DelayOf(w.DevicesOf(node, 0))
}

// DisarmedWhy says why nothing is shot now; nothing when it is. A time that is over
// counts as over also before somebody said so in the log.
func (w *World) DisarmedWhy(at time.Time) message.Text {
	if w.Disarmed() == nil || !at.Before(w.Disarmed().Until) {
		return message.Text{}
	}
	return w.Disarmed().Says()
}
