package sim

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// BMCMode is how a host's BMC behaves.
type BMCMode string

// The modes. A BMC that says off and is not would break law L3 itself, so
// there is none.
const (
	BMCWorks BMCMode = "works"
	// BMCDead never answers.
	BMCDead BMCMode = "dead"
	// BMCDeaf accepts the off command and leaves the power on.
	BMCDeaf BMCMode = "deaf"
	// BMCMute switches off and its answer is lost.
	BMCMute BMCMode = "mute"
)

// Host is one machine.
type Host struct {
	Name    string
	Witness bool
	Powered bool
	// Libvirt tells whether the hypervisor's daemon answers.
	Libvirt bool
	BMC     BMCMode
	// StartsFail makes each start on this host fail cleanly.
	StartsFail bool
	// Slow is how much later than others it applies the log.
	Slow time.Duration

	world  *World
	boot   int
	state  *cluster.State
	daemon *daemon
	vms    map[string]*vm
	// creating counts calls into the hypervisor that may still bring a VM up.
	creating map[string]int
}

// daemon is one start of clusterd on a host: the shell around the mind.
type daemon struct {
	host        *Host
	session     string
	node        *cluster.Node
	in          cluster.Input
	incarnation uint64
	leading     bool
	poked       bool
	notes       []cluster.Note
	waiting     map[uint64]func(failed bool, applied cluster.Applied)
	queues      map[string][]cluster.Duty
	announcing  bool
}

// AddHost makes a host that is switched off.
func (w *World) AddHost(name string, witness bool) *Host {
	h := &Host{Name: name, Witness: witness, Libvirt: true, BMC: BMCWorks, world: w, state: &cluster.State{}, vms: map[string]*vm{}, creating: map[string]int{}}
	w.Hosts[name] = h
	return h
}

// BootID is the operating system's boot id.
func (h *Host) BootID() string { return fmt.Sprintf("%s-boot-%d", h.Name, h.boot) }

// Boot switches a host on; its daemon starts with it.
func (h *Host) Boot() {
	if h.Powered {
		return
	}
	h.boot++
	h.Powered, h.Libvirt = true, true
	h.world.tell("%s boots (%s)", h.Name, h.BootID())
	boot := h.boot
	h.world.After(h.world.between(500*time.Millisecond, 3*time.Second), func() {
		if h.Powered && h.boot == boot {
			h.StartDaemon()
		}
	})
}

// PowerOff cuts the power: everything on the host ends at once.
func (h *Host) PowerOff() {
	if !h.Powered {
		return
	}
	h.Powered, h.daemon = false, nil
	h.vms, h.creating = map[string]*vm{}, map[string]int{}
	h.world.tell("%s is off", h.Name)
}

// KillDaemon ends clusterd without a word; VMs run on.
func (h *Host) KillDaemon() {
	if h.daemon != nil {
		h.world.tell("clusterd on %s is killed", h.Name)
	}
	h.daemon = nil
}

// StartDaemon starts clusterd on a host that is on.
func (h *Host) StartDaemon() {
	if !h.Powered || h.daemon != nil {
		return
	}
	w := h.world
	w.sessions++
	d := &daemon{host: h, session: fmt.Sprintf("session-%d", w.sessions), node: cluster.NewNode(h.Name), waiting: map[uint64]func(bool, cluster.Applied){}, queues: map[string][]cluster.Duty{}}
	h.daemon = d
	w.tell("clusterd on %s starts", h.Name)
	w.restoreSnapshot(h)
	d.tick()
	d.announce()
}

// SetLibvirt stops or starts the hypervisor's daemon; VMs run on.
func (h *Host) SetLibvirt(answers bool) {
	h.Libvirt = answers
	h.world.tell("libvirt on %s answers: %v", h.Name, answers)
	for _, service := range h.serviceNames() {
		h.hint(service, resources.Observation{Service: service})
	}
}

func (d *daemon) alive() bool { return d.host.daemon == d }

// tick is the shell's regular step; beats of all who can be heard come with it.
func (d *daemon) tick() {
	if !d.alive() {
		return
	}
	w := d.host.world
	d.host.catchUp()
	for _, name := range w.names() {
		if other := w.Hosts[name]; other != d.host && w.talks(d.host, other) {
			d.in.Beats = append(d.in.Beats, cluster.Beat{Node: name, Incarnation: other.daemon.incarnation})
		}
	}
	d.step()
	w.After(cluster.Tick, d.tick)
}

