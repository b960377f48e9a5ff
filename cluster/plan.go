package cluster

import (
	"fmt"
	"sort"
	"time"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
)

// Decision is what the leader wants to happen next.
type Decision struct {
	// Commands are proposed to the log, in this order.
	Commands []Command
	// Notes say what was not done, and what that waits for.
	Notes []Note
	// Again is the View.Quiet from which on time alone changes the decision; 0 is
	// never.
	Again time.Duration `json:",omitempty"`
}

func (d *Decision) propose(c Command) { d.Commands = append(d.Commands, c) }

// shots are the nodes whose fence intents this decision holds. They count before
// the State has them, because what is proposed and refused would be held back for
// longer than it need be.
func (d *Decision) shots() []string {
	var nodes []string
	for _, c := range d.Commands {
		if first, shot := c.(BeginFence); shot {
			nodes = append(nodes, first.Node)
		}
	}
	return nodes
}

func (d *Decision) wait(subject, why, next string) {
	d.Notes = append(d.Notes, Note{Subject: subject, Why: why, Next: next})
}

// planner is one run of Plan over the services.
type planner struct {
	World
	view     View
	decision *Decision
	// load counts the services on each node, with what this very decision puts
	// there, so that the services of a lost node spread out.
	load map[string]int
	// starting counts the starts under way, with those of this decision; idles
	// remembers what was found out about services that do not come up.
	starting int
	idles    map[string]string
	// gates is what each tier waits for.
	gates map[int]string
	// leaving are the services that this decision stops, moved those that it moves to
	// make room.
	leaving, moved map[string]bool
	// asked is the running service that the movers are asked about.
	asked running
	// crowds is how much each node has to do, counted at the first question.
	crowds map[string]backlog
}

func (p *planner) wait(subject, why, next string) { p.decision.wait(subject, why, next) }

// Plan decides, on the leader, what comes next. It reads the World and its own
// View; it cannot write. Plan may be wrong, Apply may not.
func Plan(s *State, v View) Decision {
	d, _ := planned(s.world(), v)
	return d
}

// planned is Plan, and its planner as it is after the services: Explain shows what that knows.
func planned(w *World, v View) (Decision, *planner) {
	var d Decision
	planLevel(w, &d)
	lost := planContacts(w, v, &d)
	planDisarmed(w, v, &d)
	planFences(w, v, lost, &d)
	planPowerOns(w, &d)
	planDrill(w, v, &d)
	p := planAllServices(w, v, &d)
	planLeaving(w, &d)
	planGuards(w, v, &d)
	noteVolumes(w, &d)
	noteHung(w, &d)
	sort.SliceStable(d.Notes, func(i, j int) bool { return d.Notes[i].Subject < d.Notes[j].Subject })
	return d, p
}

// planAllServices decides about all services, and once more where some of them
// are stopped to move: what needs those may have been decided about before that
// was known.
func planAllServices(w *World, v View, d *Decision) *planner {
	before := *d
	first := newPlanner(w, v, d)
	if first.planServices(); len(first.departs) == 0 {
		return first
	}
	*d = before
	second := newPlanner(w, v, d)
	second.departs = first.departs
	second.planServices()
	return second
}

func newPlanner(w *World, v View, d *Decision) *planner {
	p := &planner{World: *w, view: v, decision: d, load: w.loads(), idles: map[string]string{},
		gates: map[int]string{}, leaving: map[string]bool{}, moved: map[string]bool{}}
	p.also, p.departs = map[string]string{}, map[string]string{}
	for _, service := range w.Services.Rows() {
		if service.Intent != nil && service.Intent.Kind == IntentStart {
			p.starting++
		}
	}
	found := p.rules()
	found.barred = make(map[string]string, w.Nodes.Len())
	for i, name := range w.Nodes.Keys() {
		found.barred[name] = p.mayTakeWork(name, *w.Nodes.Rows()[i])
	}
	p.ruled = &found
	return p
}

// planServices decides about every service, in the order of their starts.
func (p *planner) planServices() {
	for _, name := range p.inOrder() {
		service, _ := p.Services.Get(name)
		p.planService(service)
	}
	p.planGraves()
	p.noteLock()
	p.noteRestarts()
	p.planOrders()
}

