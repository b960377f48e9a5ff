package rehearse

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

// mostRehearsed bounds the services for which it is worked out what follows from
// a document: each round looks at all of them.
const mostRehearsed = 1000

// RehearseDocument says what would follow from putting a document into force: why
// it would be refused, or what would be started, stopped and moved for it, and
// what would wait. What would happen without it as well is left out.
func RehearseDocument(s *cluster.State, v cluster.View, c cluster.Configure) (refused message.Text,
	events []cluster.Event, notes []cluster.Note) {
	with := onPaper(s, v)
	with.keep = cluster.Event.Begins
	if why := with.apply(c).Refused[0]; !why.IsZero() {
		return why, nil, nil
	}
	if len(c.Document.Services) > mostRehearsed {
		return message.Text{}, nil, []cluster.Note{
			{Subject: s.Cluster, Why: message.RehearsalTooLarge.With(mostRehearsed)}}
	}
	without := onPaper(s, v)
	without.keep = cluster.Event.Begins
	without.goOn()
	anyway := map[outline]bool{}
	for _, e := range without.events {
		anyway[outlineOf(e)] = true
	}
	with.goOn()
	for _, e := range with.events {
		if !anyway[outlineOf(e)] {
			events = append(events, e)
		}
	}
	return message.Text{}, events, with.notesOf(s)
}

// outline is what two tellings of the same event have in common.
type outline struct {
	subject, node, from, to string
	why                     message.Text
}

func outlineOf(e cluster.Event) outline {
	return outline{subject: e.Subject, node: e.Node, from: e.From, to: e.To, why: e.Why}
}
