package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Keeper is how the process stands that holds this host's watchdog, as it last
// answered.
type Keeper struct {
	// Seq is that of the word which it answered.
	Seq     uint64
	Armed   bool
	Timeout time.Duration
	Pills   []string
	// Free: it pets without a lease; else until Until, on Input.Clock.
	Free  bool
	Until time.Duration
}

// Keys is what this host found out about its own keys on shared storage.
type Keys struct {
	// Registered are the disks where this boot is registered, with no registration
	// on its way.
	Registered []string
	// CutOff: its key is gone from a disk that others hold a reservation on.
	CutOff bool
}

// Leased is the end of a question that this node put to a majority.
type Leased struct {
	// Sent is the reading of Input.Clock right before it was sent.
	Sent time.Duration
	// Granted: it was answered, and MayLease found nothing afterwards.
	Granted bool
}

// Mood is what a keeper is told to do.
type Mood string

// The moods.
const (
	// PetFree: the node holds nothing, so it is petted without a lease.
	PetFree Mood = "free"
	// PetLeased: it is petted until the lease runs out.
	PetLeased Mood = "leased"
	// PetNever: this boot has to end.
	PetNever Mood = "never"
)

// Pet is the newest word for the keeper. It may be told again at any time.
type Pet struct {
	// Seq is another one for each change of the mood.
	Seq   uint64
	Mood  Mood
	Until time.Duration
}

