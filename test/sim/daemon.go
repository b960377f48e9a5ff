package sim

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/mind"
	"github.com/clusterd/clusterd/internal/message"
)

// daemon is one start of clusterd on a host: the shell around the mind.
type daemon struct {
	host        *Host
	session     string
	nextLife    string // of the log that it asks to be let in with
	knows       int    // the newest level of rules that this clusterd knows
	node        *mind.Node
	started     time.Duration
	in          mind.Input
	root        *cluster.State
	incarnation uint64
	leading     bool
	poked       bool
	ticking     bool          // a tick is on its way
	slept       bool          // the last step was followed by no tick
	alarm       time.Duration // when a daemon that sleeps wakes by itself
	stepped     time.Duration // when it made its last step
	last        mind.Input
	paused      bool
	frozen      []func()
	notes       []cluster.Note
	waiting     map[uint64]func(failed bool, applied apply.Applied)
	queues      map[string][]cluster.Duty
	announcing  bool
	announced   bool // an announcement is on its way already
	// probed is the start of each service whose guest is asked, or was.
	probed     map[string]uint64
	pet        cluster.Pet
	saying     bool
	stopping   bool // it has announced its end
	yielding   bool
	recovering bool // its word about the dead is on its way to the log
	keys       cluster.Keys
	registered map[string]bool // disks where a registration was sent
	// judged is the index of the State whose decision was watched last.
	judged uint64
	// seen is what it explains from as the leader, and seenAt when that came.
	seen   *cluster.View
	seenAt time.Duration
	// stepping: it takes the steps to a new key. keyHeld is when it last said what holds the
	// next one up.
	stepping bool
	keyHeld  time.Duration
	// vouched are keys that a member's word lets in; asking are those about whose key it asks.
	vouched, asking map[string]bool
}

func newDaemon(h *Host, session string) *daemon {
	d := &daemon{host: h, session: session, knows: h.Installed, node: mind.NewNode(h.Name), started: h.world.Now,
		waiting: map[uint64]func(bool, apply.Applied){}, queues: map[string][]cluster.Duty{}, probed: map[string]uint64{},
		vouched: map[string]bool{}, asking: map[string]bool{}}
	switch {
	case h.world.Dull:
		d.node = d.node.WithoutShortcuts()
	case h.world.audited:
		d.node = d.node.Audited()
	}
	return d
}

func (d *daemon) alive() bool { return d.host.daemon == d }

// thawed does something in the daemon: not at all if it is dead, and not before
// it goes on if it is paused.
func (d *daemon) thawed(do func()) {
	switch {
	case !d.alive():
	case d.paused:
		d.frozen = append(d.frozen, do)
	default:
		do()
	}
}

// after lets the daemon do something later.
func (d *daemon) after(pause time.Duration, do func()) {
	d.host.world.After(pause, func() { d.thawed(do) })
}

// at is the reading of the daemon's stopwatch at an instant.
func (d *daemon) at(now time.Duration) time.Duration {
	return now + now/1000*time.Duration(d.host.Drift)
}

// tick is the shell's regular step; beats of all who can be heard come with it.
func (d *daemon) tick() {
	d.ticking = false
	if !d.alive() || d.paused {
		return
	}
	d.host.catchUp()
	if !d.alive() {
		return
	}
	d.beats()
	d.step()
}

func (d *daemon) beats() {
	w := d.host.world
	for _, other := range w.order {
		if other != d.host && w.hears(d.host, other) {
			d.in.Beats = append(d.in.Beats, w.beatOf(other))
		}
	}
}

// keepTicking plans the next tick, unless the mind has nothing to do until
// somebody wakes it.
func (d *daemon) keepTicking() {
	w := d.host.world
	until, idle := d.node.IdleUntil()
	idle = idle && w.random != nil && !w.Dull && int(d.host.state.Index) == len(w.raft.log)
	switch d.slept = idle; {
	case !idle:
		d.wake()
	case until > 0:
		d.wakeAt(d.tickBy(until))
	}
}

// tickBy is the first tick at which the daemon's stopwatch reads so much.
func (d *daemon) tickBy(clock time.Duration) time.Duration {
	now := d.host.world.Now
	due := clock - clock/1000*time.Duration(d.host.Drift) - 2*cluster.Tick // a little early, whatever the drift
	due = max(now, due)
	for due += nextOn(due, d.started, cluster.Tick); d.at(due) < clock; due += cluster.Tick {
	}
	return due
}