// planContacts turns silences into edges. It returns the nodes that are lost
// by this very decision, so that their fence intent goes into the same entry.
func planContacts(w *World, v View, d *Decision) map[string]string {
	lost := map[string]string{}
	if me, _ := w.Nodes.Get(v.Self); (me.State == NodeLost || me.stalled()) && !w.Fences.Has(v.Self) {
		d.propose(Contact{Node: v.Self, Incarnation: me.Incarnation, State: NodeOnline, Why: v.Self + " leads the cluster, so it is in touch"})
	}
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		if name == v.Self || n.Incarnation == 0 || n.State == NodeLeft || n.Ended() || n.State == NodeJoining {
			continue
		}
		j := judge(n, v.Contacts[name], w.timingOf(n))
		if n.Stopped && (j.state == NodeOnline || j.state == NodeDeaf) {
			// Its last beats: it comes back by its next start alone.
			d.wait(name, "clusterd announced that it stops there, and is still heard", "`systemctl restart clusterd` on "+name)
			continue
		}
		if j.wait != "" {
			d.wait(name, j.wait, j.next)
		}
		if j.state == "" || j.state == n.State || sameContact(j.state, n.State) {
			continue
		}
		if j.state == NodeOnline && w.Fences.Has(name) {
			d.wait(name, "heard again, but its fence intent is committed and is not spared", "")
			continue
		}
		silence := max(v.Contacts[name].Silence, v.Contacts[name].Log.Still)
		d.propose(Contact{Node: name, Incarnation: n.Incarnation, State: j.state, Silence: silence, Why: contactWhy(n, j)})
		if j.state == NodeLost {
			lost[name] = j.why
		}
	}
	return lost
}

// sameContact: hearing a node that looks or leaves is no edge, and a lost node
// does not become merely silent again.
func sameContact(judged, known NodeState) bool {
	if judged == NodeOnline {
		return known != NodeLost && known != NodeSilent && known != NodeDeaf
	}
	return (judged == NodeSilent || judged == NodeDeaf) && known == NodeLost
}

func contactWhy(n Member, j judgement) string {
	switch {
	case j.state == NodeOnline && n.State == NodeDeaf:
		return n.Name + " follows the log again"
	case j.state == NodeOnline:
		return n.Name + " is heard again"
	}
	return j.why
}

// planFences shoots nodes that are lost and may hold something, and keeps the
// open intents going.
func planFences(w *World, v View, lost map[string]string, d *Decision) {
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		open, fencing := w.Fences.Get(name)
		why, lostNow := lost[name]
		switch {
		case fencing:
			planAttempt(w, v, open, d)
		case lostNow || n.State == NodeLost || n.State == NodeCut:
			if !lostNow {
				why = n.Why
			}
			planShot(w, v, n, why, lostNow, d)
		}
	}
}

func planShot(world *World, v View, n Member, why string, lostNow bool, d *Decision) {
	w, timing := v.Contacts[n.Name], TimingFor(world.Document.Timing)
	if w.Silence < timing.Test && !w.Log.Deaf && !lostNow && n.State != NodeCut {
		return // it is heard again: sparing happens before the intent
	}
	if !lostNow && n.State != NodeCut && v.Contacts[n.Name].mayComeBack(world.timingOf(n)) {
		return // the shot was held back, and what was said of it when it was lost is no longer so
	}
	if !lostNow && n.State != NodeCut && w.unasked(timing) {
		d.wait(n.Name, n.Name+" is lost; this leader has not asked yet whether its kernel answers by now", "")
		return
	}
	held := world.heldBy(n)
	if len(held) == 0 {
		if n.State != NodeCut && !world.maintained(n) { // what these wait for is said by planGuards and planOrders
			d.wait(n.Name, n.Name+" is lost and holds nothing: it is not fenced", "")
		}
		return
	}
	if world.maintained(n) {
		d.wait(n.Name, fmt.Sprintf("%s is %s and is not fenced: whether %s runs there is known when it is back", n.Name, n.orderWhy(), joined(held)),
			"boot it, or make sure that it is off and say so with `clusterd fence confirm "+n.Name+"`")
		return
	}
	levels := world.Document.Nodes[n.Name].Fence
	if len(levels) == 0 {
		d.wait(n.Name, fmt.Sprintf("%s is lost and has no fence device: %s cannot be recovered, because nobody knows that it is off", n.Name, joined(held)),
			"boot it, or make sure that it is off and say so with `clusterd fence confirm "+n.Name+"`")
		return
	}
	if why := world.disarmed(v.estimate(world)); why != "" {
		d.wait(n.Name, n.Name+" is lost and not fenced: "+why, "`clusterd fence arm` ends that; if you know that its machine is off: `clusterd fence confirm "+n.Name+"`")
		return
	}
	if wait := world.shotDelay(n.Name); wait > 0 && n.State != NodeCut && w.Silence < timing.Lost+wait &&
		!w.beyondGrace(timing, wait) {
		d.wait(n.Name, fmt.Sprintf("%s is lost and is fenced after the delay of %s that its device has", n.Name, wait), "")
		return
	}
	if brake := world.brake(v.estimate(world), d.shots()...); brake != "" {
		d.wait(n.Name, n.Name+" is lost and not fenced yet: "+brake, "`clusterd fence node "+n.Name+" --off` overrides the brake")
		return
	}
	fencers := fencersOf(world, v, n.Name)
	if len(fencers) == 0 {
		d.wait(n.Name, n.Name+" is lost, and no node is ready to fence it", "")
		return
	}
	d.propose(BeginFence{Node: n.Name, Boot: n.Boot, Fencer: fencers[0], Why: why})
}

