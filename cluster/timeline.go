package cluster

// Room in the timeline. It is made for some events at once, so that the list is not
// walked for each of them.
const (
	maxEvents = 2000
	eventRoom = maxEvents / 8
	// eventShare is what one subject may fill before others lose theirs.
	eventShare = maxEvents / 10
)

// remember adds to the timeline. Where that is full, those lose their oldest events
// who have more than their share: one subject that talks all the time must not push
// out what is known of the others.
func (s *State) remember(events []Event) {
	s.Timeline = append(s.Timeline, events...)
	if len(s.Timeline) <= maxEvents {
		return
	}
	excess := len(s.Timeline) - maxEvents + eventRoom
	count := map[string]int{}
	for _, e := range s.Timeline {
		count[e.Subject]++
	}
	// A new list: other roots share the old one.
	kept := make([]Event, 0, maxEvents)
	for _, e := range s.Timeline {
		if excess > 0 && count[e.Subject] > eventShare {
			count[e.Subject]--
			excess--
			s.Forgotten = max(s.Forgotten, e.Index)
			continue
		}
		kept = append(kept, e)
	}
	for _, e := range kept[:max(0, excess)] {
		s.Forgotten = max(s.Forgotten, e.Index)
	}
	s.Timeline = kept[max(0, excess):]
}
