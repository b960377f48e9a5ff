// Package plan says what should be decided next, and for what is not, what that waits for. It
// reads a World and the leader's own View; it is free to change with each version.
package plan

import (
	"sort"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// Decision is what the leader wants to happen next.
type Decision struct {
	// Commands are proposed to the log, in this order.
	Commands []cluster.Command
	// Notes say what was not done, and what that waits for.
	Notes []cluster.Note
	// Again is the View.Quiet from which on time alone changes the decision; 0 is
	// never.
	Again time.Duration `json:",omitempty"`
}

func (d *Decision) propose(c cluster.Command) { d.Commands = append(d.Commands, c) }

// Shots are the nodes whose fence intents this decision holds. They count before
// the State has them, because what is proposed and refused would be held back for
// longer than it need be.
func (d *Decision) Shots() []string {
	var nodes []string
	for _, c := range d.Commands {
		if first, shot := c.(cluster.BeginFence); shot {
			nodes = append(nodes, first.Node)
		}
	}
	return nodes
}

func (d *Decision) wait(subject string, why, next message.Text) {
	d.Notes = append(d.Notes, cluster.Note{Subject: subject, Why: why, Next: next})
}

// remembered is what this plan found out before: why something waits, or that it does not.
type remembered struct{ why message.Text }

// planner is one run of Plan over the services.
type planner struct {
	rules.World
	view     cluster.View
	decision *Decision
	// Load counts the services on each node, with what this very decision puts
	// there, so that the services of a lost node spread out.
	Load map[string]int
	// starting counts the starts under way, with those of this decision; idles
	// remembers what was found out about services that do not come up.
	starting int
	idles    map[string]remembered
	// gates is what each tier waits for.
	gates map[int]remembered
	// leaving are the services that this decision stops, moved those that it moves to
	// make room.
	leaving, moved map[string]bool
	// asked is the running service that the movers are asked about.
	asked running
	// tenants are what takes something of each node, where that was asked.
	tenants map[string][]tenant
	// advised counts the services for which it was asked what would make room.
	advised int
	// crowds is how much each node has to do, counted at the first question.
	crowds map[string]backlog
}

func (p *planner) wait(subject string, why, next message.Text) { p.decision.wait(subject, why, next) }

// Plan decides, on the leader, what comes next. It reads the World and its own
// View; it cannot write. Plan may be wrong, Apply may not.
func Plan(s *cluster.State, v cluster.View) Decision {
	d, _ := planned(rules.Of(s), v)
	return d
}

// planned is Plan, and its planner as it is after the services: Explain shows what that knows.
func planned(w *rules.World, v cluster.View) (Decision, *planner) {
	var d Decision
	planLevel(w, &d)
	planLeader(w, v, &d)
	lost := planContacts(w, v, &d)
	planDisarmed(w, v, &d)
	planFences(w, v, lost, &d)
	planPowerOns(w, &d)
	planDrill(w, v, &d)
	p := PlanAllServices(w, v, &d)
	planLeaving(w, &d)
	planGuards(w, v, &d)
	noteVolumes(w, &d)
	noteHung(w, &d)
	sort.SliceStable(d.Notes, func(i, j int) bool { return d.Notes[i].Subject < d.Notes[j].Subject })
	return d, p
}

// PlanAllServices decides about all services, and once more where some of them
// are stopped to move: what needs those may have been decided about before that
// was known.
func PlanAllServices(w *rules.World, v cluster.View, d *Decision) *planner {
	before := *d
	first := NewPlanner(w, v, d)
	if first.planServices(); len(first.Departs) == 0 {
		return first
	}
	*d = before
	second := NewPlanner(w, v, d)
	second.Departs = first.Departs
	second.planServices()
	return second
}

// NewPlanner is one run of Plan over the services, with nothing decided yet.
func NewPlanner(w *rules.World, v cluster.View, d *Decision) *planner {
	p := &planner{World: *w, view: v, decision: d, Load: w.Loads(), idles: map[string]remembered{},
		gates: map[int]remembered{}, leaving: map[string]bool{}, moved: map[string]bool{}}
	p.Also, p.Departs = map[string]string{}, map[string]string{}
	for _, service := range w.Services.Rows() {
		if service.Intent != nil && service.Intent.Kind == cluster.IntentStart {
			p.starting++
		}
	}
	found := p.Rules()
	found.Barred = make(map[string]message.Text, w.Nodes.Len())
	for i, name := range w.Nodes.Keys() {
		found.Barred[name] = p.mayTakeWork(name, *w.Nodes.Rows()[i])
	}
	p.Ruled = &found
	if p.Measured() {
		p.Taken = p.TakenOnAll()
	}
	return p
}

// planServices decides about every service, in the order of their starts.
func (p *planner) planServices() {
	for _, name := range p.InOrder() {
		service, _ := p.Services.Get(name)
		p.planService(service)
	}
	p.planGraves()
	p.noteLock()
	p.noteRestarts()
	p.noteCapacity()
	p.planOrders()
}

// planContacts turns silences into edges. It returns the nodes that are lost
// by this very decision, so that their fence intent goes into the same entry.
func planContacts(w *rules.World, v cluster.View, d *Decision) map[string]message.Text {
	lost := map[string]message.Text{}
	if me, _ := w.Nodes.Get(v.Self); (me.State == cluster.NodeLost || me.Stalled()) && !w.Fences.Has(v.Self) {
		d.propose(cluster.Contact{Node: v.Self, Incarnation: me.Incarnation, State: cluster.NodeOnline,
			Why: message.LeaderInTouch.With(v.Self)})
	}
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		if name == v.Self || n.Incarnation == 0 || n.State == cluster.NodeLeft || n.Ended() ||
			n.State == cluster.NodeJoining {
			continue
		}
		j := cluster.Judge(n, v.Contacts[name], w.TimingOf(n))
		if n.Stopped && (j.State == cluster.NodeOnline || j.State == cluster.NodeDeaf) {
			// Its last beats: it comes back by its next start alone.
			d.wait(name, message.StoppedNodeHeard.With(), message.DoRestartDaemon.With(name))
			continue
		}
		if !j.Wait.IsZero() {
			d.wait(name, j.Wait, j.Next)
		}
		if noEdge(w, v, n, j, d) {
			continue
		}
		if j.State == cluster.NodeOnline && w.Fences.Has(name) {
			d.wait(name, message.CondemnedHeard.With(), message.Text{})
			continue
		}
		c := v.Contacts[name]
		d.propose(cluster.Contact{Node: name, Incarnation: n.Incarnation, State: j.State,
			Silence: max(c.Silence, c.Log.Still, c.Starts.Restless),
			Why:     contactWhy(n, j)})
		if j.State == cluster.NodeLost {
			lost[name] = j.Why
		}
	}
	return lost
}

