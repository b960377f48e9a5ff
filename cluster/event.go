package cluster

import "time"

// Event is one line of the timeline. It is made by Apply, so every node holds
// the same history.
type Event struct {
	// Index is the log index of the command that made it; Ordinal tells events of
	// one command apart.
	Index   uint64    `json:"index"`
	Ordinal int       `json:"ordinal,omitempty"`
	At      time.Time `json:"at"`
	// Node and Subject say where and whom it is about; Subject is a service's or
	// a node's name.
	Node    string `json:"node,omitempty"`
	Subject string `json:"subject"`
	// From and To are states, where one changed.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Cause is the index of an earlier event; 0 when there is none.
	Cause uint64 `json:"cause,omitempty"`
	// By is the person or the rule.
	By string `json:"by,omitempty"`
	// Why is a sentence.
	Why string `json:"why"`
	// Phases are measured moments of the act that this event ends.
	Phases []Phase `json:"phases,omitempty"`
}

// Phase is one measured moment, or span, of an act.
type Phase struct {
	What string        `json:"what"`
	At   time.Time     `json:"at,omitzero"`
	Took time.Duration `json:"took,omitempty"`
}

// Note is one thing that was not done, and what it waits for.
type Note struct {
	Subject string `json:"subject"`
	Why     string `json:"why"`
	// Next says what an administrator can do about it, if anything.
	Next string `json:"next,omitempty"`
}

// Operation is what an administrator asks for.
type Operation string

// The operations, as clusvcadm names them.
const (
	OpEnable   Operation = "enable"
	OpDisable  Operation = "disable"
	OpStop     Operation = "stop"
	OpRestart  Operation = "restart"
	OpRelocate Operation = "relocate"
	OpMigrate  Operation = "migrate"
	OpFreeze   Operation = "freeze"
	OpUnfreeze Operation = "unfreeze"
	// OpConvalesce starts again what a partial service goes on without.
	OpConvalesce Operation = "convalesce"
	// OpCancel gives a live migration up that is under way.
	OpCancel Operation = "cancel"
)
