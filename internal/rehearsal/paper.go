package rehearsal

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// mostRounds bounds a rehearsal; each round is one plan and what follows from
// it.
const mostRounds = 10_000

// patience is how long a fencer is taken to have waited where waiting proves
// something.
const patience = time.Hour

// Paper is a cluster on paper.
type Paper struct {
	state *cluster.State
	at    time.Time
	// lost are the nodes that do not answer.
	lost map[string]bool
	// Events are what happened, in order. Their times mean nothing.
	Events []cluster.Event
	// Notes are what the last plan did not do, and why.
	Notes []cluster.Note
}

// Witness is the name of a witness.
const Witness = "witness"

// New makes a cluster of the document's nodes, all of them online, in which no
// service runs yet. blobs are the definitions by their hash; witness adds a node
// that votes and runs nothing.
func New(document cluster.Document, blobs map[string]string, witness bool) (*Paper, error) {
	if len(document.Nodes) == 0 {
		return nil, fmt.Errorf("the document names no nodes, so there is nothing to try it on")
	}
	p := &Paper{state: &cluster.State{}, at: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), lost: map[string]bool{}}
	secrets := cluster.Secrets{Authority: "none", AuthorityKey: []byte("none")}
	commands := []cluster.Command{
		cluster.Init{Cluster: document.Cluster, ID: "rehearsal", Secrets: secrets, Level: cluster.CurrentLevel},
		cluster.Configure{Document: document, Blobs: blobs},
	}
	nodes := slices.Sorted(maps.Keys(document.Nodes))
	if witness {
		nodes = append(nodes, Witness)
	}
	for i, node := range nodes {
		token := ""
		if i > 0 {
			token = "token-" + node
			commands = append(commands, cluster.AddToken{ID: token, Token: cluster.Token{Expires: p.at.Add(time.Hour)}})
		}
		commands = append(commands,
			cluster.Join{Token: token, Node: node, Fingerprint: node, HardwareUUID: node, Address: node,
				Witness: i == len(document.Nodes)},
			cluster.NodeUp{Node: node, Fingerprint: node, Boot: node, Address: node, MaxLevel: cluster.CurrentLevel})
	}
	for _, c := range commands {
		if err := p.must(c); err != nil {
			return nil, err
		}
	}
	for _, node := range p.state.Nodes.Keys() {
		n, _ := p.state.Nodes.Get(node)
		if err := p.must(cluster.Inventory{Node: node, Incarnation: n.Incarnation, Boot: n.Boot}); err != nil {
			return nil, err
		}
	}
	p.Events = nil
	return p, nil
}

// apply lets a command happen and returns why it was refused, or "".
func (p *Paper) apply(c cluster.Command) string {
	p.at = p.at.Add(time.Millisecond)
	applied := apply.Apply(p.state, cluster.Entry{Index: p.state.Index + 1, At: p.at, Commands: []cluster.Command{c}})
	p.Events = append(p.Events, applied.Events...)
	return applied.Refused[0].String()
}

func (p *Paper) must(c cluster.Command) error {
	if why := p.apply(c); why != "" {
		return fmt.Errorf("the rehearsal cannot begin: %s: %s", cluster.KindOf(c), why)
	}
	return nil
}

// Put lets a service run on a node.
func (p *Paper) Put(service, node string) error {
	s, known := p.state.Services.Get(service)
	if !known {
		return fmt.Errorf("there is no service %s in the document", service)
	}
	if !p.state.Nodes.Has(node) {
		return fmt.Errorf("there is no node %s in the document", node)
	}
	begin := cluster.Begin{Service: service, Intent: cluster.IntentStart, Node: node, Definition: s.Spec.Definition,
		Why: message.RehearsedStart.With()}
	if why := p.apply(begin); why != "" {
		return fmt.Errorf("%s cannot run on %s: %s", service, node, why)
	}
	p.carryOut()
	return nil
}