// noEdge reports whether what is judged of a node changes nothing.
func noEdge(w *rules.World, v cluster.View, n cluster.Member, j cluster.Judgement, d *Decision) bool {
	return j.State == "" || j.State == n.State || sameContact(j.State, n.State) ||
		j.State == cluster.NodeLost && restsRestless(w, v, n, d)
}

// sameContact: hearing a node that looks or leaves is no edge, and a lost node
// does not become merely silent again.
func sameContact(judged, known cluster.NodeState) bool {
	if judged == cluster.NodeOnline {
		return known != cluster.NodeLost && known != cluster.NodeSilent && known != cluster.NodeDeaf
	}
	return (judged == cluster.NodeSilent || judged == cluster.NodeDeaf) && known == cluster.NodeLost
}

func contactWhy(n cluster.Member, j cluster.Judgement) message.Text {
	switch {
	case j.State == cluster.NodeOnline && n.State == cluster.NodeDeaf:
		return message.NodeFollowsAgain.With(n.Name)
	case j.State == cluster.NodeOnline:
		return message.NodeHeardAgain.With(n.Name)
	}
	return j.Why
}

// planFences shoots nodes that are lost and may hold something, and keeps the
// open intents going.
func planFences(w *rules.World, v cluster.View, lost map[string]message.Text, d *Decision) {
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		open, fencing := w.Fences.Get(name)
		why, lostNow := lost[name]
		switch {
		case fencing:
			planAttempt(w, v, open, d)
		case lostNow || n.State == cluster.NodeLost || n.State == cluster.NodeCut:
			if !lostNow {
				why = n.Why
			}
			planShot(w, v, n, why, lostNow, d)
		}
	}
}

func planShot(world *rules.World, v cluster.View, n cluster.Member, why message.Text, lostNow bool, d *Decision) {
	if !lostNow && n.State != cluster.NodeCut && spared(world, v.Contacts[n.Name], n, d) {
		return
	}
	if held, wait, next := heldBack(world, v, n, d); held {
		if !wait.IsZero() {
			d.wait(n.Name, wait, next)
		}
		return
	}
	d.propose(cluster.BeginFence{Node: n.Name, Boot: n.Boot, Fencer: fencersOf(world, v, n.Name)[0], Why: why})
}

