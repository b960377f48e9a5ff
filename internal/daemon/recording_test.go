package daemon

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/recorder"
)

// TestTheLeadersPlansAreRecordedAndMadeAgainAlike replays all that a cluster
// planned from its founding to the recovery after a lost host. It also shows that
// Plan reads nothing of what a record leaves out.
func TestTheLeadersPlansAreRecordedAndMadeAgainAlike(t *testing.T) {
	inBubble(t, func(s *site) {
		leader, victim := s.leader(), s.followers()[0]
		s.declare(map[string]string{"vm:a": victim, "vm:b": leader})
		s.world.powerOff(victim)
		s.until("vm:a runs elsewhere", func() bool { return len(s.world.runsOn(uuidOf(0))) > 0 })
		synctest.Wait() // the recorders have written

		kinds := map[string]bool{}
		for _, node := range threeNodes {
			paths, err := recorder.List(filepath.Join(s.members[node].node.DataDir, "plans"))
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range paths {
				record, err := recorder.Read(path)
				if err != nil {
					t.Fatal(err)
				}
				comparison, err := recorder.Replay(record)
				if err != nil || !comparison.Same || comparison.Reworded || record.Strange != "" || record.Missed != 0 {
					t.Errorf("%s: %+v, %q, %v", path, comparison, record.Strange, err)
				}
				for _, command := range record.Planned.Decision.Commands {
					kinds[cluster.KindOf(command)] = true
				}
			}
		}
		for _, kind := range []string{"begin", "contact", "begin-fence"} {
			if !kinds[kind] {
				t.Errorf("no record of %s; there are %v", kind, slices.Sorted(maps.Keys(kinds)))
			}
		}
	})
}
