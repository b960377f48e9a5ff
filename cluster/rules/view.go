package rules

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// Steady tells that no node has been silent for the limit, and that nothing
// rests that would be tried again. The stopwatches of loops and of a new leader run
// on, but change what is decided only when they pass a limit; they say so by turning.
func Steady(v cluster.View, s *cluster.State, limit time.Duration) bool {
	if len(v.Cooldown) > 0 || len(v.Stuck) > 0 || len(v.Waited) > 0 || len(v.Ends) > 0 ||
		s.Disarmed != nil || s.Drill != nil {
		return false
	}
	for i, name := range s.Nodes.Keys() {
		n := s.Nodes.Rows()[i]
		if n.Judged() && (v.Contacts[name].Silence >= limit || v.Contacts[name].Log.Deaf ||
			v.Contacts[name].Starts.Seen || !Unheard(v, Of(s), *n).IsZero()) {
			return false
		}
	}
	return true
}
