package resources

import "slices"

// DependMode says for how long a service needs the one it depends on. The
// words are rgmanager's.
type DependMode string

// The modes.
const (
	// Hard: started after the other, and stopped when the other goes down.
	Hard DependMode = "hard"
	// Soft: the other is required at the start only.
	Soft DependMode = "soft"
)

// Dependency is another service that has to be started first.
type Dependency struct {
	Service string     `json:"service"`
	Mode    DependMode `json:"mode"`
}

// StopFailure is what follows a stop that proved nothing.
type StopFailure string

// The answers to a failed stop.
const (
	// LeaveFailed leaves the service failed until a person looks.
	LeaveFailed StopFailure = "failed"
	// FenceNode makes sure: the node is fenced, and the service goes on elsewhere.
	FenceNode StopFailure = "fence"
)

// Rules are what is declared of a service in regard to other services.
type Rules struct {
	// Exclusive: no other service runs on its node.
	Exclusive bool `json:"exclusive,omitempty"`
	// Depend are the services that must be started before it.
	Depend []Dependency `json:"depend,omitempty"`
	// Together are services that run on the same node; Apart are services that
	// never do. Both hold in both directions, whoever declares them.
	Together []string `json:"together,omitempty"`
	Apart    []string `json:"apart,omitempty"`
	// Tier orders starts, 0 to 9: a tier waits until those below it are started.
	Tier int `json:"tier,omitempty"`
	// Priority orders the starts of one tier: lower numbers first, 0 is the first.
	Priority int `json:"priority,omitempty"`
	// StopFailure is what follows a failed stop; "" is what its kind has by default.
	StopFailure StopFailure `json:"stopFailure,omitempty"`
}

// Any reports whether anything is declared.
func (r Rules) Any() bool {
	return r.Exclusive || len(r.Depend) > 0 || len(r.Together) > 0 || len(r.Apart) > 0 || r.Tier != 0 ||
		r.Priority != 0 || r.StopFailure != ""
}

// Needs returns how the service depends on another one.
func (r Rules) Needs(service string) (Dependency, bool) {
	i := slices.IndexFunc(r.Depend, func(d Dependency) bool { return d.Service == service })
	if i < 0 {
		return Dependency{}, false
	}
	return r.Depend[i], true
}
