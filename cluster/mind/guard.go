package mind

import (
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/internal/words"
	"github.com/clusterd/clusterd/fence"
)

// hostGuard is the part of the mind that looks after this host's own guard.
type hostGuard struct {
	// until is the end of the lease, asked when it was last asked for; both on
	// Input.Clock.
	until, asked time.Duration
	asking       bool
	keeper       cluster.Keeper
	keys         cluster.Keys
	pet          cluster.Pet
	// next is the Input.Clock from which on time alone gives this part something to
	// do; 0 is never.
	next time.Duration
	// told is when the guard was last proposed.
	told time.Duration
	// wanted is what the document of wantedBy asks of this host; it is asked for in
	// each Step, and documents seldom change.
	wanted   fence.Wanted
	wantedBy documentName
}

// wantedGuard is the guard that the document in force asks of this host.
func (n *Node) wantedGuard(s *cluster.State) fence.Wanted {
	name := documentName{s.Generation, s.Config.Version, n.self}
	if n.hostGuard.wantedBy != name {
		n.hostGuard.wanted, n.hostGuard.wantedBy = fence.WantedBy(s.Document.Nodes[n.self].Fence, s.Document.Devices), name
	}
	return n.hostGuard.wanted
}

// lookAgain makes sure that there is a Step by a reading of the clock.
func (g *hostGuard) lookAgain(clock time.Duration) {
	if g.next == 0 || clock < g.next {
		g.next = clock
	}
}

const (
	// leaseParts: a lease is asked for anew in each such part of it.
	leaseParts = 4
	// pauseGuarded is between two reports of the guard.
	pauseGuarded = 2 * time.Second
)

// guard decides, in each Step, what this host's keeper is told, when to ask for
// a lease, and whether the host has to give up what it runs.
func (n *Node) guard(now time.Duration, in Input, out *Output) {
	n.takeGuard(in)
	n.hostGuard.next = 0
	if in.Boot == "" {
		return
	}
	me, _ := in.State.Nodes.Get(n.self)
	wanted, known := n.wantedGuard(in.State), me.GuardOf(in.Boot)
	if wanted.IsZero() && known.Boot == "" {
		return
	}
	lease := wanted.Settings.Lease
	if known.Timeout > 0 {
		lease = known.Lease // the times of a boot do not change
	}
	condemned := cluster.Condemned(in.State, me, in.Boot)
	out.Yield = me.CutBoot(in.Boot) || n.hostGuard.keys.CutOff
	if out.Yield {
		n.hostGuard.lookAgain(in.Clock)
	}
	if lease > 0 && !condemned {
		n.askLease(in, lease, out)
	}
	if wanted.Watchdog || known.Timeout > 0 {
		n.say(in, me, lease, condemned || out.Yield)
		if n.hostGuard.pet.Policy != "" {
			pet := n.hostGuard.pet
			out.Pet = &pet
		}
	}
	if n.hostGuard.keys.CutOff && me.Incarnation == in.Incarnation && me.Boot == in.Boot && !me.Ended() &&
		in.Incarnation != 0 && n.mayTell(now, in) {
		n.postWord(cluster.LostKeys{Node: n.self, Incarnation: in.Incarnation, Boot: in.Boot})
		return
	}
	n.reportGuard(now, in, me, wanted, known)
}

// mayTell spaces what is told of the guard, so that what is refused is not told
// in each Step.
func (n *Node) mayTell(now time.Duration, in Input) bool {
	if n.hostGuard.told != 0 && now < n.hostGuard.told+pauseGuarded {
		n.hostGuard.lookAgain(in.Clock + n.hostGuard.told + pauseGuarded - now)
		return false
	}
	n.hostGuard.told = now
	return true
}

func (n *Node) takeGuard(in Input) {
	if in.Keeper != nil {
		n.hostGuard.keeper = *in.Keeper
		if !in.Keeper.Free { // it may have been told by the daemon before this one
			n.hostGuard.until = max(n.hostGuard.until, in.Keeper.Until)
		}
	}
	if in.Keys != nil {
		n.hostGuard.keys = *in.Keys
	}
	for _, l := range in.Leased {
		n.hostGuard.asking = false
		if l.Granted {
			me, _ := in.State.Nodes.Get(n.self)
			n.hostGuard.until = max(n.hostGuard.until, l.Sent+n.leaseOf(in, me))
		}
	}
}

// leaseOf is how long a lease of this boot lasts.
func (n *Node) leaseOf(in Input, me cluster.Member) time.Duration {
	if known := me.GuardOf(in.Boot); known.Timeout > 0 {
		return known.Lease
	}
	return n.wantedGuard(in.State).Settings.Lease
}

