package cluster

import (
	"fmt"

	"github.com/clusterd/clusterd/resources"
)

// mostRehearsed bounds the services for which it is worked out what follows from
// a document: each round looks at all of them.
const mostRehearsed = 1000

// RehearseDocument says what would follow from putting a document into force: why
// it would be refused, or what would be started, stopped and moved for it, and
// what would wait. What would happen without it as well is left out.
func RehearseDocument(s *State, v View, c Configure) (refused string, events []Event, notes []Note) {
	with := onPaper(s, v)
	with.keep = Event.begins
	if why := with.apply(c).Refused[0]; why != "" {
		return why, nil, nil
	}
	if len(c.Document.Services) > mostRehearsed {
		return "", nil, []Note{{Subject: s.Cluster, Why: fmt.Sprintf("what follows is not worked out beforehand for more than %d services", mostRehearsed)}}
	}
	without := onPaper(s, v)
	without.keep = Event.begins
	without.goOn()
	anyway := map[outline]bool{}
	for _, e := range without.events {
		anyway[e.outline()] = true
	}
	with.goOn()
	for _, e := range with.events {
		if !anyway[e.outline()] {
			events = append(events, e)
		}
	}
	return "", events, with.notesOf(s)
}

// outline is what two tellings of the same event have in common.
type outline struct{ subject, node, from, to, why string }

func (e Event) outline() outline {
	return outline{subject: e.Subject, node: e.Node, from: e.From, to: e.To, why: e.Why}
}

// begins tells whether an event is the beginning of an act.
func (e Event) begins() bool {
	switch e.To {
	case resources.Starting.String(), resources.Stopping.String(), resources.Migrating.String():
		return e.From != e.To
	}
	return false
}
