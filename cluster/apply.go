package cluster

import (
	"fmt"
	"time"
)

// Applied says what an entry did.
type Applied struct {
	Index  uint64
	Events []Event
	// Refused holds one sentence per command; empty where it was accepted.
	Refused []string
	// Codes are rgmanager's return codes of the refusals.
	Codes []int
}

// Err returns the first refusal as an error, or nil.
func (a Applied) Err() error {
	for _, why := range a.Refused {
		if why != "" {
			return fmt.Errorf("refused: %s", why)
		}
	}
	return nil
}

// Apply changes the State by one committed entry and returns what happened. It
// refuses each command that breaks a law, whatever the planner thought, and
// leaves the State untouched by a refused command. It is a function of
// (State, Entry, State.Level).
func Apply(s *State, entry Entry) Applied {
	result := Applied{Index: entry.Index, Refused: make([]string, len(entry.Commands)), Codes: make([]int, len(entry.Commands))}
	s.Index = entry.Index
	t := begin(s, entry.Index, entry.At)
	for i, command := range entry.Commands {
		if s.ID == "" && command.Kind() != (Init{}).Kind() && command.Kind() != (Restore{}).Kind() {
			result.Refused[i] = "the cluster is not founded yet"
			continue
		}
		if why := premature(s, command); why != "" {
			result.Refused[i], result.Codes[i] = why, codeTemporary
			continue
		}
		refused := appliers[command.Kind()](t, command)
		result.Refused[i], result.Codes[i] = refused.Why, refused.Code
	}
	result.Events = t.events
	s.remember(t.events)
	return result
}

// transaction is the frame of one entry: World with the pen. It gives commands the
// State to write, the name of the act and the timeline. What State and World both
// have is found in State.
type transaction struct {
	*State
	World
	index  uint64
	events []Event
}

func begin(s *State, index uint64, at time.Time) *transaction {
	t := &transaction{State: s, World: *s.world(), index: index}
	t.at = at
	return t
}

// tell adds an event; index, ordinal and time are filled in.
func (t *transaction) tell(e Event) {
	e.Index, e.At, e.Ordinal = t.index, t.at, len(t.events)
	t.events = append(t.events, e)
}

// setNodeState moves a node and tells so.
func (t *transaction) setNodeState(n Member, state NodeState, by, why string, phases ...Phase) Member {
	from := n.State
	n.State, n.Since, n.SinceAt, n.Why = state, t.index, t.at, why
	t.Nodes.Set(n.Name, n)
	if n.roundOf(state, t.at) {
		return n
	}
	t.tell(Event{Node: n.Name, Subject: n.Name, From: string(from), To: string(state), By: by, Why: why, Phases: phases})
	return n
}
