package keys

import "fmt"

// Effect says what becomes of a change of the document.
type Effect string

// The effects, in the order in which they are shown.
const (
	// Now is a change in place: nothing is started or stopped for it.
	Now Effect = "in place, at once"
	// NextStart waits: what runs goes on as it was started.
	NextStart Effect = "from the next start on"
	// Start is a service, or a part of one that runs, that comes up by it.
	Start Effect = "started"
	// Restart is a part of a service that runs and cannot go on as it is; what its agent can do about
	// that only the node knows where it runs.
	Restart Effect = "changed in place where its agent can, else stopped and started"
	// End is what the document no longer has.
	End Effect = "removed"
)

// Effects are all of them.
var Effects = []Effect{Now, NextStart, Start, Restart, End}

// Change is one sentence of a plan with its effect.
type Change struct {
	Effect Effect
	Text   string
}

// Changes are what is told of one thing, in order.
type Changes []Change

// And appends a sentence.
func (c Changes) And(effect Effect, format string, arguments ...any) Changes {
	return append(c, Change{Effect: effect, Text: fmt.Sprintf(format, arguments...)})
}

// Note appends a change of one value in words; "" is none.
func (c Changes) Note(effect Effect, name, old, new string) Changes {
	if old == new {
		return c
	}
	if old == "" {
		old = "none"
	}
	if new == "" {
		new = "none"
	}
	return c.And(effect, "%s changes from %s to %s", name, old, new)
}

// Of says in each what it is about.
func (c Changes) Of(what string) Changes {
	for i := range c {
		c[i].Text = what + ": " + c[i].Text
	}
	return c
}
