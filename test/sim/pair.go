package sim

import (
	"encoding/json"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
)

// How the shell around the two-node rule behaves here.
const (
	seenEvery      = 500 * time.Millisecond
	powerEvery     = time.Second
	readmitEvery   = time.Second
	startsAnewFast = 100 * time.Millisecond
	startsAnewSlow = 2 * time.Second
)

// pair is what a host of two keeps about going on alone. It outlives its daemon;
// seen does not outlive the boot.
type pair struct {
	warrant *cluster.Warrant
	parting *cluster.Parting
	// recovery: the log was taken over, and does not say so yet.
	recovery *cluster.Parting
	seen     time.Duration
	seenBoot int
	// out: the log went on without this host; ended is where its own one ends. aside:
	// its daemon has begun to set it aside, empty: it has done so.
	out, aside, empty bool
	ended             int
	// otherBoot is that of the other one when it was decided.
	otherBoot int
	// shotDown: it is off because the other one shot it.
	shotDown bool
	run      *solitude
}

// solitude is what one start of the daemon knows about it.
type solitude struct {
	quorumAt, seenAt, since, endedAt, offAfter, askedAt, readmitAt time.Duration
	known, busy                                                    bool
	tried                                                          int
}

// paired reports whether this is a world of two nodes with the two-node rule.
func (w *World) paired() bool { return len(w.order) == 2 && w.Document.TwoNode != nil }

func (h *Host) other() *Host { return h.world.order[1-h.place] }

// clock is the host's own, which drifts as its stopwatches do.
func (h *Host) clock() time.Duration {
	now := h.world.Now
	return now + now/1000*time.Duration(h.Drift)
}

// shut reports whether a host's log is shut: it has decided to go on alone.
func (h *Host) shut() bool { return h.pair.parting != nil && h.pair.recovery == nil }

// takeLogOver does what a start of the daemon does before it opens its log.
func (h *Host) takeLogOver() {
	w, p := h.world, &h.pair
	p.run = &solitude{since: h.clock(), askedAt: -powerEvery, readmitAt: -readmitEvery}
	if p.run.quorumAt = p.seen; p.seen != 0 && p.seenBoot == h.boot {
		p.run.known = true
	}
	if p.aside && !p.empty {
		w.tell("%s sets its log aside", h.Name)
		h.state, h.disk, p.empty = &cluster.State{}, &cluster.State{}, true
		h.log = logDisk{writing: h.log.writing}
		p.warrant, p.parting, p.recovery = nil, nil, nil
	}
	switch {
	case p.parting == nil || p.recovery != nil || p.parting.Result == nil:
		return
	case p.parting.Warrant.Boot != h.BootID(), h.logEnd() != p.parting.Through:
		p.parting = nil
		w.changed()
		return
	}
	w.tell("%s takes the log over", h.Name)
	if p.out {
		w.violate("L4: two generations act at once: %s takes over a log that has gone on without it", h.Name)
	}
	other := h.other()
	p.recovery, p.parting = p.parting, nil
	other.pair.out, other.pair.ended = true, len(w.raft.log)
	other.member = false
	w.raft.leader = ""
	w.changed()
}

// logEnd is the end of this host's own log, with what it holds that is committed
// nowhere.
func (h *Host) logEnd() uint64 {
	if h.pair.out {
		return uint64(h.pair.ended)
	}
	end := len(h.world.raft.log)
	for _, l := range h.world.raft.limbo {
		if l.reached[h] {
			end++
		}
	}
	return uint64(end)
}

// beginGeneration puts into the log of a node that goes on alone what the log has
// to begin with.
func (w *World) beginGeneration(h *Host) {
	h.daemon.recoverOnce()
	p := h.pair.recovery
	if p == nil {
		return
	}
	data, err := clustertest.Next.Encode([]cluster.Command{p.Command()})
	if err != nil {
		w.violate("encoding: %v", err)
		return
	}
	index := w.commit(data)
	h.catchUp()
	if r := w.raft.log[index-1]; r.applied.Err() != nil {
		w.violate("L4: %s took its log over, and the log does not let it: %v", h.Name, r.applied.Err())
	}
	h.pair.recovery = nil
}

