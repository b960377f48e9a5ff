package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// retries are the moves that failed, and what trying them again may bring about. A note says when a
// rule tries each again: so a world at rest may do it once, and all that this brings about to that
// service. What waited for room goes where such a move has made some.
type retries struct {
	due  map[string][]time.Time // by service; the zero time is one that was tried
	left map[string]bool        // the nodes with more room
}

// moveAgain is how long the cluster remembers a move that failed.
const moveAgain = 30 * time.Minute

func (w *World) triedLater() retries {
	again := retries{due: map[string][]time.Time{}, left: map[string]bool{}}
	for _, service := range w.State().Services.Rows() {
		for _, tr := range service.Troubles {
			again.due[service.Spec.Name] = append(again.due[service.Spec.Name], tr.At.Add(moveAgain))
		}
	}
	return again
}

// announced reports whether an entry belongs to a move whose time had come; each is tried once.
func (again retries) announced(r record) bool {
	for _, c := range r.commands {
		begin, begins := c.(cluster.Begin)
		if !begins {
			continue
		}
		if begin.By == "move" && slices.ContainsFunc(again.due[begin.Service], time.Time.IsZero) {
			continue // a cold move's second half
		}
		if !again.comes(begin, r.at) {
			return false
		}
	}
	return !slices.ContainsFunc(r.applied.Events, func(e cluster.Event) bool {
		return !slices.ContainsFunc(again.due[e.Subject], time.Time.IsZero)
	})
}

// comes reports whether the act is one that was told: its time is over, or there is room for it now.
func (again retries) comes(begin cluster.Begin, now time.Time) bool {
	due := slices.IndexFunc(again.due[begin.Service], func(at time.Time) bool {
		return !at.IsZero() && !now.Before(at.Add(-time.Second)) // the stopwatch of who plans counts by steps
	})
	switch {
	case due >= 0:
		again.due[begin.Service][due] = time.Time{}
	case again.left[cmp.Or(begin.Target, begin.Node)]:
		again.due[begin.Service] = append(again.due[begin.Service], time.Time{})
	default:
		return false
	}
	if begin.Target != "" {
		again.left[begin.Node] = true
	}
	return true
}

// underWay reports whether a move whose time came a moment ago has not ended.
func (again retries) underWay(s *cluster.State) bool {
	for service, tried := range again.due {
		if now, known := s.Services.Get(service); known && now.Intent != nil && slices.ContainsFunc(tried, time.Time.IsZero) {
			return true
		}
	}
	return false
}