// heldBack reports whether something speaks against a shot at a lost node, and says what, and what
// to do about it, where nobody else does.
func heldBack(world *rules.World, v cluster.View, n cluster.Member, d *Decision) (held bool, why, next message.Text) {
	w, timing := v.Contacts[n.Name], cluster.TimingFor(world.Document.Timing)
	holds, cut := world.HeldBy(n), n.State == cluster.NodeCut
	maintained := world.Maintained(n)
	disarmed, brake := world.DisarmedWhy(rules.Estimate(v, world)), world.Brake(rules.Estimate(v, world), d.Shots()...)
	wait := world.ShotDelay(n.Name)
	early := w.Silence < timing.Lost+wait && !w.BeyondGrace(timing, wait) && !w.RestlessFor(timing, wait)
	switch {
	case len(holds) == 0 && (cut || maintained): // what these wait for is said by planGuards and planOrders
		return true, message.Text{}, message.Text{}
	case len(holds) == 0:
		return true, message.NodeLostHoldsNothing.With(n.Name), message.Text{}
	case maintained:
		return true, message.MaintainedLost.With(n.Name, n.OrderWhy(), holds), message.DoBootOrConfirm.With(n.Name)
	case len(world.Document.Nodes[n.Name].Fence) == 0:
		return true, message.NodeLostUnfenceable.With(n.Name, holds), message.DoBootOrConfirm.With(n.Name)
	case !disarmed.IsZero():
		return true, message.NodeLostDisarmed.With(n.Name, disarmed), message.DoArmOrConfirm.With(n.Name)
	case wait > 0 && !cut && early:
		return true, message.NodeLostDelayed.With(n.Name, wait), message.Text{}
	case !brake.IsZero():
		return true, message.NodeLostBraked.With(n.Name, brake), message.DoOverrideBrake.With(n.Name)
	case len(fencersOf(world, v, n.Name)) == 0:
		return true, message.NodeLostNoFencer.With(n.Name), message.Text{}
	}
	return false, message.Text{}, message.Text{}
}

// restsRestless reports whether a node whose daemon starts again and again is left alone for now,
// because nothing would come of calling it lost: it is heard, and what holds the shot back may hold
// for long. It is said by noteRestarts.
func restsRestless(w *rules.World, v cluster.View, n cluster.Member, d *Decision) bool {
	if !v.Contacts[n.Name].RestlessFor(w.TimingOf(n), 0) {
		return false
	}
	held, _, _ := heldBack(w, v, n, d)
	return held
}

// spared reports whether a node that has counted as lost for a while is not shot, because of what
// is known of it now.
func spared(world *rules.World, contact cluster.Contactwatch, n cluster.Member, d *Decision) bool {
	timing := cluster.TimingFor(world.Document.Timing)
	switch {
	case contact.Silence < timing.Test && !contact.Log.Deaf && !contact.RestlessFor(timing, 0):
		return true // it is heard again: sparing happens before the intent
	case contact.MayComeBack(world.TimingOf(n)):
		return true // the shot was held back, and what was said of it when it was lost is no longer so
	case contact.Unasked(timing):
		d.wait(n.Name, message.KernelNotAsked.With(n.Name), message.Text{})
		return true
	}
	return false
}

// fencersOf lists the nodes that may fence a node now, this one first. The node
// itself never does, even if it leads, nor does one that was not heard.
func fencersOf(w *rules.World, v cluster.View, victim string) []string {
	var fencers []string
	for _, name := range append([]string{v.Self}, w.Nodes.Keys()...) {
		n, why := w.Workable(name)
		if why.IsZero() && rules.Unheard(v, w, n).IsZero() && name != victim && (name != v.Self || len(fencers) == 0) {
			fencers = append(fencers, name)
		}
	}
	return fencers
}

// planAttempt gives an open intent its next attempt.
func planAttempt(w *rules.World, v cluster.View, open cluster.Fence, d *Decision) {
	if open.Fencer != "" {
		fencer, _ := w.Nodes.Get(open.Fencer)
		if open.UnderWayBy(fencer) {
			return
		}
	}
	fencers := fencersOf(w, v, open.Node)
	levels := len(w.Document.Nodes[open.Node].Fence)
	if levels == 0 {
		d.wait(open.Node, message.FenceNoDevice.With(open.Node), message.DoConfirmOff.With(open.Node))
		return
	}
	if why := w.DisarmedWhy(rules.Estimate(v, w)); !why.IsZero() {
		d.wait(open.Node, message.FenceNoAttempt.With(open.Node, why), message.DoArmFencing.With())
		return
	}
	step, more := fence.NextOf(w.Attempts(open.Node), fencers, open.Tried)
	more = more && open.TriedTotal < cluster.MaxAttempts
	if !more && levels > 0 && len(fencers) > 0 && v.Cooldown[open.Node] >= PauseFenceRounds {
		// The rounds are used up; one attempt now and then goes on, because a
		// device may come back by itself.
		step, more = fence.Step{Fencer: fencers[open.TriedTotal%len(fencers)],
			Level: open.TriedTotal / len(fencers) % levels}, true
	}
	if victim, _ := w.Nodes.Get(open.Node); !more && victim.CutBoot(open.Boot) {
		return // planGuards says what it waits for
	}
	if !more {
		d.wait(open.Node, message.FenceUnproven.With(open.Node, cluster.Briefly(open.LastWhy), open.TriedTotal,
			PauseFenceRounds), message.DoRepairDevice.With(open.Node))
		return
	}
	d.propose(cluster.AssignFence{Node: open.Node, Fencer: step.Fencer, Level: step.Level})
}

// planLeaving closes a node's leave once it holds nothing.
func planLeaving(w *rules.World, d *Decision) {
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		if n.State != cluster.NodeLeaving {
			continue
		}
		if held := w.HeldBy(n); len(held) > 0 {
			d.wait(name, message.LeavingHolds.With(held), message.Text{})
			continue
		}
		d.propose(cluster.NodeGone{Node: name, Incarnation: n.Incarnation})
	}
}