// poke lets the mind step soon, with everything that came until then.
func (d *daemon) poke() {
	if d.poked || !d.alive() {
		return
	}
	d.poked = true
	d.host.world.After(200*time.Microsecond, func() {
		if d.alive() {
			d.step()
		}
	})
}

func (d *daemon) step() {
	w, in := d.host.world, d.in
	d.in, d.poked = cluster.Input{}, false
	in.State, in.Incarnation, in.Leading = d.host.state.Fork(), d.incarnation, d.leading
	if leader := w.Hosts[w.leader]; leader != nil && w.talks(d.host, leader) {
		in.Leader = w.leader
	}
	out := d.node.Step(w.Now, in)
	for _, p := range out.Propose {
		if p.Planned && (!d.leading || w.leader != d.host.Name) {
			w.After(w.between(proposalTimeout, 2*proposalTimeout), func() {
				if d.alive() {
					d.in.Proposals = append(d.in.Proposals, cluster.ProposalDone{ID: p.ID, Failed: true})
				}
			})
			continue
		}
		w.propose(d, p.Commands, func(failed bool, applied cluster.Applied) {
			d.in.Proposals = append(d.in.Proposals, cluster.ProposalDone{ID: p.ID, Failed: failed, Refused: applied.Refused})
			d.poke()
		})
	}
	for _, duty := range out.Do {
		d.enqueue(duty)
	}
	for _, name := range out.Test {
		w.After(w.between(20*time.Millisecond, 80*time.Millisecond), func() { d.test(name) })
	}
	d.notes = out.Notes
}

// test asks every daemon in touch to reach a node.
func (d *daemon) test(name string) {
	if !d.alive() {
		return
	}
	w, victim := d.host.world, d.host.world.Hosts[name]
	v := cluster.Verdict{Node: name, Kernel: cluster.Silent, Daemon: cluster.Silent, Why: "no answer to anybody"}
	for _, peer := range w.names() {
		p := w.Hosts[peer]
		if p == victim || !w.talks(d.host, p) || !w.linked(p, victim) {
			continue
		}
		v.Kernel, v.Why = cluster.Answers, "its kernel answers "+peer
		if victim.daemon != nil {
			v.Daemon, v.Why = cluster.Answers, peer+" reaches its daemon"
		}
	}
	d.in.Verdicts = append(d.in.Verdicts, v)
	d.poke()
}

// catchUp applies what the leader has committed, if it can be heard.
func (h *Host) catchUp() {
	w := h.world
	leader := w.Hosts[w.leader]
	if h.daemon == nil || leader == nil || !w.talks(h, leader) {
		return
	}
	d := h.daemon
	for int(h.state.Index) < len(w.log) {
		applied := w.apply(h)
		if finish := d.waiting[applied.Index]; finish != nil {
			delete(d.waiting, applied.Index)
			finish(false, applied)
		}
		d.poke()
	}
	if me, _ := h.state.Nodes.Get(h.Name); me.Session == d.session {
		d.incarnation = me.Incarnation
	}
}

// announce tells the cluster that this daemon is up and what runs here, again
// and again until it is admitted.
func (d *daemon) announce() {
	if !d.alive() {
		return
	}
	w, h := d.host.world, d.host
	w.After(w.between(200*time.Millisecond, 400*time.Millisecond), d.announce)
	me, known := h.state.Nodes.Get(h.Name)
	if !known || d.announcing {
		return
	}
	propose := func(c cluster.Command) {
		d.announcing = true
		w.propose(d, []cluster.Command{c}, func(bool, cluster.Applied) { d.announcing = false })
	}
	switch {
	case me.Session != d.session:
		propose(cluster.NodeUp{Node: h.Name, Fingerprint: "key-" + h.Name, Boot: h.BootID(), Address: h.Name, Version: "sim", MaxLevel: cluster.CurrentLevel, Session: d.session})
	case me.State == cluster.NodeLooking && h.Libvirt:
		inventory := cluster.Inventory{Node: h.Name, Incarnation: me.Incarnation, Boot: h.BootID(), Found: d.found()}
		d.announcing = true
		w.After(w.between(5*time.Millisecond, 60*time.Millisecond), func() {
			if d.alive() {
				propose(inventory)
			}
		})
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
		if _, here := h.vms[name]; here || held {
			list = append(list, cluster.Found{Service: name, Observation: h.look(name)})
		}
	}
	return list
}
