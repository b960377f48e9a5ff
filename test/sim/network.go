package sim

import "time"

// Network is one of the networks that a host is on.
type Network int

// The networks. A link is cut in one direction; both is twice.
const (
	// Management carries heartbeats, the log, requests and migrations. What is cut here
	// is cut for all of them; Log and Beats lie on it.
	Management Network = iota
	// Board leads from a fencer to the BMC of its victim.
	Board
	// Log carries entries to the host that is to take them.
	Log
	// Beats carries the heartbeats alone.
	Beats
	networks
)

const maxHosts = 16

// network tells which links are cut, by the places of the hosts.
type network struct {
	cut [networks][maxHosts][maxHosts]bool
}

// CutOneWay breaks a link in one direction.
func (w *World) CutOneWay(net Network, from, to string) {
	w.network.cut[net][w.Hosts[from].place][w.Hosts[to].place] = true
	w.tell("link %s -> %s cut on network %d", from, to, net)
	w.changed()
}

// Cut breaks the link between two hosts on the management network.
func (w *World) Cut(a, b string) { w.link(Management, a, b, true) }

// Heal mends the link between two hosts on all networks.
func (w *World) Heal(a, b string) {
	for net := range networks {
		w.link(net, a, b, false)
	}
}

func (w *World) link(net Network, a, b string, cut bool) {
	one, other := w.Hosts[a].place, w.Hosts[b].place
	if w.network.cut[net][one][other] == cut && w.network.cut[net][other][one] == cut {
		return
	}
	w.network.cut[net][one][other], w.network.cut[net][other][one] = cut, cut
	if !cut {
		w.healed = w.Now
	}
	w.tell("link %s/%s cut on network %d: %v", min(a, b), max(a, b), net, cut)
	w.changed()
}

// Isolate cuts a host off from all others, Rejoin mends that.
func (w *World) Isolate(host string) {
	for _, h := range w.order {
		if h.Name != host {
			w.Cut(host, h.Name)
		}
	}
}

// Rejoin mends all links of a host.
func (w *World) Rejoin(host string) {
	for _, h := range w.order {
		if h.Name != host {
			w.Heal(host, h.Name)
		}
	}
}

// passes reports whether a packet gets from one host to another.
func (w *World) passes(from, to *Host) bool {
	return from.up() && to.up() && !from.at.missing && !to.at.missing &&
		(from == to || !w.network.cut[Management][from.place][to.place])
}

// linked reports whether one host can open a connection to another: packets pass in both
// directions, and it knows where the other one is.
func (w *World) linked(a, b *Host) bool { return w.passes(a, b) && w.passes(b, a) && a.finds(b) }

// talks reports whether two daemons can talk.
func (w *World) talks(a, b *Host) bool {
	return w.answers(a, b) && !a.logless() && !b.logless()
}

// answers reports whether one daemon's questions are answered by another: also by one that holds no
// log. Such a one has no vote, and still has the keys that it wrote down (rejoin.go of the daemon).
func (w *World) answers(asker, other *Host) bool {
	return asker.daemon != nil && other.daemon != nil && !asker.daemon.paused && !other.daemon.paused &&
		w.linked(asker, other) && w.trust(asker, other)
}

// hears reports whether a's daemon gets the heartbeats of b's.
func (w *World) hears(a, b *Host) bool {
	return b.daemon != nil && !b.daemon.paused && !b.logless() && w.passes(b, a) &&
		!w.network.cut[Beats][b.place][a.place] && w.pairKey(a, b) && a.finds(b) && b.finds(a)
}

// changed is called whenever somebody can be heard who could not, or cannot who
// could: sleeping minds wake up, the log looks for its leader, and the watchers
// note who is in trouble.
func (w *World) changed() {
	for _, h := range w.order {
		if h.daemon != nil {
			h.daemon.wake()
		}
	}
	w.watchElection()
	w.watchLed()
	for _, h := range w.order {
		healthy := w.healthy(h)
		if !healthy || !h.healthy {
			h.lastTrouble = w.Now
		}
		h.healthy = healthy
		w.watchDeaf(h)
		near := w.reachable(h)
		if !near || !h.near {
			h.lastDeaf = w.Now
		}
		h.near = near
		h.watchTalk(w.Now)
		leader := w.Hosts[w.Leader()]
		with := leader != nil && w.talks(h, leader)
		if !with || !h.withLeader {
			h.leaderSince = w.Now
		}
		h.withLeader = with
	}
	w.meetOthers()
	w.watchTrust()
	w.watchRestless()
}

// meetOthers lets those who can talk compare what they hold with what is remembered of it.
func (w *World) meetOthers() {
	for _, h := range w.order {
		if h.daemon == nil || h.logless() {
			continue
		}
		for _, other := range w.order {
			if other == h || !w.talks(h, other) {
				continue
			}
			why := h.log.held.MayBeHeard(other.log.known.others[h.place])
			if why.IsZero() {
				continue
			}
			h.log.lost = why.String() // from this moment on it says nothing
			w.After(50*time.Millisecond, func() {
				if h.logless() {
					h.KillDaemon()
					h.setLogAside(why)
					w.After(startsAnewFast, h.StartDaemon)
				}
			})
			break
		}
	}
}

// watchTalk: what begins to talk and ends at once has not been heard.
func (h *Host) watchTalk(now time.Duration) {
	switch talks := h.daemon != nil && !h.daemon.paused && !h.logless(); {
	case talks && h.talks == 0:
		h.talks = now
	case !talks && h.talks != 0:
		h.spoke = now
		if now-h.talks >= time.Second {
			h.mute = now
		}
		h.talks = 0
	}
}

// reachable reports whether a majority reaches a host's kernel: so many that one of
// them is with whoever leads, and can tell.
func (w *World) reachable(h *Host) bool {
	near, members := 0, 0
	for _, other := range w.order {
		if other.member {
			members++
			if other == h || (w.linked(other, h) && other.daemon != nil && !other.daemon.paused) {
				near++
			}
		}
	}
	return h.up() && 2*near > members
}

// onlyMute reports whether nothing is wrong with a host but that its daemon says
// nothing, and not for as long as it may.
func (w *World) onlyMute(h *Host, grace time.Duration) bool {
	if !h.near || !w.reachable(h) || w.Now-h.lastDeaf <= noTroubleFor {
		return false
	}
	if w.wasDeaf(h) && !w.onlyDeaf(h, grace) {
		return false
	}
	if h.restlessFor() >= grace {
		return false
	}
	return w.Now-h.mute < grace || (h.talks != 0 && w.Now-h.talks >= time.Second)
}

// healthy: a majority can be talked to, and nothing is hanging.
func (w *World) healthy(h *Host) bool {
	return h.daemon != nil && !h.hung && w.hasQuorum(h) && !w.deaf(h)
}

// inTrouble reports whether a host had any trouble in the last while.
func (w *World) inTrouble(h *Host, while time.Duration) bool {
	return !h.healthy || w.Now-h.lastTrouble <= while
}