// askLease asks a majority, if the last question is so old. One without an answer
// is waited for longer.
func (n *Node) askLease(in Input, lease time.Duration, out *Output) {
	pause := lease / leaseParts
	if n.hostGuard.asking {
		pause = lease / 2
	}
	if n.hostGuard.asked == 0 || in.Clock-n.hostGuard.asked >= pause {
		n.hostGuard.asking, n.hostGuard.asked, out.AskLease = true, in.Clock, true
		pause = lease / 2
	}
	n.hostGuard.lookAgain(n.hostGuard.asked + pause)
}

// say finds the word for the keeper. Nothing is said before this incarnation is
// in force: until then the State may be older than what runs here.
func (n *Node) say(in Input, me cluster.Member, lease time.Duration, ends bool) {
	current := in.Incarnation != 0 && me.Incarnation == in.Incarnation
	leased := in.Clock < n.hostGuard.until
	if leased {
		n.hostGuard.lookAgain(n.hostGuard.until)
	}
	switch {
	case ends:
		n.setPolicy(cluster.PetNever, 0)
	case lease == 0 && current:
		n.setPolicy(cluster.PetFree, 0)
	case current && !n.mayHold(in, me):
		n.setPolicy(cluster.PetFree, 0)
	case leased:
		n.setPolicy(cluster.PetLeased, n.hostGuard.until)
	case n.hostGuard.keeper.Armed && n.hostGuard.keeper.Free && current &&
		n.holds(in, me, func(h cluster.Holder) bool { return h.Condition != "" }):
		n.setPolicy(cluster.PetNever, 0) // something came up here past the door, and nobody lets it
	}
}

func (n *Node) setPolicy(policy cluster.PetPolicy, until time.Duration) {
	if n.hostGuard.pet.Policy != policy {
		n.hostGuard.pet.Seq++
	}
	n.hostGuard.pet.Policy, n.hostGuard.pet.Until = policy, until
}

// mayHold reports whether something may be running here, or come up: this boot
// holds a service, or an act on one is in hand.
func (n *Node) mayHold(in Input, me cluster.Member) bool {
	return len(n.handed) > 0 || n.holds(in, me, func(cluster.Holder) bool { return true })
}

// holds reports whether this boot is such a holder of any service. One by intent
// alone runs nothing yet: it waits for a lease, and so does the door.
func (n *Node) holds(in Input, me cluster.Member, such func(cluster.Holder) bool) bool {
	here := func(h cluster.Holder) bool { return h.Machine == me.Machine() && h.Boot == in.Boot && such(h) }
	held := func(s *cluster.Service) bool { return s.HeldWhere(here) }
	return slices.ContainsFunc(in.State.Services.Rows(), held) || slices.ContainsFunc(in.State.Tombstones.Rows(), held)
}

// reportGuard tells the cluster what guards this boot, once it does.
func (n *Node) reportGuard(now time.Duration, in Input, me cluster.Member, wanted fence.Wanted, known fence.Guard) {
	if !me.Reachable() || me.Incarnation != in.Incarnation || me.Boot != in.Boot || in.State.Fences.Has(n.self) ||
		in.Incarnation == 0 {
		return
	}
	fresh := known
	fresh.Boot = in.Boot
	if k := n.hostGuard.keeper; known.Timeout == 0 && k.Armed && k.Timeout == wanted.Settings.Timeout {
		fresh.Timeout, fresh.Lease, fresh.Pills = k.Timeout, wanted.Settings.Lease, k.Pills
	}
	fresh.Keys = words.Union(known.Keys, n.hostGuard.keys.Registered)
	news := fresh.Timeout != known.Timeout || len(fresh.Keys) != len(known.Keys)
	if !news || !n.mayTell(now, in) {
		return
	}
	n.postWord(cluster.Guarded{Node: n.self, Incarnation: in.Incarnation, Guard: fresh})
}

// awaitsGuard tells that a duty has to wait until the keeper has answered that
// it pets no longer than the lease: what comes up here from then on ends with it.
func (n *Node) awaitsGuard(in Input, me cluster.Member, d cluster.Duty) bool {
	guard := me.GuardOf(in.Boot)
	if guard.Timeout == 0 || (d.Kind != cluster.DutyStart && d.Kind != cluster.DutyResume) {
		return false
	}
	return !cluster.InForce(guard, n.hostGuard.pet, n.hostGuard.keeper, in.Clock)
}
