// Package apply is how a decision becomes knowledge: one method of the transaction for each
// command. It is the only room that writes a State, and it is frozen for each level of the
// rules, since every member must make the same of the same log.
package apply

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
)

// Applied says what an entry did.
type Applied struct {
	Index  uint64
	Events []cluster.Event
	// Refused says why for each command; zero where it was accepted.
	Refused []message.Text
	// Codes are rgmanager's return codes of the refusals.
	Codes []int
}

// Err returns the first refusal as an error, or nil.
func (a Applied) Err() error { return cluster.Refusal(a.Refused) }

// Apply changes the State by one committed entry and returns what happened. It
// refuses each command that breaks a law, whatever the planner thought, and
// leaves the State untouched by a refused command. It is a function of
// (State, Entry, State.Level).
func (r *Rules) Apply(s *cluster.State, entry cluster.Entry) Applied {
	result := Applied{Index: entry.Index, Refused: make([]message.Text, len(entry.Commands)),
		Codes: make([]int, len(entry.Commands))}
	s.Index = entry.Index
	t := begin(s, entry.Index, entry.At)
	for i, command := range entry.Commands {
		if s.ID == "" && !founds(command) {
			result.Refused[i] = message.ClusterNotFounded.With()
			continue
		}
		if why := r.release.PrematureFor(s, command); !why.IsZero() {
			result.Refused[i], result.Codes[i] = why, cluster.CodeTemporary
			continue
		}
		refused := r.appliers[r.release.KindOf(command)](t, command)
		result.Refused[i], result.Codes[i] = refused.Why, refused.Code
	}
	result.Events = t.events
	s.Record(t.events)
	return result
}

// founds reports whether a command may be the first one of a log.
func founds(c cluster.Command) bool {
	switch c.(type) {
	case cluster.Init, cluster.Restore:
		return true
	}
	return false
}

// transaction is the frame of one entry: World with the pen. It gives commands the
// State to write, the name of the act and the timeline. What State and World both
// have is found in State.
type transaction struct {
	*cluster.State
	rules.World
	index  uint64
	events []cluster.Event
	// shot is the fence intent that this command ends: unless its node has changed since, the
	// timeline goes on from "fencing".
	shot cluster.Fence
}

func begin(s *cluster.State, index uint64, at time.Time) *transaction {
	t := &transaction{State: s, World: *rules.Of(s), index: index}
	t.At = at
	return t
}

// tell adds an event; index, ordinal and time are filled in.
func (t *transaction) tell(e cluster.Event) {
	e.Index, e.At, e.Ordinal = t.index, t.At, len(t.events)
	t.events = append(t.events, e)
}

// setNodeState moves a node and tells so.
func (t *transaction) setNodeState(n cluster.Member, state cluster.NodeState, by string, why message.Text,
	phases ...cluster.Phase) cluster.Member {
	from := string(n.State)
	if t.shot.Node == n.Name && n.Since <= t.shot.Index {
		from = "fencing"
	}
	n.State, n.Since, n.SinceAt, n.Why = state, t.index, t.At, why
	if n.Reachable() {
		n.Away = 0
	} else if n.Away == 0 {
		n.Away = t.index
	}
	t.Nodes.Set(n.Name, n)
	if n.RoundOf(state, t.At) {
		return n
	}
	t.tell(cluster.Event{Node: n.Name, Subject: n.Name, From: from, To: string(state), By: by, Why: why,
		Phases: phases})
	return n
}
