// Package mind is the decision core of one node: what happened goes in, what is to be proposed,
// done and shown comes out of Node.Step. It proposes and never writes.
package mind

import (
	"maps"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Node is the mind of one node. It is owned by one goroutine.
type Node struct {
	self    string
	release *cluster.Release
	view    cluster.View
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
	waiting   []*cluster.Service
	waitingAt uint64
	heard     map[string]Beat // emptied and filled in each Step
	hostGuard hostGuard
	volume    volumeWatch
	// hypervisor is what this node knows of its own.
	hypervisor hungWatch
	// capacity is what its host has.
	capacity capacityWatch
	worded   map[string]time.Duration // device -> its problem not in other words before
}

// NewNode makes the mind of the node named self.
func NewNode(self string) *Node {
	return &Node{
		self: self, release: cluster.Current, view: cluster.View{Self: self, Contacts: map[string]cluster.Contactwatch{},
			Cooldown: map[string]time.Duration{},
			Stuck:    map[string]time.Duration{}, Loops: map[string]cluster.Loopwatch{}, Ends: map[string]cluster.Loopwatch{},
			Waited: map[string]cluster.Waited{}, Opens: map[string]cluster.Openwatch{}},
		handed: map[string]bool{}, testing: map[string]time.Duration{}, rested: map[string]time.Duration{},
		flying: map[uint64][]string{},
		held:   map[string]time.Duration{}, inFlight: map[string]bool{}, looks: map[string]look{},
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
	tick := min(elapsed, cluster.Tick)
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
	n.tellCapacity(now, in, &out)
	if in.Incarnation != 0 {
		n.report(now, in, &out)
		n.work(now, in, &out)
	}
	if in.Leading && !in.Odd {
		n.lead(now, elapsed, in, &out)
	} else {
		n.view.Leading, n.view.Term, n.view.Led, n.shortcut.planned = false, 0, 0, false
	}
	n.shortcut.idle = n.idle(now, in)
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
		case cluster.DutyLook:
			n.takeLook(now, in, r)
		case cluster.DutyFence:
			n.post(d, cluster.FenceDone{Node: d.Node, Act: d.Index, Ordinal: d.Ordinal, Fencer: n.self,
				Incarnation: d.Incarnation, Result: r.Fence})
		case cluster.DutyPowerOn:
			var problem message.Text
			if r.Fence.Outcome != fence.Confirmed {
				problem = message.Words(strings.Join(r.Fence.Evidence, "; "))
			}
			n.post(d, cluster.PowerOnDone{Node: d.Node, Act: d.Index, Fencer: n.self, Incarnation: d.Incarnation,
				Problem: problem})
		case cluster.DutyPause:
			n.want(d.Service, look{wanted: true})
			if s, known := in.State.Services.Get(d.Service); !known || s.Intent == nil || s.Intent.Index != d.Index {
				// The look reports whether it worked; until then it is tried again.
				delete(n.handed, d.Key())
				n.rested[d.Key()] = now + plan.PauseBetweenTries
			} else {
				n.post(d, cluster.Done{Service: d.Service, Act: d.Index, Node: n.self, Incarnation: d.Incarnation,
					Result: r.Result})
			}
		case cluster.DutyCancel:
			// How the migration ends is told by itself. An abort that was refused may have
			// come before it began.
			delete(n.handed, d.Key())
			n.rested[d.Key()] = now + plan.PauseBetweenTries
		case cluster.DutyTune:
			if !r.Result.OK { // it may not have begun, and when it has ended nobody asks
				delete(n.handed, d.Key())
				n.rested[d.Key()] = now + plan.PauseBetweenTries
			}
		default:
			if d.Ends && r.Result.Source != resources.Absent {
				delete(n.handed, d.Key())
				n.rested[d.Key()] = now + plan.PauseBetweenTries
				continue
			}
			n.post(d, cluster.Done{Service: d.Service, Act: d.Index, Node: n.self, Incarnation: d.Incarnation,
				Stage: d.Stage, Result: r.Result})
		}
	}
	for _, check := range in.Checks {
		if c := n.checkCommand(now, in.State, check, in.Leading); c != nil {
			n.postWord(c)
		}
	}
}

