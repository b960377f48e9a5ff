package cluster

import (
	"time"

	"github.com/clusterd/clusterd/resources"
)

// Behind says why a service goes on as it was declared before.
type Behind struct {
	// Definition is the one that is not in force.
	Definition string    `json:"definition"`
	Why        string    `json:"why"`
	At         time.Time `json:"at"`
}

// Adjusted is what became of a declaration that changed while its service ran:
// What was changed in place, or the Problem for which it waits for the next start.
// It tells; nothing is decided by it.
type Adjusted struct {
	Service     string `json:"service"`
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
	Definition  string `json:"definition"`
	What        string `json:"what,omitempty"`
	Problem     string `json:"problem,omitempty"`
}

// Kind names the command in the log.
func (Adjusted) Kind() string { return "adjusted" }
func (Adjusted) level() int   { return levelTwo }

func (c Adjusted) apply(t *transaction) refusal {
	n, known := t.Nodes.Get(c.Node)
	if !known || n.Incarnation != c.Incarnation {
		return refuse("this comes from an older incarnation of %s", c.Node)
	}
	service, known := t.Services.Get(c.Service)
	switch {
	case !known || service.Owner != c.Node:
		return refuse("%s does not run on %s", c.Service, c.Node)
	case service.Spec.Definition != c.Definition:
		return refuse("the declaration of %s has changed again", c.Service)
	case service.Intent != nil:
		return refuse("%s has an open intent", c.Service)
	}
	e := Event{Node: c.Node, Subject: c.Service, Why: "changed as declared, without a restart: " + cut(c.What, maxProblem)}
	if c.Problem != "" {
		why := cut(c.Problem, maxProblem)
		if service.BehindWhy() == why {
			return refuse("this is known")
		}
		service.Behind = &Behind{Definition: c.Definition, Why: why, At: t.at}
		e.Why = "goes on as it was declared before: " + why
	} else {
		service.Behind = nil
	}
	t.Services.Set(c.Service, service)
	t.tell(e)
	return accepted
}

// BehindWhy says why a running service goes on as it was declared before, empty
// when it does not. A VM takes its definition in when it starts.
func (s Service) BehindWhy() string {
	if s.Owner == "" {
		return ""
	}
	if s.Behind != nil && s.Behind.Definition == s.Spec.Definition {
		return s.Behind.Why
	}
	if h, held := s.holder(s.Owner); s.Spec.Kind() == resources.KindVM && held && h.Definition != "" && h.Definition != s.Spec.Definition {
		return "its definition changed after this start; the new one counts from the next (clusvcadm -R " + s.Spec.Name + ")"
	}
	return ""
}
