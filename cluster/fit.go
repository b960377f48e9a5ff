package cluster

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// maxCommands bounds one entry; the mind proposes far fewer at once.
const maxCommands = 10_000

// Fit says why data may not become the next entry of the log; nil if it may. The leader asks before it
// appends, whoever proposed it: an entry that a member cannot decode, or at which its Apply breaks, would
// end that member at every start. A command that a law refuses is fit: refusing is what Apply is for.
func Fit(s *State, at time.Time, data []byte) error {
	commands, err := Decode(data)
	if err != nil {
		return err
	}
	if len(commands) > maxCommands {
		return fmt.Errorf("the entry has %d commands, %d at most", len(commands), maxCommands)
	}
	if why := Premature(s, commands); why != "" {
		return errors.New(why)
	}
	_, _, err = ApplyData(s, Entry{Index: s.Index + 1, At: at}, data)
	return err
}

// ApplyData decodes and applies an entry to a fork of the State, which it returns with what happened. An
// entry that cannot be decoded or applied is an error and changes nothing, also when it breaks Apply.
func ApplyData(s *State, entry Entry, data []byte) (next *State, applied Applied, err error) {
	if entry.Commands, err = Decode(data); err != nil {
		return nil, Applied{}, err
	}
	defer func() {
		if broke := recover(); broke != nil {
			next, err = nil, fmt.Errorf("it breaks the rules that apply it: %v (at %s)", broke, culprit(debug.Stack()))
		}
	}()
	next = s.Fork()
	applied = Apply(next, entry)
	if why := Unknown(next); why != "" {
		return nil, Applied{}, errors.New(why)
	}
	return next, applied, nil
}

// culprit is the line of our own that broke, for a bug report.
func culprit(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "panic(") {
			for _, place := range lines[i+1:] {
				if strings.HasPrefix(place, "\t") && !strings.Contains(place, "/runtime/") {
					place, _, _ = strings.Cut(strings.TrimSpace(place), " ")
					return place
				}
			}
		}
	}
	return "an unknown place"
}

// StepOver takes an entry as if it were empty, because an operator said so on each member: none of them
// could apply it. The timeline keeps the trace.
func StepOver(s *State, entry Entry, name string) Applied {
	s.Index = entry.Index
	t := begin(s, entry.Index, entry.At)
	t.tell(Event{Subject: s.Cluster, By: "operator", Why: fmt.Sprintf(
		"log entry %d (%s) cannot be applied and was stepped over: what it asked for was not done", entry.Index, name)})
	s.remember(t.events)
	return Applied{Index: entry.Index, Events: t.events}
}