// fencersOf lists the nodes that may fence a node now, this one first. The node
// itself never does, even if it leads, nor does one that was not heard.
func fencersOf(w *World, v View, victim string) []string {
	var fencers []string
	for _, name := range append([]string{v.Self}, w.Nodes.Keys()...) {
		n, why := w.workable(name)
		if why == "" && v.unheard(w, n) == "" && name != victim && (name != v.Self || len(fencers) == 0) {
			fencers = append(fencers, name)
		}
	}
	return fencers
}

// planAttempt gives an open intent its next attempt.
func planAttempt(w *World, v View, open Fence, d *Decision) {
	if open.Fencer != "" {
		fencer, _ := w.Nodes.Get(open.Fencer)
		if fencer.Reachable() && fencer.Incarnation == open.Incarnation {
			return
		}
	}
	fencers := fencersOf(w, v, open.Node)
	levels := len(w.Document.Nodes[open.Node].Fence)
	if levels == 0 {
		d.wait(open.Node, open.Node+" has no fence device: its fencing waits for an operator's word", "make sure that it is off, then: `clusterd fence confirm "+open.Node+"`")
		return
	}
	if why := w.disarmed(v.estimate(w)); why != "" {
		d.wait(open.Node, "no further attempt to fence "+open.Node+" is made: "+why, "`clusterd fence arm` ends that")
		return
	}
	step, more := fence.NextOf(w.attempts(open.Node), fencers, open.Tried)
	more = more && open.TriedTotal < maxAttempts
	if !more && levels > 0 && len(fencers) > 0 && v.Resting[open.Node] >= pauseFenceRounds {
		// The rounds are used up; one attempt now and then goes on, because a
		// device may come back by itself.
		step, more = fence.Step{Fencer: fencers[open.TriedTotal%len(fencers)], Level: open.TriedTotal / len(fencers) % levels}, true
	}
	if victim, _ := w.Nodes.Get(open.Node); !more && victim.cutBoot(open.Boot) {
		return // planGuards says what it waits for
	}
	if !more {
		d.wait(open.Node, fmt.Sprintf("%s cannot be confirmed off: %s; %d attempts so far, and another one every %s",
			open.Node, Briefly(open.LastWhy), open.TriedTotal, pauseFenceRounds),
			"mend its fence device; `clusterd fence status "+open.Node+"` tells all that it says")
		return
	}
	d.propose(AssignFence{Node: open.Node, Fencer: step.Fencer, Level: step.Level})
}

// candidates are the nodes as placement sees them.
func (w *World) candidates(service Service) []domain.Candidate {
	return w.rankable(service, service.FailedOn, w.loads())
}

// loads counts the services on each node, those on their way to it included.
func (w *World) loads() map[string]int {
	load := map[string]int{}
	for _, service := range w.Services.Rows() {
		if service.Intent != nil && service.Intent.Kind == IntentStart {
			load[service.Intent.Node]++
		} else if service.Owner != "" {
			load[service.Owner]++
		}
	}
	return load
}

// rankable are the candidates, given where a start failed and how much each
// node has.
func (w *World) rankable(service Service, failedOn []FailedStart, load map[string]int) []domain.Candidate {
	list, objections := make([]domain.Candidate, 0, w.Nodes.Len()), w.objectionsTo(service)
	for _, name := range w.Nodes.Keys() {
		c := domain.Candidate{Node: name, Load: load[name], Barred: orElse(w.barred(name), objections.why[name])}
		if n, _ := w.Nodes.Get(name); c.Barred == "" && n.Hung != "" {
			c.Barred = n.hung(service)
		}
		if name == service.Avoid {
			c.Last = "it is moved away from here"
		}
		for _, failed := range failedOn {
			if failed.Node == name && c.Barred == "" && w.failedThere(failed) {
				c.Barred = "a start failed here: " + failed.Why
			}
		}
		list = append(list, c)
	}
	return list
}

// barred says what keeps every service off a node; "" if nothing does.
func (w *World) barred(node string) string {
	if w.ruled != nil {
		return w.ruled.barred[node]
	}
	n, _ := w.Nodes.Get(node)
	return w.barredFor(node, n)
}

func (w *World) barredFor(name string, n Member) string {
	switch {
	case n.Witness:
		return "a witness runs no services"
	case w.Fences.Has(name):
		return "being fenced"
	case n.State != NodeOnline:
		return string(n.State)
	case n.Order != nil:
		return n.orderWhy()
	}
	return w.unguarded(n)
}

// planLeaving closes a node's leave once it holds nothing.
func planLeaving(w *World, d *Decision) {
	for _, name := range w.Nodes.Keys() {
		n, _ := w.Nodes.Get(name)
		if n.State != NodeLeaving {
			continue
		}
		if held := w.heldBy(n); len(held) > 0 {
			d.wait(name, fmt.Sprintf("leaving; still holds %s", joined(held)), "")
			continue
		}
		d.propose(NodeGone{Node: name, Incarnation: n.Incarnation})
	}
}
