package main

// guestsAlone are breaks that only what happens to running guests can show.
func guestsAlone() []mutant {
	return []mutant{
		{
			name: "restarts-at-full-speed", law: "L7", broken: "a guest that dies at each start is started as fast as it dies",
			edits: []edit{{up, "\tif p.restsInLoop(service) {\n", "\tif p.restsInLoop(service) && p == nil {\n"}},
			nets:  first(simulation), faults: []string{"guest dies at each start"},
		},
		{
			name: "loops-push-others-out", law: "L7", broken: "one subject that talks all the time fills the timeline alone",
			edits: []edit{{"cluster/timeline.go", "count[e.Subject] > eventShare {", "count[e.Subject] > 2*maxEvents {"}},
			nets:  []net{tests("cluster", "^TestTheTimelineKeepsRoomForOthers$")},
		},
	}
}
