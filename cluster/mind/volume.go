package mind

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// tellHypervisor proposes what this node found out about its hypervisor, where the State
// says something else.
func (n *Node) tellHypervisor(now time.Duration, in Input, out *Output) {
	w := &n.hypervisor
	if in.Hypervisor != nil && *in.Hypervisor != w.now {
		w.now, w.ever = *in.Hypervisor, false
	}
	why := message.Words(w.now)
	if in.Odd {
		why = message.NodeStandsBy.With()
	}
	me, known := in.State.Nodes.Get(n.self)
	told := why.IsZero() == me.Hung.IsZero() && in.Odd == me.StandsBy() // other words for the same are no news
	if !known || in.Incarnation == 0 || me.Incarnation != in.Incarnation || told ||
		(w.ever && now-w.at < cluster.PauseHypervisor) {
		return
	}
	w.at, w.ever = now, true
	command := cluster.NodeHypervisor{Node: n.self, Incarnation: in.Incarnation, Why: why}
	n.proposeOnce(now, in.State, []string{cluster.KeyOf(command)}, []cluster.Command{command}, false, out)
}

// idle reports whether the State knows enough: other words for the same are no news.
func (w *hungWatch) idle(me cluster.Member) bool { return (w.now == "") == (me.Hung.IsZero()) }

// pauseCapacity is how long a node waits before it says again what its host has.
const pauseCapacity = 10 * time.Second

// tellCapacity proposes what this node's host has, where the State says something else.
func (n *Node) tellCapacity(now time.Duration, in Input, out *Output) {
	w := &n.capacity
	if in.Capacity != nil && *in.Capacity != w.now {
		w.now, w.ever = *in.Capacity, false
	}
	me, known := in.State.Nodes.Get(n.self)
	if !known || in.Incarnation == 0 || me.Incarnation != in.Incarnation || w.idle(me) ||
		(w.ever && now-w.at < pauseCapacity) {
		return
	}
	w.at, w.ever = now, true
	command := cluster.NodeCapacity{Node: n.self, Incarnation: in.Incarnation, Capacity: w.now}
	n.proposeOnce(now, in.State, []string{cluster.KeyOf(command)}, []cluster.Command{command}, false, out)
}

// idle reports whether the State knows what was measured last. What cannot be measured says
// nothing.
func (w *capacityWatch) idle(me cluster.Member) bool { return !w.now.Known() || w.now == me.Capacity }

// How often a node speaks of its volume. One that cannot write does not see in its own
// State that it was heard.
const (
	pauseVolume     = 10 * time.Second
	pauseVolumeMost = 10 * time.Minute
	// wellFor is how long a volume has to be well before it is called so.
	wellFor = 30 * time.Second
	// volumeWords is how long other words about the same thing wait.
	volumeWords = 10 * time.Minute
)

// tellVolume proposes what this node found out about its volume, where the State says
// something else.
func (n *Node) tellVolume(now time.Duration, in Input, out *Output) {
	w := &n.volume
	if in.Volume != nil && *in.Volume != w.now {
		w.now, w.since = *in.Volume, now
	}
	me, known := in.State.Nodes.Get(n.self)
	if !known || in.Incarnation == 0 || me.Incarnation != in.Incarnation || !w.due(now, me.LastVolume()) {
		return
	}
	w.pause = min(max(2*w.pause, pauseVolume), pauseVolumeMost)
	if w.said != w.now {
		w.pause = pauseVolume
	}
	w.said, w.at, w.ever = w.now, now, true
	command := cluster.NodeVolume{Node: n.self, Incarnation: in.Incarnation, Volume: w.now}
	n.proposeOnce(now, in.State, []string{cluster.KeyOf(command)}, []cluster.Command{command}, false, out)
}

// due reports whether it is to be said now how the volume is.
func (w *volumeWatch) due(now time.Duration, known cluster.Volume) bool {
	worse := w.now.Failing && !w.said.Failing || !w.now.None() && w.said.None()
	switch {
	case w.now == known:
		return false
	case w.ever && w.said == w.now:
		return now-w.at >= w.pause
	case w.ever && now-w.at < pauseVolume && !worse:
		return false
	case w.now.None() || known.Failing && !w.now.Failing:
		return now-w.since >= wellFor
	case known.Failing == w.now.Failing && !known.None():
		return now-w.at >= volumeWords
	}
	return true
}

// idle reports whether time alone gives nothing to say.
func (w *volumeWatch) idle(s *cluster.State, self string) bool {
	me, _ := s.Nodes.Get(self)
	known := me.LastVolume()
	return w.now == known || (w.now.Failing == known.Failing && !w.now.None() && !known.None())
}
