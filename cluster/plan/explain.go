package plan

import (
	"errors"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
)

// Explain says why a service is where it is. Its reasons are those of the very Plan that the leader
// makes of this State and View: with the View of the leader's last Step they are the leader's own.
// It changes nothing.
func Explain(s *cluster.State, v cluster.View, name string) (cluster.Explanation, error) {
	service, known := s.Services.Get(name)
	if !known {
		return cluster.Explanation{}, errors.New(message.ServiceUndeclared.With(name).String())
	}
	out := cluster.Explanation{Service: name, State: service.State.String(), Owner: service.Owner, Reason: service.Reason,
		Decision: s.LastDecision(name)}
	v = v.On(s, 0)
	anew, order := NewPlanner(rules.Of(s), v, &Decision{}), 0
	for _, verdict := range anew.rankAnew(service) {
		c := cluster.Candidate{Node: verdict.Node, Here: verdict.Node == service.Owner, Why: verdict.Why,
			Services: anew.Load[verdict.Node]}
		if room, known := anew.RoomOn(verdict.Node); known {
			c.Free, c.Memory = room.Free.Memory, room.Capacity.Memory
		}
		if verdict.Legal {
			order++
			c.Order = order
		}
		out.Candidates = append(out.Candidates, c)
	}
	d, p := planned(rules.Of(s), v)
	for _, note := range d.Notes {
		if note.Subject == name {
			out.Waits = append(out.Waits, note)
		}
	}
	for _, c := range d.Commands {
		if begin, is := c.(cluster.Begin); is && begin.Service == name {
			out.Next = begin.InWords()
		}
	}
	out.Rules, out.Bonds = p.rulesOf(service), service.Spec.BondWarnings()
	return out, nil
}

// rankAnew judges the nodes as for a service that runs nowhere: where it is
// counts like any other place.
func (p *planner) rankAnew(service cluster.Service) []domain.Verdict {
	if service.Owner != "" {
		p.Load[service.Owner]--
		defer func() { p.Load[service.Owner]++ }()
	}
	return p.rank(service, service.FailedOn, service.Gathers())
}

// rulesOf says how the rules between services stand that concern one of them.
func (p *planner) rulesOf(service cluster.Service) []message.Text {
	var lines []message.Text
	say := func(line message.Text) { lines = append(lines, line) }
	if service.Spec.Exclusive {
		say(message.RuleExclusive.With())
	}
	for _, d := range service.Spec.Depend {
		if needed, known := p.Services.Get(d.Service); known {
			say(message.RuleDepends.With(d.Service, d.Mode, needed.State, p.seat(&needed)))
		}
	}
	for _, other := range p.Companions(service.Spec.Name) {
		say(message.RuleTogether.With(other.Spec.Name, other.State, p.seat(other)))
	}
	for _, other := range p.Services.Rows() {
		name := other.Spec.Name
		if name == service.Spec.Name {
			continue
		}
		if why, exclusive := cluster.Clash(&service.Spec, &other.Spec); !why.IsZero() && !exclusive {
			say(message.RuleApart.With(name, other.State, p.seat(other)))
		} else if other.Spec.Exclusive {
			say(message.RuleKeepsOff.With(name, other.State, p.seat(other)))
		}
		if d, needs := other.Spec.Needs(service.Spec.Name); needs {
			say(message.RuleRequired.With(name, d.Mode, other.State, p.seat(other)))
		}
	}
	if service.Spec.Tier > 0 || service.Spec.Priority > 0 {
		say(message.RuleOrder.With(service.Spec.Tier, service.Spec.Priority))
	}
	return lines
}