func (d *daemon) wakeAt(at time.Duration) {
	d.alarm = at
	w := d.host.world
	w.After(at-w.Now, func() {
		if d.alarm == at && d.slept && d.alive() && !d.paused {
			d.tick()
		}
	})
}

func (d *daemon) wake() {
	if d.ticking || d.paused {
		return
	}
	d.ticking = true
	w := d.host.world
	w.After(nextOn(w.Now, d.started, cluster.Tick), d.tick)
}

// poke lets the mind step soon, with everything that came until then.
func (d *daemon) poke() {
	if d.poked || !d.alive() {
		return
	}
	d.poked = true
	d.after(200*time.Microsecond, d.step)
}

func (d *daemon) step() {
	w := d.host.world
	if d.slept {
		d.sleepwalk()
	}
	d.hearOtherVoter()
	in := d.in
	d.in, d.poked = mind.Input{}, false
	if d.root == nil || d.root.Index != d.host.state.Index {
		d.root = d.host.state.Fork()
		d.probe()
	}
	in.State, in.Incarnation, in.Leading = d.root, d.incarnation, d.leading && d.host.byHand == nil
	in.Volume = &d.host.volume
	in.Term, in.Hypervisor, in.Capacity = w.termOf(in), d.host.hypervisor(), &d.host.Has
	in.Boot, in.Clock = d.host.BootID(), d.at(w.Now)
	if leader := w.Hosts[w.raft.leader]; leader != nil && d.host.ledBy(leader) &&
		(leader.daemon.leading || !w.paired()) {
		in.Leader = w.raft.leader
	}
	in.End = w.beatOf(d.host).End
	beats := in.Beats
	if len(beats) == 0 {
		beats = d.last.Beats // a Step between two ticks has none
	}
	d.last = mind.Input{State: in.State, Beats: beats, Incarnation: in.Incarnation, Leading: in.Leading,
		Leader: in.Leader, Term: in.Term, Boot: in.Boot, End: in.End}
	out := d.node.Step(d.at(w.Now), in)
	d.stepped = w.Now
	if why := d.node.Differs(); why != "" {
		w.violate("the mind of %s: %s", d.host.Name, why)
	}
	if in.Leading && d.judged != in.State.Index {
		d.judged = in.State.Index
		w.watchSilence(in.State, d.node.Decision())
		w.watchVolumes(in.State, d.node.Decision())
		w.watchBoards(in.State)
	}
	for _, p := range out.Propose {
		d.proposeFor(p)
	}
	for _, duty := range out.Do {
		d.enqueue(duty)
	}
	for _, name := range out.Test {
		d.after(w.between(20*time.Millisecond, 80*time.Millisecond), func() { d.test(name) })
	}
	if out.AskLease {
		d.askLease()
	}
	if out.Pet != nil {
		d.tellKeeper(*out.Pet)
	}
	if out.Yield && len(d.host.vms) > 0 {
		d.yield()
	}
	d.show(in, out)
	d.keepTicking()
}

// show keeps what the leader says of its Step, and looks now and then whether it explains the same.
func (d *daemon) show(in mind.Input, out mind.Output) {
	w := d.host.world
	d.notes = out.Notes
	if out.Seen != d.seen {
		d.seen, d.seenAt = out.Seen, w.Now
	}
	if in.Leading && w.Now/cluster.Tick%16 == 0 {
		w.watchReasons(in.State, out)
	}
}

// sleepwalk makes the last Step that a daemon would have made if it had not
// slept. All before it would have been the same, as the mind has promised.
func (d *daemon) sleepwalk() {
	d.slept = false
	now := d.host.world.Now
	ticked := now - (now-d.started)%cluster.Tick
	if ticked == now {
		ticked -= cluster.Tick
	}
	if ticked <= d.stepped {
		return // it has not slept through any
	}
	d.last.Clock = d.at(ticked)
	if out := d.node.Step(d.at(ticked), d.last); len(out.Propose)+len(out.Do)+len(out.Test) > 0 || out.AskLease {
		d.host.world.violate("%s slept and had something to do", d.host.Name)
	}
}

func (d *daemon) proposeFor(p mind.Proposal) {
	w := d.host.world
	if p.Planned && (!d.leading || w.raft.leader != d.host.Name) {
		d.after(w.between(proposalTimeout, 2*proposalTimeout), func() {
			d.in.Proposals = append(d.in.Proposals, mind.ProposalDone{ID: p.ID, Failed: true})
			d.poke()
		})
		return
	}
	w.propose(d, p.Commands, func(failed bool, applied apply.Applied) {
		d.in.Proposals = append(d.in.Proposals, mind.ProposalDone{ID: p.ID, Failed: failed, Refused: applied.Refused})
		d.poke()
	})
}

