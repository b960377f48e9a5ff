package sim

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// keeper is the process that holds a host's watchdog, with the watchdog. It
// outlives daemons and ends with the boot.
type keeper struct {
	boot    int
	armed   bool
	timeout time.Duration
	pills   []string
	last    cluster.Keeper
	never   bool
	// petted is when it last petted, on the world's clock; readable when the disks
	// for messages last were.
	petted, readable time.Duration
	// granted is when the newest lease was asked for, on the world's clock.
	granted time.Duration
}

// petEvery is how often a keeper looks whether it may pet.
const petEvery = 500 * time.Millisecond

// keeperOf is the host's keeper; a new boot has a new one.
func (h *Host) keeperOf() *keeper {
	if h.keeper == nil || h.keeper.boot != h.boot {
		h.keeper = &keeper{boot: h.boot}
	}
	return h.keeper
}

// obey takes a word. The first one arms the watchdog, unless a message that is
// still on a disk would have to be cleared first.
func (h *Host) obey(p cluster.Pet) cluster.Keeper {
	k, w := h.keeperOf(), h.world
	wanted := fence.WantedBy(h.state.Document.Nodes[h.Name].Fence, h.state.Document.Devices)
	if !k.armed && p.Policy != cluster.PetNever && wanted.Watchdog && !h.NoWatchdog && !w.pilled(h) {
		*k = keeper{boot: h.boot, armed: true, timeout: wanted.Settings.Timeout, pills: wanted.Pills, petted: w.Now,
			readable: w.Now}
		w.tell("%s arms its watchdog: %s", h.Name, k.timeout)
		h.petLater(k)
	}
	k.last = cluster.Keeper{Seq: p.Seq, Armed: k.armed, Timeout: k.timeout, Pills: k.pills,
		Free: p.Policy == cluster.PetFree, Until: p.Until}
	if p.Policy == cluster.PetNever && !k.never && k.armed {
		w.tell("%s is petted no more", h.Name)
	}
	k.never = k.never || (p.Policy == cluster.PetNever && k.armed)
	return k.last
}

// petLater looks again and again whether to pet, until the boot ends; a hung
// host does nothing, and its watchdog runs out.
func (h *Host) petLater(k *keeper) {
	w := h.world
	w.After(petEvery, func() {
		if h.keeper != k || k.boot != h.boot || !h.Powered {
			return
		}
		if h.mayPet(k) {
			k.petted = w.Now
		}
		w.watchPetting(h, k)
		if w.Now-k.petted >= k.timeout {
			h.watchdogResets()
			return
		}
		h.petLater(k)
	})
}

func (h *Host) mayPet(k *keeper) bool {
	w := h.world
	if h.hung || k.never || k.last.Seq == 0 {
		return false
	}
	if len(k.pills) > 0 {
		if w.pilled(h) && !h.NoStorage {
			k.never = true
			w.tell("%s finds a message: it is to reset itself", h.Name)
			return false
		}
		if !h.NoStorage {
			k.readable = w.Now
		}
		if w.Now-k.readable > k.timeout/2 {
			return false
		}
	}
	return k.last.Free || h.leaseClock() < k.last.Until
}

// leaseClock is the host's clock that counts all time.
func (h *Host) leaseClock() time.Duration {
	return h.world.Now + h.world.Now/1000*time.Duration(h.Drift)
}

func (h *Host) watchdogResets() {
	w := h.world
	w.tell("the watchdog resets %s", h.Name)
	w.Figures.Resets++
	h.PowerOff()
	w.After(w.between(2*time.Second, 8*time.Second), h.bootUnlessAway)
}

// pilled reports whether a message for a host is on its disks.
func (w *World) pilled(h *Host) bool { return w.pills[h.Name] }

