package daemon

import (
	"testing"

	"github.com/clusterd/clusterd/internal/audit"
	"github.com/clusterd/clusterd/internal/limits"
)

// TestOneAdministratorsFailuresHideNoOthers, and neither do those of root.
func TestOneAdministratorsFailuresHideNoOthers(t *testing.T) {
	inBubble(t, func(s *site) {
		before, d := len(s.trail("node1")), s.members["node1"].daemon
		for _, c := range []struct {
			kind limits.Kind
			who  string
		}{{limits.Admins, "admin robot"}, {limits.Root, "cron as root"}} {
			for range 10 * audit.MostOfWindow {
				d.register.Keep(audit.Entry{Who: c.who, Act: "fence node3", Result: "refused: no"}, c.kind)
			}
		}
		d.register.Keep(audit.Entry{Who: "admin alice", Act: "fence node3", Result: "refused: no"}, limits.Admins)
		d.register.Keep(audit.Entry{Who: "bob as root", Act: "fence node3", Result: "refused: no"}, limits.Root)
		lines := map[string]int{}
		for _, e := range s.trail("node1")[before:] {
			lines[e.Who]++
		}
		if lines["admin alice"] != 1 || lines["bob as root"] != 1 || lines["admin robot"] != audit.MostOfWindow {
			t.Errorf("the trail has %v", lines)
		}
	})
}

// TestWhatWasLeftOutIsToldBeforeTheDaemonEnds: its brakes forget with it.
func TestWhatWasLeftOutIsToldBeforeTheDaemonEnds(t *testing.T) {
	inBubble(t, func(s *site) {
		before, d := len(s.trail("node1")), s.members["node1"].daemon
		for range 100 {
			d.register.Keep(audit.Entry{Who: "operator bob", Act: "start vm:a", Result: "refused: no"}, limits.Users)
		}
		s.kill("node1")
		entries, _, err := d.register.Read(0, 2000)
		if err != nil {
			t.Fatal(err)
		}
		told := 0
		for _, e := range entries[before:] {
			if e.Who == "operator bob" {
				told += 1 + e.More
			}
		}
		if told != 100 {
			t.Errorf("100 refusals, and the trail tells of %d", told)
		}
	})
}
