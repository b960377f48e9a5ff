package sim

import (
	"math/rand/v2"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
)

// deafSalt draws when the log and the heartbeats part; the faults of a seed are otherwise
// what they were.
const deafSalt = 43

const (
	// nudgeEvery is how often a leader has an entry of raft's own written, so that a way that
	// is broken is found in a quiet cluster too.
	nudgeEvery = 5 * time.Second
	// deafKnown is how long after a node became deaf, or another one led, work may still be
	// sent there: the next nudge, the limit, and an entry on its way.
	deafKnown = nudgeEvery + 4*time.Second + 3*time.Second
	// intentNoted is how long an intent may be open without a word.
	intentNoted = 90 * time.Second
)

// deafFaults let the log pass where the heartbeats do not, and the other way round.
func deafFaults() []faultKind {
	return []faultKind{
		{"deaf", 0, func(w *World, f Fault, h *Host) {
			stuck := f.Choice%2 == 0
			w.Deafen(h, stuck)
			w.After(f.While, func() { w.Undeafen(h) })
		}},
		{"mute", 0, func(w *World, f Fault, h *Host) {
			w.Mutes(h, true)
			w.After(f.While, func() { w.Mutes(h, false) })
		}},
	}
}

// deafen draws them in some worlds.
func (s *Script) deafen(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), deafSalt))
	if r.IntN(3) == 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range r.IntN(3) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(20*time.Second))),
				While: 2*time.Second + time.Duration(r.Int64N(int64(38*time.Second))),
				Kind:  pick(r, []string{"deaf", "deaf", "mute"}), Host: pick(r, s.Nodes), Other: pick(r, s.Nodes),
				Service: pick(r, s.serviceNames()), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// Deafen stops the log on its way to a host, and nothing else: its port is closed, or its
// folder cannot be written.
func (w *World) Deafen(h *Host, stuck bool) {
	if h.Stuck = h.Stuck || stuck; !stuck {
		for _, other := range w.order {
			if other != h {
				w.network.cut[Log][other.place][h.place] = true
			}
		}
	}
	w.tell("%s gets nothing of the log (its folder cannot be written: %v)", h.Name, stuck)
	w.changed()
}

// Undeafen ends that.
func (w *World) Undeafen(h *Host) {
	h.Stuck = false
	for _, other := range w.order {
		w.network.cut[Log][other.place][h.place] = false
	}
	w.healed = w.Now
	w.tell("%s gets the log", h.Name)
	w.changed()
}

// Mutes stops a host's heartbeats, and nothing else.
func (w *World) Mutes(h *Host, mute bool) {
	for _, other := range w.order {
		if other != h {
			w.network.cut[Beats][h.place][other.place] = mute
		}
	}
	w.healed = w.Now
	w.tell("no heartbeat of %s passes: %v", h.Name, mute)
	w.changed()
}

// carries reports whether entries get from one host's log into another's.
func (w *World) carries(from, to *Host) bool {
	return !to.Stuck && (from == to || (!w.network.cut[Log][from.place][to.place] && from.finds(to)))
}

// deaf reports whether somebody who may lead cannot get an entry to a host.
func (w *World) deaf(h *Host) bool {
	for _, other := range w.order {
		if !w.carries(other, h) {
			return true
		}
	}
	return false
}

// watchDeaf notes since when a host is deaf, and when whoever leads could last get an entry to it.
func (w *World) watchDeaf(h *Host) {
	leader := w.Hosts[w.raft.leader]
	carried := leader == nil || w.carries(leader, h)
	if carried || h.carried {
		h.carriedAt = w.Now
	}
	h.carried = carried
	switch deaf := w.deaf(h); {
	case deaf && !h.isDeaf:
		h.isDeaf, h.deafSince = true, w.Now
	case !deaf && h.isDeaf:
		h.isDeaf, h.deafUntil = false, w.Now
	}
}

func (w *World) watchAllDeaf() {
	for _, h := range w.order {
		w.watchDeaf(h)
	}
}

// upToDate reports whether nothing of the log is on its way to a host for long.
func (w *World) upToDate(h *Host) bool {
	leader := w.Hosts[w.raft.leader]
	return leader != nil && w.carries(leader, h) && h.Slow == 0 && h.state.Index == leader.state.Index
}

// watchLed notes since when somebody leads who can commit: without that there is nothing
// that a node could fail to take.
func (w *World) watchLed() {
	led := w.Leader() != ""
	if led && !w.led {
		w.ledSince = w.Now
	}
	w.led = led
}

// onlyDeaf reports whether a host was deaf lately, and for less than so long.
func (w *World) onlyDeaf(h *Host, grace time.Duration) bool {
	return w.wasDeaf(h) && w.Now-h.deafSince < grace
}

func (w *World) wasDeaf(h *Host) bool {
	return h.isDeaf || (h.deafUntil > 0 && w.Now-h.deafUntil <= noTroubleFor)
}

// beatOf is what a host's daemon says in its beats. In a quiet cluster the leader's nudges
// move the end of each log that it reaches.
func (w *World) beatOf(h *Host) mind.Beat {
	leader := w.Hosts[w.Leader()]
	follows := func() bool {
		return w.talks(h, leader) && w.carries(leader, h) && h.state.Index == leader.state.Index
	}
	if leader != nil && (leader == h || follows()) {
		h.nudged = uint64(w.Now / nudgeEvery)
	}
	return mind.Beat{Node: h.Name, Incarnation: h.daemon.incarnation, Applied: h.state.Index,
		End: h.log.held.LastIndex + h.nudged}
}

// watchDeafTarget holds that nothing is sent to a node that cannot take it.
func (w *World) watchDeafTarget(c cluster.Begin) {
	node := c.Node
	if c.Intent == cluster.IntentMigrate {
		node = c.Target
	} else if c.Intent != cluster.IntentStart {
		return
	}
	h := w.Hosts[node]
	if h == nil || !h.isDeaf || w.watched.limbo || h.Name == w.raft.leader {
		return
	}
	if leader := w.Hosts[w.raft.leader]; leader == nil || w.carries(leader, h) {
		return
	}
	if since := max(h.carriedAt, w.ledSince); w.Now-since > deafKnown {
		w.violate("deaf: %s is sent to %s, which has taken nothing of the log for %s", c.Service, node, w.Now-since)
	}
}

// watchOpen holds that no intent is open for long without a word.
func (w *World) watchOpen(service *cluster.Service) {
	i := service.Intent
	if int(i.Index) <= len(w.raft.log) {
		// A leader that has only just come says nothing yet.
		if open := w.Now - max(w.raft.log[i.Index-1].when, w.ledSince); open > intentNoted {
			w.violate("silence: the %s of %s on %s has been open for %s, and nothing tells of it", i.Kind, service.Spec.Name,
				i.Node, open)
		}
	}
}
