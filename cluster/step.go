package cluster

import (
	"maps"
	"strings"
	"time"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// Input is everything that happened since the last Step. State is always the
// newest root that this node has applied.
type Input struct {
	State *State
	// Incarnation is the index of this daemon's NodeUp; 0 before it.
	Incarnation uint64
	// Leading is true only after the term's barrier: what was committed before
	// is applied here.
	Leading bool
	Leader  string
	// End is the last entry that this node's own log holds, committed or not.
	End uint64

	Beats     []Beat
	Verdicts  []Verdict
	Changes   []Change
	Results   []DutyResult
	Proposals []ProposalDone
	Checks    []CheckFrom

	// Boot is this host's boot id. Clock is a reading of the clock that counts all
	// time, a sleep of the host included; leases are counted on it.
	Boot   string
	Clock  time.Duration
	Leased []Leased
	// Keeper and Keys tell how this host's own guard stands, where that changed.
	Keeper *Keeper
	Keys   *Keys
	// Volume is how this host's data volume is, where that changed.
	Volume *Volume
	// Hypervisor says what this host's hypervisor does not answer, where that changed.
	Hypervisor *string
}

// Beat is one heartbeat that arrived.
type Beat struct {
	Node        string
	Incarnation uint64
	// Applied is the newest entry that it has applied, End the last one that its log
	// holds; both are zero where the beat does not say.
	Applied, End uint64
}

// Change is a hint of an agent that a service's VM is not what it was. It is
// looked at before it is believed.
type Change struct {
	Service     string
	Observation resources.Observation
}

// DutyResult is the end of one duty.
type DutyResult struct {
	Duty        Duty
	Result      resources.Result
	Observation resources.Observation
	Fence       fence.Result
}

// ProposalDone is the end of one proposal: it is applied here, or Failed.
type ProposalDone struct {
	ID uint64
	// Failed: it may or may not be in the log; the State tells.
	Failed bool
	// Refused holds Apply's sentences, one per command.
	Refused []string
}

// Proposal is a set of commands for one log entry.
type Proposal struct {
	ID       uint64
	Commands []Command
	// Planned: the leader's own decision. It may enter the log only through the
	// leadership of this very node, and is never forwarded to a later leader,
	// whose view it is not.
	Planned bool
}

// Output is what the shell has to do.
type Output struct {
	Propose []Proposal
	Do      []Duty
	// Test names nodes that the peers are to be asked to reach.
	Test []string
	// Notes are the leader's: what was not done, and why.
	Notes []Note
	// AskLease: a majority is to be asked now, see Leased.
	AskLease bool
	// Pet is the word for this host's keeper; nil where nothing is to be said.
	Pet *Pet
	// Yield: this host is cut off from its storage. It ends every managed VM that
	// runs here, at once, and asks nobody.
	Yield bool
	// Planned is what the leader decided from, in a Step in which it proposed
	// something of it; nil otherwise.
	Planned *Planned
	// Seen is what the leader's Notes come from: what it explains, it explains from that. It never
	// changes; another one comes with each plan that is made anew, and with each tick. It is nil
	// on a node that does not lead.
	Seen *View
}

// Planned is one run of Plan: what went in and what came out, so that it can be
// run again later. Nothing in it changes any more.
type Planned struct {
	State    *State
	View     View
	Decision Decision
}

// Node is the mind of one node. It is owned by one goroutine.
type Node struct {
	self    string
	view    View
	last    time.Duration
	started bool

	handed   map[string]bool          // duties handed out, until their end is in the State
	testing  map[string]time.Duration // node -> give the test up then
	rested   map[string]time.Duration // duty key -> not again before
	outbox   []parcel
	flying   map[uint64][]string      // proposal -> keys of its commands
	held     map[string]time.Duration // command key -> not before
	inFlight map[string]bool
	looks    map[string]look
	seen     map[string]resources.Condition // by service, in the last look
	nextID   uint64
	shortcut shortcut

	// waiting are the services of which a stopwatch runs in the State of that index.
	waiting   []*Service
	waitingAt uint64
	heard     map[string]Beat // emptied and filled in each Step
	ward      guardian
	volume    volumeWatch
	// hypervisor is what this node knows of its own.
	hypervisor hungWatch
	worded     map[string]time.Duration // device -> its problem not in other words before
}

// Pauses before something that did not work is tried again.
const (
	pauseAfterRefusal = time.Second
	pauseAfterFailure = 200 * time.Millisecond
	pauseBetweenLooks = 500 * time.Millisecond
	pauseBetweenTests = 500 * time.Millisecond
	pauseFenceRounds  = 30 * time.Second
	pauseStartRounds  = 30 * time.Second
	pauseBetweenTries = 2 * time.Second
	testDeadline      = 3 * time.Second
)

// NewNode makes the mind of the node named self.
func NewNode(self string) *Node {
	return &Node{
		self: self, view: View{Self: self, Contacts: map[string]Contactwatch{}, Resting: map[string]time.Duration{},
			Stuck: map[string]time.Duration{}, Loops: map[string]loopwatch{}, Ends: map[string]loopwatch{},
			Waited: map[string]Waited{}, Opens: map[string]openwatch{}},
		handed: map[string]bool{}, testing: map[string]time.Duration{}, rested: map[string]time.Duration{}, flying: map[uint64][]string{},
		held: map[string]time.Duration{}, inFlight: map[string]bool{}, looks: map[string]look{},
		seen: map[string]resources.Condition{}, heard: map[string]Beat{}, worded: map[string]time.Duration{},
	}
}

// Step takes in what happened and says what to do. `now` is a monotonic
// reading of this node's clock.
func (n *Node) Step(now time.Duration, in Input) Output {
	elapsed := now - n.last
	if !n.started {
		elapsed, n.started = 0, true
	}
	tick := min(elapsed, Tick)
	n.last = now
	var out Output
	n.takeProposals(now, in)
	n.takeResults(now, in)
	n.takeChanges(in)
	n.watch(now, elapsed, in, &out)
	n.waitOut(tick, in)
	n.guard(now, in, &out)
	n.quiet(elapsed, in)
	n.tellVolume(now, in, &out)
	n.tellHypervisor(now, in, &out)
	if in.Incarnation != 0 {
		n.report(now, in, &out)
		n.work(now, in, &out)
	}
	if in.Leading {
		n.lead(now, elapsed, in, &out)
	} else {
		n.view.Leading, n.view.Led, n.shortcut.planned = false, 0, false
	}
	n.shortcut.restful = n.restful(now, in)
	return out
}

// quiet measures how long the timeline has been without an event, on every node:
// a new leader need not begin to count. All time counts, because it judges
// nobody.
func (n *Node) quiet(elapsed time.Duration, in Input) {
	n.view = n.view.On(in.State, elapsed)
}

// takeResults turns ends of duties into commands. An answer that proves nothing
// is no answer: the look is repeated after a pause.
func (n *Node) takeResults(now time.Duration, in Input) {
	for _, r := range in.Results {
		d := r.Duty
		switch d.Kind {
		case DutyLook:
			n.takeLook(now, in, r)
		case DutyFence:
			n.post(d, FenceDone{Node: d.Node, Act: d.Index, Ordinal: d.Ordinal, Fencer: n.self, Incarnation: d.Incarnation, Result: r.Fence})
		case DutyPowerOn:
			problem := ""
			if r.Fence.Outcome != fence.Confirmed {
				problem = strings.Join(r.Fence.Evidence, "; ")
			}
			n.post(d, PowerOnDone{Node: d.Node, Act: d.Index, Fencer: n.self, Incarnation: d.Incarnation, Problem: problem})
		case DutyPause:
			n.want(d.Service, look{wanted: true})
			if s, known := in.State.Services.Get(d.Service); !known || s.Intent == nil || s.Intent.Index != d.Index {
				// The look tells whether it worked; until then it is tried again.
				delete(n.handed, d.Key())
				n.rested[d.Key()] = now + pauseBetweenTries
			} else {
				n.post(d, Done{Service: d.Service, Act: d.Index, Node: n.self, Incarnation: d.Incarnation, Result: r.Result})
			}
		case DutyCancel:
			// How the migration ends is told by itself. An abort that was refused may have
			// come before it began.
			delete(n.handed, d.Key())
			n.rested[d.Key()] = now + pauseBetweenTries
		default:
			if d.Ends && r.Result.Source != resources.Absent {
				delete(n.handed, d.Key())
				n.rested[d.Key()] = now + pauseBetweenTries
				continue
			}
			n.post(d, Done{Service: d.Service, Act: d.Index, Node: n.self, Incarnation: d.Incarnation, Result: r.Result})
		}
	}
	for _, check := range in.Checks {
		if c := n.checkCommand(now, in.State, check, in.Leading); c != nil {
			n.postKey("check/"+check.Device, "", c)
		}
	}
}

// watch advances the stopwatches on the others and asks for tests.
func (n *Node) watch(now, elapsed time.Duration, in Input, out *Output) {
	tick := min(elapsed, Tick)
	heard := n.heard
	clear(heard)
	for _, b := range in.Beats {
		heard[b.Node] = b
	}
	for _, v := range in.Verdicts {
		delete(n.testing, v.Node)
		w := n.view.Contacts[v.Node]
		verdict := v
		w.Verdict, w.VerdictAge = &verdict, 0
		if v.Daemon == Answers {
			w.KernelOnly = 0 // The grace is for one silence, not for the sum of several.
		}
		n.view.Contacts[v.Node] = w
	}
	timing := TimingFor(in.State.Document.Timing)
	for i, name := range in.State.Nodes.Keys() {
		if name == n.self {
			n.view.Contacts[name] = Contactwatch{Heard: true, Incarnation: in.Incarnation}
			continue
		}
		w := n.view.Contacts[name]
		node := in.State.Nodes.Rows()[i]
		if b, beat := heard[name]; beat {
			w = Contactwatch{Heard: true, Incarnation: b.Incarnation, Log: n.followed(w, node, b, tick, in)}
		} else if node.Incarnation != w.Known && node.State == NodeLooking {
			// Its daemon has just started: what was measured of the last one says
			// nothing about this one.
			w = Contactwatch{Heard: true, Incarnation: node.Incarnation}
		} else {
			w.Silence += tick
			w.StoodStill = w.StoodStill || elapsed >= timing.Lost
			if !in.Leading && in.Leader != "" && name != in.Leader {
				// Who does not lead asks about the leader alone: what was found out about
				// others while it led is old when it leads again.
				w.Verdict, w.KernelOnly = nil, 0
			}
			w.VerdictAge += tick
			if w.Verdict != nil && w.Verdict.Kernel == Answers && w.Verdict.Daemon != Answers {
				w.KernelOnly += tick
			}
		}
		w.Known, w.Log = node.Incarnation, w.Log.known(node, in)
		n.view.Contacts[name] = w
		if n.wantsTest(in, node, w, timing) && now >= n.testing[name] {
			n.testing[name] = now + testDeadline
			out.Test = append(out.Test, name)
		}
	}
}

// wantsTest: the leader tests everybody it does not hear; a follower tests the
// leader, so that it need not begin when it takes over.
func (n *Node) wantsTest(in Input, node *Member, w Contactwatch, timing Timing) bool {
	if node.Incarnation == 0 || node.Ended() || node.State == NodeLeft || w.Silence < timing.Test {
		return false
	}
	if !in.Leading && node.Name != in.Leader && in.Leader != "" {
		return false
	}
	return w.Verdict == nil || w.VerdictAge >= pauseBetweenTests
}

// work hands out the duties that are not handed out yet.
func (n *Node) work(now time.Duration, in Input, out *Output) {
	me, _ := in.State.Nodes.Get(n.self)
	if me.Incarnation != in.Incarnation {
		return
	}
	if n.shortcut.news(in.State) {
		n.recheck(now, in.State, me)
	}
	duties := n.shortcut.workOf(in.State, n.self)
	n.forget(duties)
	for _, d := range duties {
		if n.handed[d.Key()] || now < n.rested[d.Key()] || n.awaitsGuard(in, me, d) || !n.ready(in, &d) {
			continue
		}
		n.handed[d.Key()] = true
		out.Do = append(out.Do, d)
	}
	n.confirm(now, in, me, out)
}

// forget drops the pauses of duties that nobody asks for any more.
func (n *Node) forget(duties []Duty) {
	if len(n.rested) == 0 {
		return
	}
	wanted := map[string]bool{}
	for _, d := range duties {
		wanted[d.Key()] = true
	}
	maps.DeleteFunc(n.rested, func(key string, _ time.Duration) bool { return !wanted[key] })
}

// lead plans, on the leader.
func (n *Node) lead(now, elapsed time.Duration, in Input, out *Output) {
	n.rest(elapsed, in)
	if n.view.Led < settlingTime {
		n.view.Led = min(n.view.Led+min(elapsed, Tick), settlingTime)
		n.shortcut.turned = n.shortcut.turned || n.view.Led == settlingTime
	}
	n.view.Leading = true
	decision, seen := n.shortcut.planOf(now, in.State, n.view)
	out.Notes, out.Seen = decision.Notes, seen
	if len(decision.Commands) == 0 {
		return
	}
	keys := make([]string, len(decision.Commands))
	for i, c := range decision.Commands {
		keys[i] = planKey(c)
	}
	before := len(out.Propose)
	n.proposeOnce(now, in.State, keys, decision.Commands, true, out)
	if len(out.Propose) > before {
		out.Planned = &Planned{State: in.State, View: *seen, Decision: decision}
	}
}

// rest measures how long things have been waiting: an open fence intent without
// an attempt, a service after failed starts.
func (n *Node) rest(elapsed time.Duration, in Input) {
	tick := min(elapsed, Tick)
	if n.waiting == nil || n.waitingAt != in.State.Index {
		n.waiting, n.waitingAt = n.whoWaits(in.State), in.State.Index
	}
	for _, service := range n.waiting {
		n.shortcut.turned = n.view.restLoop(service, tick) || n.shortcut.turned
		n.shortcut.turned = n.view.restOpen(service, tick) || n.shortcut.turned
		n.view.restEnd(service, tick)
		if service.downAfterFailure() {
			n.view.Stuck[service.Spec.Name] += tick
		}
	}
	for node := range n.view.Resting {
		if open, fencing := in.State.Fences.Get(node); !fencing || open.Fencer != "" {
			delete(n.view.Resting, node)
		}
	}
	for _, node := range in.State.Fences.Keys() {
		if open, _ := in.State.Fences.Get(node); open.Fencer == "" {
			n.view.Resting[node] += tick
		}
	}
}

// whoWaits are the services of which a stopwatch runs. The State alone says which they
// are, so they are looked for once for each State; what was measured of others is dropped.
func (n *Node) whoWaits(s *State) []*Service {
	waiting := []*Service{}
	loops, ends, stuck := n.view.Loops, n.view.Ends, n.view.Stuck
	n.view.Loops, n.view.Ends, n.view.Stuck = map[string]loopwatch{}, map[string]loopwatch{}, map[string]time.Duration{}
	opens := n.view.Opens
	n.view.Opens = map[string]openwatch{}
	for i, name := range s.Services.Keys() {
		service, waits := s.Services.Rows()[i], false
		if service.loops() {
			n.view.Loops[name], waits = loops[name], true
		}
		if service.endsMove() {
			n.view.Ends[name], waits = ends[name], true
		}
		if service.downAfterFailure() {
			n.view.Stuck[name], waits = stuck[name], true
		}
		if service.Intent != nil {
			if w := opens[name]; w.Index == service.Intent.Index {
				n.view.Opens[name] = w
			}
			waits = true
		}
		if waits {
			waiting = append(waiting, service)
		}
	}
	return waiting
}

// downAfterFailure tells that a service is down, and that starts of it have failed.
func (s *Service) downAfterFailure() bool {
	return len(s.FailedOn) > 0 && s.Intent == nil && s.State != resources.Started
}

// planKey tells planned commands apart, so that one is not proposed again
// while it is on its way.
func planKey(c Command) string {
	switch c := c.(type) {
	case Begin:
		return "plan/service/" + c.Service
	case GiveUp:
		return "plan/service/" + c.Service
	case EndMove:
		return "plan/service/" + c.Service
	case Contact:
		return "plan/contact/" + c.Node
	case BeginFence:
		return "plan/fence/" + c.Node
	case AssignFence:
		return "plan/fence/" + c.Node
	case NodeGone:
		return "plan/gone/" + c.Node
	case NodeEmpty:
		return "plan/empty/" + c.Node
	case Thaw:
		return "plan/service/" + c.Service
	case Leave:
		return "plan/leave/" + c.Node
	case PowerOnDone:
		return "plan/power/" + c.Node
	}
	return "plan/" + c.Kind()
}

// Decision is what this node decided last as the leader, for who watches it.
func (n *Node) Decision() Decision { return n.shortcut.decision }
