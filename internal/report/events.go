package report

import (
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

// shownEvents is how many events are sent when nobody says how many.
const shownEvents = 500

// Events chooses events, oldest first; of too many the newest.
func Events(root *cluster.State, after uint64, limit int, service, node string) api.Events {
	if limit <= 0 || limit > 5000 {
		limit = shownEvents
	}
	page := api.Events{Events: []cluster.Event{}}
	if len(root.Timeline) > 0 {
		page.Oldest = root.Timeline[0].Index
	}
	for _, e := range root.Timeline {
		if e.Index <= after || !Concerns(e, service, node) {
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

// Concerns reports whether an event is about the service and the node; empty is any.
func Concerns(e cluster.Event, service, node string) bool {
	return (service == "" || e.Subject == service) && (node == "" || e.Node == node || e.Subject == node)
}
