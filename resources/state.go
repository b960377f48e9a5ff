package resources

// State is the state of a service as rgmanager named and numbered it
// (rgmanager's include/resgroup.h and clustat(8)).
type State int

// The states. Numbers are what `clustat -s` exits with.
const (
	Stopped       State = 110
	Starting      State = 111
	Started       State = 112
	Stopping      State = 113
	Failed        State = 114
	Uninitialized State = 115
	Checking      State = 116
	Recoverable   State = 117
	Recovering    State = 118
	Disabled      State = 119
	Migrating     State = 120
)

var stateNames = map[State]string{
	Stopped: "stopped", Starting: "starting", Started: "started", Stopping: "stopping",
	Failed: "failed", Uninitialized: "uninitialized", Checking: "checking",
	Recoverable: "recoverable", Recovering: "recovering", Disabled: "disabled", Migrating: "migrating",
}

// String is the word clustat prints.
func (s State) String() string {
	if name, known := stateNames[s]; known {
		return name
	}
	return "unknown"
}

// Resting reports whether the service waits for nothing: up, or down by decision.
func (s State) Resting() bool {
	return s == Started || s == Disabled || s == Failed
}

// Flags of a service; the bits are rgmanager's.
type Flags int

// The flags.
const (
	Frozen  Flags = 1
	Partial Flags = 2
)

// String is what clustat prints in brackets: "Z", "P", "ZP" or nothing.
func (f Flags) String() string {
	text := ""
	if f&Frozen != 0 {
		text += "Z"
	}
	if f&Partial != 0 {
		text += "P"
	}
	return text
}