// keepAlone looks again and again whether this daemon's node is left alone.
func (d *daemon) keepAlone() {
	if !d.host.world.paired() {
		return
	}
	h, p := d.host, &d.host.pair
	pause := cluster.Tick
	if p.warrant != nil && d.inQuorum() {
		pause = seenEvery // nothing is to be done before it is lost
	}
	d.after(pause, d.keepAlone)
	if d.leading && !h.world.hasQuorum(h) {
		d.leading = false // its lease is over long before anybody is called lost
	}
	switch {
	case p.out:
		d.comeBack()
	case h.shut():
		d.goOn()
	case d.inQuorum():
		d.inTouch()
	case p.warrant != nil:
		d.wake() // the stopwatch on the other goes on
		d.askPower()
		a := d.apart()
		act, why := cluster.Alone(*p.warrant, nil, a)
		if act != cluster.AloneWrite || !p.run.known {
			return
		}
		h.world.tell("%s writes down that it goes on alone: %s", h.Name, why)
		p.parting = &cluster.Parting{Warrant: *p.warrant, Through: h.logEnd(), Why: why, At: epoch.Add(h.world.Now),
			LastHeard: epoch.Add(h.world.Now - a.Contact.Silence)}
		p.run.since, p.otherBoot = h.clock(), h.other().boot
		h.world.changed()
	}
}

func (d *daemon) inQuorum() bool {
	w := d.host.world
	leader := w.Hosts[w.Leader()]
	return leader != nil && (leader == d.host || w.talks(d.host, leader))
}

// inTouch keeps the warrant, and lets the leader give the other one its vote.
func (d *daemon) inTouch() {
	w, h, p := d.host.world, d.host, &d.host.pair
	other, now := h.other(), h.clock()
	p.run.quorumAt, p.run.known, p.run.offAfter = now, true, 0
	if now-p.run.seenAt >= seenEvery {
		p.run.seenAt, p.seen, p.seenBoot = now, now, h.boot
	}
	n, _ := h.state.Nodes.Get(other.Name)
	if d.leading && !other.member && !other.pair.out && n.Reachable() && w.talks(h, other) &&
		other.state.Index == h.state.Index {
		w.tell("%s votes again", other.Name)
		w.enroll(other.Name, true)
	}
	at := cluster.Standing{Self: h.Name, Boot: h.BootID(), Incarnation: d.incarnation, BothVote: h.member && other.member}
	if w.hears(h, other) {
		at.PeerApplied = other.state.Index
	}
	warrant, why := rules.WarrantFor(h.state, at)
	if p.warrant = nil; why.IsZero() {
		p.warrant = &warrant
		h.disk = h.state.Fork()
	}
}

func (d *daemon) apart() cluster.Apart {
	h, run, now := d.host, d.host.pair.run, d.host.clock()
	a := cluster.Apart{Boot: h.BootID(), Generation: h.state.Generation, Document: h.state.Config.Version,
		Contact: d.node.Contact(h.other().Name),
		Busy:    run.busy, Tried: run.tried, Rested: now - max(run.since, run.endedAt), OffAfter: run.offAfter}
	if run.known {
		a.For = now - run.quorumAt
	}
	return a
}

// goOn carries out what is written down.
func (d *daemon) goOn() {
	w, h, p := d.host.world, d.host, &d.host.pair
	d.wake()
	d.askPower()
	a := d.apart()
	act, why := cluster.Alone(p.parting.Warrant, p.parting, a)
	switch act {
	case cluster.AloneShoot:
		w.Figures.Fences++
		p.run.busy = true
		d.attempt(p.parting.Warrant.Peer.Node, d.shotEnded)
	case cluster.AloneGiveUp:
		w.tell("%s does not go on alone after all: %s", h.Name, why)
		p.parting = nil
		d.startAgain()
	case cluster.AloneGoOn:
		d.startAgain()
	}
}

func (d *daemon) shotEnded(result fence.Result) {
	w, h, p := d.host.world, d.host, &d.host.pair
	run := p.run
	run.busy, run.tried, run.endedAt = false, run.tried+1, h.clock()
	w.tell("the attempt of %s: %s %v", h.Name, result.Outcome, result.Evidence)
	if p.parting == nil {
		return
	}
	next, proven := p.parting.After(result)
	if !proven {
		return
	}
	// A boot that began since holds nothing, and gets nothing before it is let in.
	if other := h.other(); other.Powered && other.boot <= p.otherBoot {
		w.violate("L3: %s goes on alone and %s has power", h.Name, other.Name)
	}
	p.parting = &next
}