// Lose lets nodes fall silent. Nothing follows before Settle.
func (p *Paper) Lose(nodes ...string) error {
	for _, node := range nodes {
		if !p.state.Nodes.Has(node) {
			return fmt.Errorf("there is no node %s in the document", node)
		}
		p.lost[node] = true
	}
	if len(p.lost) == p.state.Nodes.Len() {
		return fmt.Errorf("no node would be left, and nothing to rehearse")
	}
	return nil
}

// Down takes nodes as switched off and known to be: what ran there does not run
// now, and is started nowhere else yet.
func (p *Paper) Down(nodes ...string) error {
	if err := p.Lose(nodes...); err != nil {
		return err
	}
	self := p.view().Self
	for _, node := range nodes {
		n, _ := p.state.Nodes.Get(node)
		commands := []cluster.Command{
			cluster.Contact{Node: node, Incarnation: n.Incarnation, State: cluster.NodeLost, Why: message.RehearsedOff.With()},
			cluster.BeginFence{Node: node, Boot: n.Boot, Fencer: self, Why: message.RehearsedOff.With(),
				Override: true, By: "rehearsal"},
			cluster.ConfirmFence{Node: node, Boot: n.Boot, By: "rehearsal", Why: "it is off"},
		}
		for _, c := range commands {
			if err := p.must(c); err != nil {
				return err
			}
		}
	}
	return nil
}

// Majority says whether the nodes that answer are more than half of the voters.
type Majority string

// The answers. Which nodes vote is chosen by the cluster, so for some losses it
// depends.
const (
	Kept    Majority = "kept"
	Depends Majority = "depends"
	Gone    Majority = "gone"
)

// mostVoters is how many nodes vote at most, always an odd number.
const mostVoters = 5

// Majority of what answers.
func (p *Paper) Majority() Majority {
	nodes := p.state.Nodes.Len()
	voters := min(mostVoters, nodes-1+nodes%2)
	switch left := nodes - len(p.lost); {
	case len(p.lost) <= (voters-1)/2:
		return Kept
	case left <= voters/2:
		return Gone
	}
	return Depends
}

