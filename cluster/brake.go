package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// The brake of law L8 where the document says nothing: shots under way at once,
// and how many are allowed within the window, without an operator.
const (
	brakeAtOnce = 1
	brakeWindow = 10 * time.Minute
	brakeShots  = 6
)

// Fencing is what the document says about fencing as a whole. A zero field
// means its default.
type Fencing struct {
	// AtOnce is how many nodes may be fenced at the same time.
	AtOnce int `json:"atOnce,omitempty"`
	// Shots is how many nodes may be fenced within Window.
	Shots  int           `json:"shots,omitempty"`
	Window time.Duration `json:"window,omitempty"`
	// Drills is the schedule of drills.
	Drills Drills `json:"drills,omitzero"`
}

// WithDefaults fills in what the document leaves out.
func (f Fencing) WithDefaults() Fencing {
	if f.AtOnce == 0 {
		f.AtOnce = brakeAtOnce
	}
	if f.Shots == 0 {
		f.Shots = brakeShots
	}
	if f.Window == 0 {
		f.Window = brakeWindow
	}
	return f
}

// brake says why one more shot is too many (law L8). Whatever the numbers are,
// half of the nodes or more are never shot: so many that fall silent at once
// are more likely to be cut off than dead. The shots in more are not in the State
// yet. Apply judges with the entry's time, Plan with its View's estimate.
func (w *World) brake(at time.Time, more ...string) string {
	limits := w.Document.Fencing.WithDefaults()
	if busy := append(w.underWay(), more...); len(busy) >= limits.AtOnce {
		atOnce := "one node"
		if limits.AtOnce > 1 {
			atOnce = counted(limits.AtOnce, "node")
		}
		are := "is"
		if len(busy) > 1 {
			are = "are"
		}
		return fmt.Sprintf("%s %s being fenced, %s at a time", joined(busy), are, atOnce)
	}
	down := 1 + len(more)
	for _, name := range w.Nodes.Keys() {
		if n, _ := w.Nodes.Get(name); n.State == NodeFenced || w.Fences.Has(name) || (n.State == NodeCut && len(w.heldBy(n)) == 0) {
			down++
		}
	}
	// The two-node rule is the exception: where one of two may go on alone, the one
	// that has a quorum may shoot the other.
	exception := down == 1 && w.twoNodeRule() == ""
	if 2*down >= w.Nodes.Len() && !exception {
		return fmt.Sprintf("one more shot would make %d of %d nodes; half of them or more are never shot without an operator", down, w.Nodes.Len())
	}
	recent := len(more)
	for _, shot := range w.Shots() {
		if at.Sub(shot.At) <= limits.Window {
			recent++
		}
	}
	if recent >= limits.Shots {
		return fmt.Sprintf("%d shots in the last %s, the limit without an operator", recent, limits.Window)
	}
	return ""
}

// underWay are the shots that hold up another one. A shot of which an attempt
// has ended without a proof holds up nobody any more: its device may be dead for
// hours, and other nodes have devices of their own. It goes on counting among
// the nodes that are down, and in the window.
func (w *World) underWay() []string {
	var busy []string
	for _, name := range w.Fences.Keys() {
		if open, _ := w.Fences.Get(name); open.TriedTotal == 0 || w.Level() < levelTwo {
			busy = append(busy, name)
		}
	}
	return busy
}

// estimate is about what time it is: that of the newest event, and what has
// passed since by this node's own stopwatch. It is for telling and for policy
// windows, as Entry.At is.
func (v View) estimate(w *World) time.Time {
	if len(w.Timeline()) == 0 {
		return time.Time{}
	}
	return w.Timeline()[len(w.Timeline())-1].At.Add(v.Quiet)
}

// attempts is how often one node tries each level of a node in a row.
func (w *World) attempts(node string) []int {
	attempts := make([]int, len(w.Document.Nodes[node].Fence))
	for level := range attempts {
		if !w.cutBy(node, level) { // what it can prove is proven; the levels after it may prove more
			attempts[level] = fence.AttemptsAt(w.devicesOf(node, level))
		}
	}
	return attempts
}

// shotDelay is what the first level of a node waits before an intent. It is over
// before the decision, because a committed intent is not spared.
func (w *World) shotDelay(node string) time.Duration {
	return fence.DelayOf(w.devicesOf(node, 0))
}