// watch advances the stopwatches on the others and asks for tests.
func (n *Node) watch(now, elapsed time.Duration, in Input, out *Output) {
	tick := min(elapsed, cluster.Tick)
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
		if v.Daemon == cluster.Answers {
			w.KernelOnly = 0 // The grace is for one silence, not for the sum of several.
		}
		n.view.Contacts[v.Node] = w
	}
	timing := cluster.TimingFor(in.State.Document.Timing)
	for i, name := range in.State.Nodes.Keys() {
		if name == n.self {
			n.view.Contacts[name] = cluster.Contactwatch{Heard: true, Incarnation: in.Incarnation}
			continue
		}
		w := n.view.Contacts[name]
		node := in.State.Nodes.Rows()[i]
		b, beat := heard[name]
		starts := n.starts(w, node, tick, b, in)
		if beat {
			w = cluster.Contactwatch{Heard: true, Incarnation: b.Incarnation, Log: n.followed(w, node, b, tick, in)}
		} else if node.Incarnation != w.Known && node.State == cluster.NodeLooking {
			// Its daemon has just started: what was measured of the last one says
			// nothing about this one.
			w = cluster.Contactwatch{Heard: true, Assumed: true, Incarnation: node.Incarnation}
		} else {
			w.Silence += tick
			w.StoodStill = w.StoodStill || elapsed >= timing.Lost
			if !in.Leading && in.Leader != "" && name != in.Leader {
				// Who does not lead asks about the leader alone: what was found out about
				// others while it led is old when it leads again.
				w.Verdict, w.KernelOnly = nil, 0
			}
			w.VerdictAge += tick
			if w.Verdict != nil && w.Verdict.Kernel == cluster.Answers && w.Verdict.Daemon != cluster.Answers {
				w.KernelOnly += tick
			}
		}
		w.Known, w.Log, w.Starts = node.Incarnation, logKnown(w.Log, node, in), starts
		n.view.Contacts[name] = w
		if n.wantsTest(in, node, w, timing) && now >= n.testing[name] {
			n.testing[name] = now + plan.TestDeadline
			out.Test = append(out.Test, name)
		}
	}
}

// wantsTest: the leader tests everybody it does not hear; a follower tests the
// leader, so that it need not begin when it takes over.
func (n *Node) wantsTest(in Input, node *cluster.Member, w cluster.Contactwatch, timing cluster.Timing) bool {
	if node.Incarnation == 0 || node.Ended() || node.State == cluster.NodeLeft || w.Silence < timing.Test {
		return false
	}
	if !in.Leading && node.Name != in.Leader && in.Leader != "" {
		return false
	}
	return w.Verdict == nil || w.VerdictAge >= plan.PauseBetweenTests
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
		if in.Odd || n.handed[d.Key()] || now < n.rested[d.Key()] || n.awaitsGuard(in, me, d) || !n.ready(in, &d) {
			continue
		}
		n.handed[d.Key()] = true
		out.Do = append(out.Do, d)
	}
	n.confirm(now, in, me, out)
}

// forget drops the pauses of duties that are no longer asked for.
func (n *Node) forget(duties []cluster.Duty) {
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
	if n.view.Led < plan.SettlingTime {
		n.view.Led = min(n.view.Led+min(elapsed, cluster.Tick), plan.SettlingTime)
		n.shortcut.turned = n.shortcut.turned || n.view.Led == plan.SettlingTime
	}
	n.shortcut.turned = n.shortcut.turned || n.view.Term != in.Term
	n.view.Leading, n.view.Term = true, in.Term
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
	tick := min(elapsed, cluster.Tick)
	if n.waiting == nil || n.waitingAt != in.State.Index {
		n.waiting, n.waitingAt = n.whoWaits(in.State), in.State.Index
	}
	for _, service := range n.waiting {
		n.shortcut.turned = n.view.RestLoop(service, tick) || n.shortcut.turned
		n.shortcut.turned = n.view.RestOpen(service, tick) || n.shortcut.turned
		n.view.RestEnd(in.State, service, tick)
		if service.DownAfterFailure() {
			n.view.Stuck[service.Spec.Name] += tick
		}
	}
	for node := range n.view.Cooldown {
		if open, fencing := in.State.Fences.Get(node); !fencing || open.Fencer != "" {
			delete(n.view.Cooldown, node)
		}
	}
	for _, node := range in.State.Fences.Keys() {
		if open, _ := in.State.Fences.Get(node); open.Fencer == "" {
			n.view.Cooldown[node] += tick
		}
	}
}

// whoWaits are the services of which a stopwatch runs. The State alone says which they
// are, so they are looked for once for each State; what was measured of others is dropped.
func (n *Node) whoWaits(s *cluster.State) []*cluster.Service {
	waiting := []*cluster.Service{}
	loops, ends, stuck := n.view.Loops, n.view.Ends, n.view.Stuck
	n.view.Loops, n.view.Ends, n.view.Stuck = map[string]cluster.Loopwatch{}, map[string]cluster.Loopwatch{},
		map[string]time.Duration{}
	opens := n.view.Opens
	n.view.Opens = map[string]cluster.Openwatch{}
	for i, name := range s.Services.Keys() {
		service, waits := s.Services.Rows()[i], false
		if service.Loops() {
			n.view.Loops[name], waits = loops[name], true
		}
		if s.EndsMove(service).Since != 0 {
			n.view.Ends[name], waits = ends[name], true
		}
		if service.DownAfterFailure() {
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

// planKey is the key of a planned command: apart from those of what this node reports, because
// the leader may plan for itself what it would else report.
func planKey(c cluster.Command) string { return "plan/" + cluster.KeyOf(c) }

// Decision is what this node decided last as the leader, for who watches it.
func (n *Node) Decision() plan.Decision { return n.shortcut.decision }