// askLease puts the question to a majority and counts from before it was sent.
func (d *daemon) askLease() {
	w, h := d.host.world, d.host
	sent, asked := d.at(w.Now), w.Now
	end := func(granted bool) {
		if granted {
			k := h.keeperOf()
			k.granted = max(k.granted, asked) // a slow answer to an older question comes later
		}
		d.in.Leased = append(d.in.Leased, cluster.Leased{Sent: sent, Granted: granted})
		d.poke()
	}
	takes := w.between(2*time.Millisecond, 20*time.Millisecond)
	if w.chance(40) {
		takes = w.between(takes, 2*time.Second)
	}
	d.after(takes, func() {
		leader := w.Hosts[w.raft.leader]
		if leader == nil || !w.talks(h, leader) || !w.hasQuorum(leader) || !leader.daemon.leading {
			d.after(w.between(100*time.Millisecond, time.Second), func() { end(false) })
			return
		}
		index := len(w.raft.log)
		d.after(w.between(2*time.Millisecond, 20*time.Millisecond), func() {
			h.catchUp()
			end(int(h.state.Index) >= index && cluster.MayLease(h.state, h.Name, h.BootID()) == nil)
		})
	})
}

// tellKeeper says the newest word, one at a time.
func (d *daemon) tellKeeper(p cluster.Pet) {
	if d.pet == p {
		return
	}
	d.pet = p
	if d.saying {
		return
	}
	d.saying = true
	d.after(d.host.world.between(time.Millisecond, 10*time.Millisecond), func() {
		d.saying = false
		said := d.pet
		answer := d.host.obey(said)
		d.in.Keeper = &answer
		d.poke()
	})
}

// inForce reports whether what comes up now ends with this host's guard.
func (d *daemon) inForce() bool {
	h := d.host
	n, _ := h.state.Nodes.Get(h.Name)
	if n.Guard == nil || n.Guard.Boot != h.BootID() {
		return true
	}
	return cluster.InForce(*n.Guard, d.pet, h.keeperOf().last, h.leaseClock())
}

// post lets a fencer write a message, and wait as long as the disk asks for.
func (d *daemon) post(victim *Host, report func(fence.Outcome, string)) {
	w, boot := d.host.world, victim.BootID()
	n, _ := d.host.state.Nodes.Get(victim.Name)
	switch {
	case d.host.NoStorage:
		d.after(w.between(100*time.Millisecond, time.Second), func() { report(fence.Unknown, "the disk cannot be written") })
	case n.Guard == nil || n.Guard.Boot != n.Boot || len(n.Guard.Pills) == 0:
		report(fence.Unknown, "nobody is known to watch for messages there")
	default:
		if w.pills == nil {
			w.pills = map[string]bool{}
		}
		w.pills[victim.Name] = true
		w.tell("%s writes a message for %s (%s)", d.host.Name, victim.Name, boot)
		wait := 2*n.Guard.Timeout + n.Guard.Timeout/2
		d.after(wait, func() { report(fence.Confirmed, "a message was written and waited out") })
	}
}

// clearPill is what a daemon does at its own start, when no fence of it is open.
func (d *daemon) clearPill() {
	h := d.host
	if n, _ := h.state.Nodes.Get(h.Name); h.world.pilled(h) && !h.keeperOf().armed && n.Boot == h.BootID() &&
		n.Reachable() && !h.state.Fences.Has(h.Name) {
		delete(h.world.pills, h.Name)
		d.pet = cluster.Pet{} // the next Step tells it anew
		d.wake()
	}
}

// watchPetting: whoever holds something and has asked no majority for so long
// that its lease and its watchdog are over, is reset by now (L4, L6).
func (w *World) watchPetting(h *Host, k *keeper) {
	n, _ := w.State().Nodes.Get(h.Name)
	if n.Guard == nil || n.Guard.Boot != h.BootID() || n.Guard.Lease == 0 || len(h.vms) == 0 || w.onlyByHand(h) {
		return
	}
	limit := n.Guard.Lease*101/100 + n.Guard.Timeout*101/100 + time.Second // not asked of the code that is watched
	if since := w.Now - max(k.granted, k.guarded(w, h)); since > limit {
		w.violate("L6: %s runs %d VMs %s after its last lease was asked for; its watchdog should have reset it after %s",
			h.Name, len(h.vms), since, limit)
	}
}

// guarded is when the first VM that counts came up, at the earliest when the
// watchdog was armed.
func (k *keeper) guarded(w *World, h *Host) time.Duration {
	first := w.Now
	for _, v := range h.vms {
		if v.held(w.State()) {
			first = min(first, v.since)
		}
	}
	return first
}

func (w *World) onlyByHand(h *Host) bool {
	for _, v := range h.vms {
		if !w.byHand[v.service] && v.held(w.State()) {
			return false
		}
	}
	return true
}
