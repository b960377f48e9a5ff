package report

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

// shownEvents is how many events are sent when nobody says how many.
const shownEvents = 500

// Events chooses events, oldest first; of too many the newest.
func Events(root *cluster.State, after uint64, limit int, choice Choice) api.Events {
	if limit <= 0 || limit > 5000 {
		limit = shownEvents
	}
	page := api.Events{Events: []cluster.Event{}}
	if len(root.Timeline) > 0 {
		page.Oldest = root.Timeline[0].Index
	}
	for _, e := range root.Timeline {
		if e.Index <= after || !choice.Has(e) {
			continue
		}
		page.Events = append(page.Events, e)
	}
	if excess := len(page.Events) - limit; excess > 0 && after == 0 {
		page.Events = page.Events[excess:]
	} else if excess > 0 {
		page.Events = page.Events[:endOfEntry(page.Events, limit)]
	}
	return page
}

// endOfEntry moves a page's end behind the last event of an entry: the next
// page begins with the next entry, and would miss what is left of this one.
func endOfEntry(events []cluster.Event, end int) int {
	for end < len(events) && events[end].Index == events[end-1].Index {
		end++
	}
	return end
}

// Choice chooses events by what they are about and by their code; what is empty chooses all.
type Choice struct {
	Service, Node string
	// Code is a code or a pattern such as fence-*, as of path.Match.
	Code string
}

// Has reports whether an event is chosen.
func (c Choice) Has(e cluster.Event) bool {
	return (c.Service == "" || e.Subject == c.Service) && (c.Node == "" || e.Node == c.Node || e.Subject == c.Node) &&
		(c.Code == "" || message.Fits(c.Code, e.Why.Code()))
}