// GoesOnAlone reports whether the document lets one of two nodes go on without the
// other, and lets it fence the other one then, as the rule does.
func (p *Paper) GoesOnAlone() (bool, error) {
	if p.state.Document.TwoNode == nil || p.state.Nodes.Len() != 2 || len(p.lost) != 1 {
		return false, nil
	}
	for node := range p.lost {
		n, _ := p.state.Nodes.Get(node)
		for _, c := range []cluster.Command{
			cluster.Contact{Node: node, Incarnation: n.Incarnation, State: cluster.NodeLost,
				Why: message.RehearsedSilence.With()},
			cluster.BeginFence{Node: node, Boot: n.Boot, Fencer: p.view().Self,
				Why: message.RehearsedAlone.With(), By: "two_node", Override: true},
		} {
			if err := p.must(c); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// Settle plans and carries out until nothing more happens. It returns an
// error when that does not come to an end.
func (p *Paper) Settle() error {
	for range mostRounds {
		d := plan.Plan(p.state, p.view())
		p.Notes = d.Notes
		happened := false
		for _, c := range d.Commands {
			happened = p.apply(c) == "" || happened
		}
		if !p.carryOut() && !happened {
			return nil
		}
	}
	return fmt.Errorf("the rehearsal does not come to rest after %d rounds; its last events tell what goes "+
		"around in circles", mostRounds)
}

// view is what the first node that answers has measured: it leads.
func (p *Paper) view() cluster.View {
	v := cluster.View{Leading: true, Contacts: map[string]cluster.Contactwatch{}, Newest: p.state.Index}
	for _, node := range p.state.Nodes.Keys() {
		if !p.lost[node] && v.Self == "" {
			v.Self = node
		}
		n, _ := p.state.Nodes.Get(node)
		watch := cluster.Contactwatch{Heard: true, Incarnation: n.Incarnation}
		if p.lost[node] {
			watch.Silence = cluster.TimingFor(p.state.Document.Timing).Lost
			watch.Verdict = &cluster.Verdict{Node: node, Kernel: cluster.Silent, Daemon: cluster.Silent,
				Why: message.RehearsedSilence.With()}
		}
		v.Contacts[node] = watch
	}
	return v
}

// carryOut lets every duty of every node that answers succeed, and reports whether
// anything came of that.
func (p *Paper) carryOut() bool {
	happened := false
	for _, node := range p.state.Nodes.Keys() {
		if p.lost[node] {
			continue
		}
		for _, duty := range cluster.Work(p.state, node) {
			if c := p.outcome(node, duty); c != nil {
				happened = p.apply(c) == "" || happened
			}
		}
	}
	return p.answer() || happened
}

// outcome is how a duty ends when it works; nil for those that change nothing
// on paper.
func (p *Paper) outcome(node string, duty cluster.Duty) cluster.Command {
	done := func(result resources.Result) cluster.Command {
		result.OK = true
		return cluster.Done{Service: duty.Service, Act: duty.Index, Node: node, Incarnation: duty.Incarnation,
			Stage: duty.Stage, Result: result}
	}
	switch duty.Kind {
	case cluster.DutyStart, cluster.DutyReconfigure:
		return done(resources.Result{Source: resources.Running})
	case cluster.DutyStop, cluster.DutyPrepare:
		return done(resources.Result{Source: resources.Absent})
	case cluster.DutyMigrate:
		return done(resources.Result{Source: resources.Absent, Target: resources.Running})
	case cluster.DutyLook:
		return p.look(node, duty)
	case cluster.DutyFence:
		return cluster.FenceDone{Node: duty.Node, Act: duty.Index, Ordinal: duty.Ordinal, Fencer: node,
			Incarnation: duty.Incarnation, Result: shot(duty)}
	}
	return nil
}

// look: a service is where it was last seen, and nowhere else.
func (p *Paper) look(node string, duty cluster.Duty) cluster.Command {
	found := resources.Observation{Service: duty.Service, UUID: duty.Spec.UUID, Condition: resources.Absent}
	if s, known := p.state.Services.Get(duty.Service); known && s.Owner == node && s.State == resources.Started {
		found.Condition = resources.Running
	}
	return cluster.Looked{Service: duty.Service, Node: node, Incarnation: duty.Incarnation, Since: duty.Index,
		UUID: duty.Spec.UUID, Observation: found}
}

// shot is an attempt whose devices prove what devices of their kind can prove.
func shot(duty cluster.Duty) fence.Result {
	result := fence.Result{Outcome: fence.Confirmed, Evidence: []string{"the rehearsal takes every device to work"}}
	effect := fence.EffectOf(duty.Devices)
	if effect == fence.ByPower {
		return result
	}
	result.Proven.Effect = effect
	result.Proven.Waited = patience
	for _, device := range duty.Devices {
		result.Proven.Disks = append(result.Proven.Disks, device.Disks()...)
	}
	return result
}

// answer lets guests that are probed answer.
func (p *Paper) answer() bool {
	answered := false
	for _, name := range p.state.Services.Keys() {
		s, _ := p.state.Services.Get(name)
		if s.State == resources.Started && s.Spec.Probe != "" && s.Answered < s.Since {
			answered = p.apply(cluster.Probed{Service: name, Node: s.Owner, At: p.at}) == "" || answered
		}
	}
	return answered
}

// Standing is where one service is.
type Standing struct {
	Service, State, Node string
	// Lost tells that the node does not answer, so that nobody knows.
	Lost bool
}

// Standings are all services, by name.
func (p *Paper) Standings() []Standing {
	var list []Standing
	for _, name := range p.state.Services.Keys() {
		s, _ := p.state.Services.Get(name)
		list = append(list, Standing{Service: name, State: s.State.String(), Node: s.Owner, Lost: p.lost[s.Owner]})
	}
	return list
}

// Explain says where a service would be started now, and why.
func (p *Paper) Explain(service string) (cluster.Explanation, error) {
	return plan.Explain(p.state, p.view(), service)
}
