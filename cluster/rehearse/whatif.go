package rehearse

import (
	"errors"
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// WhatIf says what would become of the services if some hosts lost their power at once, or if a
// node were drained: by the very Plan and Apply that would decide it, on a copy, with every act
// working. A host that has no fence device stays lost, and so does one that the brake or a person
// keeps from being fenced: what it ran is waited for. The error says what the cluster would refuse.
func WhatIf(s *cluster.State, v cluster.View, down []string, drain string) (cluster.WhatIf, error) {
	r, acts := watched(s, v)
	for _, name := range down {
		r.loses(name)
	}
	unfenced := map[string]message.Text{}
	for _, name := range down {
		unfenced[name] = r.fences(name)
	}
	if drain != "" {
		order := cluster.OrderNode{Node: drain, Order: cluster.OrderDrain, By: "what-if"}
		if err := r.apply(order).Err(); err != nil {
			return cluster.WhatIf{}, err
		}
	}
	if !slices.ContainsFunc(r.state.Nodes.Rows(), func(n *cluster.Member) bool { return n.Reachable() && !n.Witness }) {
		return cluster.WhatIf{}, errors.New(message.WhatIfNobody.With().String())
	}
	r.goOn()
	return r.outcome(s, s, acts, append(slices.Clone(down), drain), unfenced), nil
}

// WhatIfDocument says what would become of the services if a document were put into force, by the
// Plan and Apply that would decide it, with every act working. What would become of them without it
// as well is left out. Refused is why the cluster would not take it. ErrTooMany is returned where
// it declares more services than are worked out.
func WhatIfDocument(s *cluster.State, v cluster.View, c cluster.Configure) (what cluster.WhatIf, refused message.Text,
	err error) {
	if len(c.Document.Services) > mostRehearsed {
		return what, refused, ErrTooMany
	}
	with, acts := watched(s, v)
	if why := with.apply(c).Refused[0]; !why.IsZero() {
		return cluster.WhatIf{Steps: []cluster.WhatIfStep{}}, why, nil
	}
	without, _ := watched(s, v)
	with.goOn()
	without.goOn()
	return with.outcome(s, without.state, acts, nil, nil), message.Text{}, nil
}

// ErrTooMany is returned where working out what follows would take too long.
var ErrTooMany = errors.New(message.RehearsalTooLarge.With(mostRehearsed).String())

// act is how a service is brought somewhere, and why there.
type act struct {
	live bool
	why  message.Text
}

// watched is a rehearsal that notes how each service was last brought somewhere.
func watched(s *cluster.State, v cluster.View) (*rehearsal, map[string]act) {
	r, acts := onPaper(s, v), map[string]act{}
	r.keep = func(e cluster.Event) bool {
		switch e.To {
		case resources.Migrating.String():
			acts[e.Subject] = act{live: true, why: e.Why}
		case resources.Starting.String():
			acts[e.Subject] = act{why: e.Why}
		}
		return false
	}
	return &r, acts
}

// loses has a host out of touch.
func (r *rehearsal) loses(name string) {
	n, _ := r.state.Nodes.Get(name)
	r.apply(cluster.Contact{Node: name, Incarnation: n.Incarnation, State: cluster.NodeLost,
		Why: message.WhatIfDown.With(name)})
}

// fences has a lost host proven off, where there is a device that could and nothing forbids it
// (law L8); it says what does.
func (r *rehearsal) fences(name string) message.Text {
	n, _ := r.state.Nodes.Get(name)
	w := rules.Of(r.state)
	at := rules.Estimate(r.view, w)
	if why := w.DisarmedWhy(at).OrElse(w.Brake(at)); !why.IsZero() {
		return why
	}
	for _, fencer := range r.state.Nodes.Rows() {
		if fencer.Reachable() && len(r.state.Document.Nodes[name].Fence) > 0 {
			r.apply(cluster.BeginFence{Node: name, Boot: n.Boot, Fencer: fencer.Name, By: "what-if", Override: true,
				Why: message.WhatIfDown.With(name)})
			r.apply(cluster.ConfirmFence{Node: name, Boot: n.Boot, By: "what-if", Why: "what-if"})
			break
		}
	}
	return message.Text{}
}

// outcome is the map of who would be where. What is so anyway is no part of it; where a service is
// now is what it comes from.
func (r *rehearsal) outcome(now, anyway *cluster.State, acts map[string]act, left []string,
	unfenced map[string]message.Text) cluster.WhatIf {
	out := cluster.WhatIf{Steps: []cluster.WhatIfStep{}}
	for _, name := range namesOf(now, r.state) {
		was, _ := now.Services.Get(name)
		otherwise, declared := anyway.Services.Get(name)
		is, stays := r.state.Services.Get(name)
		if declared && stays && otherwise.Owner == is.Owner && otherwise.State == is.State &&
			(was.Owner == "" || !slices.Contains(left, was.Owner)) {
			out.Others++
			continue
		}
		step := cluster.WhatIfStep{Service: name, From: was.Owner, To: is.Owner, Method: cluster.MethodCold,
			Why: acts[name].why.OrElse(is.Reason)}
		switch {
		case !stays:
			step.Method, step.Why = cluster.MethodGoes, message.Text{}
		case is.Owner == was.Owner || is.Owner == "":
			if step.Method, step.To = cluster.MethodStays, ""; anyway != now {
				step.To = is.Owner // nobody leaves for a document: it is well where it is
			}
			for _, note := range r.notes {
				if note.Subject == name {
					step.Why, step.Next = note.Why, note.Next
				}
			}
			if why := unfenced[was.Owner]; !why.IsZero() {
				step.Why = why
			}
		case acts[name].live:
			step.Method = cluster.MethodLive
		}
		out.Steps = append(out.Steps, step)
	}
	w := rules.Of(r.state).Counted()
	for i, name := range w.Nodes.Keys() {
		if room, known := w.RoomOn(name); known && w.Nodes.Rows()[i].Reachable() {
			out.Rooms = append(out.Rooms, cluster.WhatIfRoom{Node: name, Memory: room.Capacity.Memory, Free: room.Free.Memory})
		}
	}
	return out
}

// namesOf are the services that are declared before or after, in the order of their names.
func namesOf(before, after *cluster.State) []string {
	names := slices.Concat(before.Services.Keys(), after.Services.Keys())
	slices.Sort(names)
	return slices.Compact(names)
}