// guardian is the part of the mind that looks after this host's own guard.
type guardian struct {
	// until is the end of the lease, asked when it was last asked for; both on
	// Input.Clock.
	until, asked time.Duration
	asking       bool
	keeper       Keeper
	keys         Keys
	pet          Pet
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

// documentName tells documents apart: a version of one generation is one text.
type documentName struct {
	generation, version uint64
	node                string
}

// wantedGuard is the guard that the document in force asks of this host.
func (n *Node) wantedGuard(s *State) fence.Wanted {
	name := documentName{s.Generation, s.Config.Version, n.self}
	if n.ward.wantedBy != name {
		n.ward.wanted, n.ward.wantedBy = fence.WantedBy(s.Document.Nodes[n.self].Fence, s.Document.Devices), name
	}
	return n.ward.wanted
}

// lookAgain makes sure that there is a Step by a reading of the clock.
func (g *guardian) lookAgain(clock time.Duration) {
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
	n.ward.next = 0
	if in.Boot == "" {
		return
	}
	me, _ := in.State.Nodes.Get(n.self)
	wanted, known := n.wantedGuard(in.State), me.guardOf(in.Boot)
	if wanted.IsZero() && known.Boot == "" {
		return
	}
	lease := wanted.Settings.Lease
	if known.Timeout > 0 {
		lease = known.Lease // the times of a boot do not change
	}
	condemned := condemned(in.State, me, in.Boot)
	out.Yield = me.cutBoot(in.Boot) || n.ward.keys.CutOff
	if out.Yield {
		n.ward.lookAgain(in.Clock)
	}
	if lease > 0 && !condemned {
		n.askLease(in, lease, out)
	}
	if wanted.Watchdog || known.Timeout > 0 {
		n.say(in, me, lease, condemned || out.Yield)
		if n.ward.pet.Mood != "" {
			pet := n.ward.pet
			out.Pet = &pet
		}
	}
	if n.ward.keys.CutOff && me.Incarnation == in.Incarnation && me.Boot == in.Boot && !me.Ended() && in.Incarnation != 0 && n.mayTell(now, in) {
		n.postKey("lost-keys", "", LostKeys{Node: n.self, Incarnation: in.Incarnation, Boot: in.Boot})
		return
	}
	n.reportGuard(now, in, me, wanted, known)
}

// mayTell spaces what is told of the guard, so that what is refused is not told
// in each Step.
func (n *Node) mayTell(now time.Duration, in Input) bool {
	if n.ward.told != 0 && now < n.ward.told+pauseGuarded {
		n.ward.lookAgain(in.Clock + n.ward.told + pauseGuarded - now)
		return false
	}
	n.ward.told = now
	return true
}

func (n *Node) takeGuard(in Input) {
	if in.Keeper != nil {
		n.ward.keeper = *in.Keeper
		if !in.Keeper.Free { // it may have been told by the daemon before this one
			n.ward.until = max(n.ward.until, in.Keeper.Until)
		}
	}
	if in.Keys != nil {
		n.ward.keys = *in.Keys
	}
	for _, l := range in.Leased {
		n.ward.asking = false
		if l.Granted {
			me, _ := in.State.Nodes.Get(n.self)
			n.ward.until = max(n.ward.until, l.Sent+n.leaseOf(in, me))
		}
	}
}

// leaseOf is how long a lease of this boot lasts.
func (n *Node) leaseOf(in Input, me Member) time.Duration {
	if known := me.guardOf(in.Boot); known.Timeout > 0 {
		return known.Lease
	}
	return n.wantedGuard(in.State).Settings.Lease
}

// askLease asks a majority, if the last question is so old. One without an answer
// is waited for longer.
func (n *Node) askLease(in Input, lease time.Duration, out *Output) {
	pause := lease / leaseParts
	if n.ward.asking {
		pause = lease / 2
	}
	if n.ward.asked == 0 || in.Clock-n.ward.asked >= pause {
		n.ward.asking, n.ward.asked, out.AskLease = true, in.Clock, true
		pause = lease / 2
	}
	n.ward.lookAgain(n.ward.asked + pause)
}

// MayLease says why the boot of a node gets no lease by this State; nil if it
// does. Whoever asks has waited until a majority confirmed, after the question
// was sent, that the State is not older than that. So a lease was always asked
// for before the fence intent was committed (law L6).
func MayLease(s *State, node, boot string) error {
	n, known := s.Nodes.Get(node)
	switch {
	case !known:
		return fmt.Errorf("%s is no member of the cluster", node)
	case condemned(s, n, boot):
		return fmt.Errorf("boot %.8s of %s is to end", boot, node)
	}
	return nil
}

// condemned tells that a boot is to end, or has ended by what the State says. A
// drill is none: its own silence has to come from the device.
func condemned(s *State, n Member, boot string) bool {
	open, fencing := s.Fences.Get(n.Name)
	return n.cutBoot(boot) || (n.State == NodeFenced && n.Boot == boot) || (fencing && !open.Drill && open.Boot == boot)
}

// say finds the word for the keeper. Nothing is said before this incarnation is
// in force: until then the State may be older than what runs here.
func (n *Node) say(in Input, me Member, lease time.Duration, ends bool) {
	current := in.Incarnation != 0 && me.Incarnation == in.Incarnation
	leased := in.Clock < n.ward.until
	if leased {
		n.ward.lookAgain(n.ward.until)
	}
	switch {
	case ends:
		n.mood(PetNever, 0)
	case lease == 0 && current:
		n.mood(PetFree, 0)
	case current && !n.mayHold(in, me):
		n.mood(PetFree, 0)
	case leased:
		n.mood(PetLeased, n.ward.until)
	case n.ward.keeper.Armed && n.ward.keeper.Free && current && n.holds(in, me, func(h Holder) bool { return h.Condition != "" }):
		n.mood(PetNever, 0) // something came up here past the door, and nobody lets it
	}
}

func (n *Node) mood(mood Mood, until time.Duration) {
	if n.ward.pet.Mood != mood {
		n.ward.pet.Seq++
	}
	n.ward.pet.Mood, n.ward.pet.Until = mood, until
}

// mayHold tells whether something may be running here, or come up: this boot
// holds a service, or an act on one is in hand.
func (n *Node) mayHold(in Input, me Member) bool {
	return len(n.handed) > 0 || n.holds(in, me, func(Holder) bool { return true })
}

// holds tells whether this boot is such a holder of any service. One by intent
// alone runs nothing yet: it waits for a lease, and so does the door.
func (n *Node) holds(in Input, me Member, such func(Holder) bool) bool {
	here := func(h Holder) bool { return h.Machine == me.Machine() && h.Boot == in.Boot && such(h) }
	held := func(s *Service) bool { return s.heldWhere(here) }
	return slices.ContainsFunc(in.State.Services.Rows(), held) || slices.ContainsFunc(in.State.Tombstones.Rows(), held)
}

// reportGuard tells the cluster what guards this boot, once it does.
func (n *Node) reportGuard(now time.Duration, in Input, me Member, wanted fence.Wanted, known fence.Guard) {
	if !me.Reachable() || me.Incarnation != in.Incarnation || me.Boot != in.Boot || in.State.Fences.Has(n.self) || in.Incarnation == 0 {
		return
	}
	fresh := known
	fresh.Boot = in.Boot
	if k := n.ward.keeper; known.Timeout == 0 && k.Armed && k.Timeout == wanted.Settings.Timeout {
		fresh.Timeout, fresh.Lease, fresh.Pills = k.Timeout, wanted.Settings.Lease, k.Pills
	}
	fresh.Keys = union(known.Keys, n.ward.keys.Registered)
	news := fresh.Timeout != known.Timeout || len(fresh.Keys) != len(known.Keys)
	if !news || !n.mayTell(now, in) {
		return
	}
	n.postKey("guarded", "", Guarded{Node: n.self, Incarnation: in.Incarnation, Guard: fresh})
}

// awaitsGuard tells that a duty has to wait until the keeper has answered that
// it pets no longer than the lease: what comes up here from then on ends with it.
func (n *Node) awaitsGuard(in Input, me Member, d Duty) bool {
	guard := me.guardOf(in.Boot)
	if guard.Timeout == 0 || (d.Kind != DutyStart && d.Kind != DutyResume) {
		return false
	}
	return !InForce(guard, n.ward.pet, n.ward.keeper, in.Clock)
}

// InForce tells whether what comes up on a host now ends with its guard: the
// keeper has answered the newest word, and that was a lease which lasts.
func InForce(g fence.Guard, newest Pet, k Keeper, clock time.Duration) bool {
	switch {
	case g.Timeout == 0:
		return true
	case !k.Armed || newest.Mood == PetNever:
		return false
	case g.Lease == 0:
		return true
	}
	return newest.Mood == PetLeased && k.Seq == newest.Seq && !k.Free && clock < k.Until
}
