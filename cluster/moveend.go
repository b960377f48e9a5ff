package cluster

import (
	"time"

	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// EndMove ends a migration that does not end by itself, because its service is to be down or its
// node is to be left: what is left at either end is destroyed. That needs no answer about what is
// there, and a guest process that hangs gives none.
type EndMove struct {
	Change
	Service string `json:"service"`
	// Act is the index of the migration's intent.
	Act uint64 `json:"act"`
	By  string `json:"by,omitempty"`
}

// endDuty is what one end of a migration has to do that is being ended.
func endDuty(s *State, service Service, n Member) []Duty {
	h, held := service.Holder(n.Name)
	if !held || !OnBoot(n)(h) || (n.Name != service.Intent.Node && n.Name != service.Intent.Target) {
		return nil
	}
	d := vmDuty(s, service, n, DutyStop)
	d.Kill, d.Ends = true, true
	return []Duty{d}
}

// MoveEnd is why a migration has to end that goes on.
type MoveEnd struct {
	// Since is the index of the request or the order that asks for it; 0 where nothing does.
	Since uint64
	By    string
	// Due is from when on it may be ended; zero is at once.
	Due time.Time
	// Patience is how long that has to hold by the leader's own watch.
	Patience time.Duration
	// Keeps is why it must not be ended without a person's word all the same: what is destroyed at
	// both ends would come back without something that its guest wrote.
	Keeps message.Text
}

// How long a migration goes on that has to end. Past a deadline it is longer than a silent node
// needs to be called lost: of one whose node is silent, fencing tells the end.
const (
	endPatience     = 10 * time.Second
	overduePatience = time.Minute
)

// EndsMove tells why a migration has to end that has not been told to: its service is to be down,
// or its node is to be left by a deadline and nobody can tell what became of it.
func (s *State) EndsMove(service *Service) MoveEnd {
	i, wish := service.Intent, service.Wish
	// After the switch of a post-copy nothing can be given up; the guest is stopped once it is whole.
	if i == nil || i.Kind != IntentMigrate || i.Ending || i.Present().Name == StagePostCopy {
		return MoveEnd{}
	}
	if wish != nil && wish.Op == OpDisable {
		return MoveEnd{Since: wish.Index, By: wish.By, Patience: endPatience, Keeps: service.ThrowsAway()}
	}
	n, known := s.Nodes.Get(i.Node)
	if !known || n.Order == nil || n.Order.Deadline.IsZero() || !s.untold(service) {
		return MoveEnd{}
	}
	return MoveEnd{Since: max(n.Order.Index, i.Index), By: n.Order.By, Due: n.Order.Deadline, Patience: overduePatience,
		Keeps: service.ThrowsAway()}
}

// untold reports whether nobody can tell what became of a guest that moved, although the nodes of
// both ends answer: then its process hangs. Of a guest that is known to run, of one that is split,
// and of a node that is silent, something else comes.
func (s *State) untold(service *Service) bool {
	i := service.Intent
	if !i.Settling {
		return false
	}
	asked := false
	for _, node := range []string{i.Node, i.Target} {
		h, held := service.Holder(node)
		n, known := s.Nodes.Get(node)
		switch {
		case !held:
		case h.Condition == string(resources.Split), !h.Ask && h.Condition == string(resources.Running):
			return false
		case !known || !n.Reachable() || !OnBoot(n)(h):
			return false
		default:
			asked = asked || h.Ask
		}
	}
	return asked
}

// RestEnd measures how long a migration has gone on that has to end.
func (v View) RestEnd(s *State, service *Service, tick time.Duration) {
	end := s.EndsMove(service)
	if end.Since == 0 {
		return
	}
	name := service.Spec.Name
	w := v.Ends[name]
	if w.Index != end.Since {
		w = Loopwatch{Index: end.Since}
	}
	w.For += tick
	v.Ends[name] = w
}