// test asks every daemon in touch to reach a node.
func (d *daemon) test(name string) {
	w, victim := d.host.world, d.host.world.Hosts[name]
	v := cluster.Verdict{Node: name, Kernel: cluster.Silent, Daemon: cluster.Silent,
		Why: message.Words("no answer to anybody")}
	peers, asked := 0, 0
	for _, p := range w.order {
		if victim == nil || p == victim || !p.member {
			continue
		}
		if p != d.host {
			peers++
		}
		if !w.talks(d.host, p) {
			continue
		}
		if p != d.host {
			asked++
		}
		if !w.linked(p, victim) {
			continue
		}
		v.Kernel, v.Why = cluster.Answers, message.Words("its kernel answers "+p.Name)
		if victim.daemon != nil && !victim.daemon.paused && !victim.logless() {
			v.Daemon, v.Why = cluster.Answers, message.Words(p.Name+" reaches its daemon")
		}
	}
	if v.Kernel == cluster.Silent && peers > 0 && asked == 0 {
		v.Kernel, v.Why = cluster.Uncertain, message.Words("no peer could look, and this node may be the one that is cut off")
	}
	d.in.Verdicts = append(d.in.Verdicts, v)
	d.poke()
}

// recognise finds this start's own incarnation in the State.
func (d *daemon) recognise() {
	h := d.host
	me, known := h.state.Nodes.Get(h.Name)
	switch {
	case me.Session == d.session:
		d.incarnation = me.Incarnation
	case !known && d.incarnation != 0:
		h.world.tell("%s was removed, its daemon ends", h.Name)
		h.KillDaemon()
		return
	}
	d.followKey()
	d.announceSoon()
}

// announceSoon begins to tell again, if this start is not, or no longer, admitted.
func (d *daemon) announceSoon() {
	me, _ := d.host.state.Nodes.Get(d.host.Name)
	if d.announced || (me.Session == d.session && me.State != cluster.NodeLooking &&
		!d.host.state.Outlived(d.host.Name, d.host.BootID())) {
		return
	}
	d.announced = true
	w := d.host.world
	d.after(w.between(200*time.Millisecond, 400*time.Millisecond), func() {
		d.announced = false
		d.announce()
	})
}

// announce tells the cluster that this daemon is up and what runs here, again
// and again until it is admitted. What it tells must be newer than its log was,
// so it hears the leader first.
func (d *daemon) announce() {
	w, h := d.host.world, d.host
	me, known := h.state.Nodes.Get(h.Name)
	leader := w.Hosts[w.raft.leader]
	steady := w.random == nil && h.at.now == ""
	current := steady || (leader != nil && w.talks(h, leader) && int(h.state.Index) == len(w.raft.log))
	d.announceSoon()
	if !known || d.announcing || !current || h.byHand != nil {
		return
	}
	if me.Session == d.session && h.state.Outlived(h.Name, h.BootID()) {
		w.sessions++
		d.session, d.incarnation = fmt.Sprintf("session-%d", w.sessions), 0
	}
	propose := func(c cluster.Command) {
		d.announcing = true
		w.propose(d, []cluster.Command{c}, func(bool, apply.Applied) { d.announcing = false })
	}
	switch {
	case me.Session != d.session && d.incarnation == 0:
		propose(cluster.NodeUp{Node: h.Name, Fingerprint: h.ring.used.fingerprint, Boot: h.BootID(), Address: h.address(),
			Version: fmt.Sprintf("%d.0", d.knows), MaxLevel: d.knows, Session: d.session, Previous: &me.Incarnation,
			Log: h.log.held.Life, Capacity: h.Has})
	case me.State == cluster.NodeLooking && h.Libvirt && me.Session == d.session:
		inventory := cluster.Inventory{Node: h.Name, Incarnation: me.Incarnation, Boot: h.BootID(), Found: d.found()}
		d.announcing = true
		d.after(w.between(5*time.Millisecond, 60*time.Millisecond), func() { propose(inventory) })
	}
}

// found is one line per service that is here or that this node holds.
func (d *daemon) found() []cluster.Found {
	var list []cluster.Found
	h := d.host
	for _, name := range h.state.Services.Keys() {
		service, _ := h.state.Services.Get(name)
		held := false
		for _, holder := range service.Holders {
			held = held || holder.Node == h.Name
		}
		if _, here := h.vms[service.Spec.UUID]; here || held {
			list = append(list, cluster.Found{Service: name, Observation: h.lookFor(name, service.Spec.UUID)})
		}
	}
	return list
}