func (d *daemon) startAgain() {
	h := d.host
	h.KillDaemon()
	h.world.After(h.world.between(startsAnewFast, startsAnewSlow), h.StartDaemon)
}

// askPower asks the other's board whether the power is off.
func (d *daemon) askPower() {
	w, h, run := d.host.world, d.host, d.host.pair.run
	other, now := h.other(), h.clock()
	if run.busy || run.offAfter > 0 || d.node.Contact(other.Name).Silence < cluster.TimingFor("").Test ||
		now-run.askedAt < powerEvery || w.network.cut[Board][h.place][other.place] || other.BMCSharesPower {
		return
	}
	run.askedAt = now
	switch other.BMC {
	case BMCWorks, BMCSlow, BMCEarly, BMCDeaf, BMCMute:
		d.after(w.between(20*time.Millisecond, 500*time.Millisecond), func() {
			if !other.Powered && run.known {
				run.offAfter = h.clock() - run.quorumAt
			}
		})
	}
}

// comeBack is the part of a node that was left behind: it learns of it from the
// one that went on, sets its log aside, and asks to be let in.
func (d *daemon) comeBack() {
	w, h, p := d.host.world, d.host, &d.host.pair
	other := h.other()
	if w.Leader() != other.Name || !(w.talks(h, other) || (h.logless() && w.linked(h, other))) {
		return
	}
	n, _ := other.state.Nodes.Get(h.Name)
	switch {
	case n.Expelled == 0:
	case !p.aside && other.state.Generation > h.state.Generation:
		p.aside = true
		d.startAgain()
	case p.empty && h.clock()-p.run.readmitAt >= readmitEvery:
		p.run.readmitAt = h.clock()
		w.Propose(other.Name, cluster.Readmit{Node: h.Name, Generation: other.state.Generation}, nil)
	}
}

// watchAlone judges the beginning of a generation by the truth.
func (w *World) watchAlone(before, after *cluster.State, c cluster.GoAlone) {
	if c.Result.Outcome != fence.Confirmed {
		w.violate("L3: %s went on alone by an attempt that came to %q", c.Node, c.Result.Outcome)
	}
	peer, _ := before.Nodes.Get(c.Peer)
	if h := w.Hosts[c.Peer]; h.Powered && h.BootID() == peer.Boot {
		w.violate("L3: %s went on alone and boot %s of %s is alive", c.Node, peer.Boot, c.Peer)
	}
	if before.Document.TwoNode == nil || after.Nodes.Len() != 2 {
		w.violate("L4: %s went on alone without the two-node rule", c.Node)
	}
}

// watchReadmitted: a node that was left behind comes with an empty log.
func (w *World) watchReadmitted(c cluster.Readmit) {
	h := w.Hosts[c.Node]
	if !h.pair.empty || h.state.Index != 0 {
		data, _ := json.Marshal(c)
		w.violate("L4: a node is let in again with its old log: %s", data)
	}
	h.pair.out, h.pair.aside, h.pair.empty = false, false, false
}

// shotDown is the end of a machine by an off command. Two nodes must not do that
// to each other.
func (h *Host) shotDown() {
	if !h.Powered {
		return
	}
	h.PowerOff()
	if !h.world.paired() {
		return
	}
	h.pair.shotDown = true
	if other := h.other(); other.pair.shotDown && !other.Powered {
		h.world.violate("L4: both nodes are off by each other's shots")
	}
}

// pairNotSettled says what is not at rest between two nodes.
func (w *World) pairNotSettled() string {
	if !w.paired() || w.State().Document.TwoNode == nil {
		return ""
	}
	for _, h := range w.order {
		switch {
		case h.pair.out:
			return h.Name + " is left behind"
		case !h.member:
			return h.Name + " has no vote"
		case h.pair.parting != nil || h.pair.recovery != nil:
			return h.Name + " goes on alone"
		case h.byHand != nil:
			return h.Name + " has not begun the generation that a person asked for"
		case h.pair.warrant == nil:
			return h.Name + " may not go on alone yet"
		}
	}
	return ""
}

// hearOtherVoter: the leader of two voters knows that the other one lives.
func (d *daemon) hearOtherVoter() {
	w := d.host.world
	if !w.paired() || !d.leading || w.Leader() != d.host.Name {
		return
	}
	if other := d.host.other(); other.member && other.daemon != nil {
		d.in.Beats = append(d.in.Beats, w.beatOf(other))
	}
}
