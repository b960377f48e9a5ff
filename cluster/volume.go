package cluster

import (
	"fmt"
	"time"
)

// Volume is what a node found wrong with the volume on which its log and its State lie.
type Volume struct {
	Why string `json:"why"`
	// Failing: nothing can be written there. Else it is only running full.
	Failing bool `json:"failing,omitempty"`
}

// None reports whether nothing is wrong.
func (v Volume) None() bool { return v.Why == "" }

// NodeVolume tells of an edge: the data volume of a node fails, runs full, or is well
// again. It decides nothing; a node that follows no log is judged by that.
type NodeVolume struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Volume      Volume `json:"volume"`
}

// Kind is the word that names the command in the log.
func (NodeVolume) Kind() string { return "node-volume" }

// mostVolumeWords bounds what a node may say about its volume.
const mostVolumeWords = 500

func (t *transaction) applyNodeVolume(c NodeVolume) refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known || n.Incarnation != c.Incarnation:
		return refuse("what is said about the volume of %s is from an older incarnation", c.Node)
	case len(c.Volume.Why) > mostVolumeWords:
		return refuse("%s says too much about its volume", c.Node)
	case n.volume() == c.Volume:
		return accepted // told twice
	}
	before := n.volume()
	n.Volume = nil
	why := "its data volume is well again"
	if !c.Volume.None() {
		volume := c.Volume
		n.Volume = &volume
		why = volume.words()
	}
	t.Nodes.Set(c.Node, n)
	if before.Failing != c.Volume.Failing || before.None() != c.Volume.None() {
		t.tell(Event{Node: c.Node, Subject: c.Node, Why: why})
	}
	return accepted
}

// volume is what the node said last about its volume.
func (n Member) volume() Volume {
	if n.Volume == nil {
		return Volume{}
	}
	return *n.Volume
}

// words say what is wrong.
func (v Volume) words() string {
	if v.Failing {
		return "its data volume cannot be written, so it takes no part in the log: " + v.Why
	}
	return "its data volume is running full: " + v.Why
}

// next says what to do. A node that cannot write follows the log no more, and is judged by that.
func (v Volume) next(node string) string {
	next := fmt.Sprintf("make room on %s, or see its kernel log for what is wrong with the disk; its VMs run on", node)
	if v.Failing {
		next += ", and unless it follows the log again it is fenced as a deaf node and they start elsewhere"
	}
	return next
}

// noteVolumes says which nodes cannot write, or soon cannot.
func noteVolumes(w *World, d *Decision) {
	for _, n := range w.Nodes.Rows() {
		if n.Volume != nil {
			d.wait(n.Name, n.Volume.words(), n.Volume.next(n.Name))
		}
	}
}

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

// volumeWatch is what a node knows of its own volume, and what it said.
type volumeWatch struct {
	now   Volume
	since time.Duration
	said  Volume
	at    time.Duration
	pause time.Duration
	ever  bool
}

// tellVolume proposes what this node found out about its volume, where the State says
// something else.
func (n *Node) tellVolume(now time.Duration, in Input, out *Output) {
	w := &n.volume
	if in.Volume != nil && *in.Volume != w.now {
		w.now, w.since = *in.Volume, now
	}
	me, known := in.State.Nodes.Get(n.self)
	if !known || in.Incarnation == 0 || me.Incarnation != in.Incarnation || !w.due(now, me.volume()) {
		return
	}
	w.pause = min(max(2*w.pause, pauseVolume), pauseVolumeMost)
	if w.said != w.now {
		w.pause = pauseVolume
	}
	w.said, w.at, w.ever = w.now, now, true
	command := NodeVolume{Node: n.self, Incarnation: in.Incarnation, Volume: w.now}
	n.proposeOnce(now, in.State, []string{"volume"}, []Command{command}, false, out)
}

// due reports whether it is to be said now how the volume is.
func (w *volumeWatch) due(now time.Duration, known Volume) bool {
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
func (w *volumeWatch) idle(s *State, self string) bool {
	me, _ := s.Nodes.Get(self)
	known := me.volume()
	return w.now == known || (w.now.Failing == known.Failing && !w.now.None() && !known.None())
}
