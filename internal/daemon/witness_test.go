package daemon

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/clusterd/clusterd/internal/api"
)

// TestTwoNodesAndAWitnessSurviveEither: the third vote is that of a node that runs
// nothing. Each of the two others is lost in turn, the leader or not, and the one
// that is left takes everything over by a majority, in the same generation.
func TestTwoNodesAndAWitnessSurviveEither(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, dir, threeNodes)
		s.members["node3"].node.Witness = true
		s.onDisk = true
		defer s.close()
		s.found()
		s.declare(map[string]string{"vm:a": "node1", "vm:b": "node2"})
		for _, dead := range pairOfNodes {
			left := pairOfNodes[1-slices.Index(pairOfNodes, dead)]
			s.world.powerOff(dead)
			took := s.until("both services run on "+left, s.bothRunOn(left))
			t.Logf("without %s both run on %s after %s", dead, left, took)
			s.boot(dead)
			s.until(dead+" is back", s.backAndVoting(left, dead, 1))
			s.until("both are where they belong", func() bool {
				return len(s.world.runsOn(uuidOf(0))) == 1 &&
					len(s.world.runsOn(uuidOf(1))) == 1
			})
		}
		// The witness goes, and nothing happens to anybody.
		shots := len(s.world.shotsFired())
		s.world.powerOff("node3")
		s.until("the witness is missed", func() bool { return s.memberOf("node1", "node3").State != "online" })
		if len(s.world.runsOn(uuidOf(0))) != 1 || len(s.world.shotsFired()) != shots {
			t.Errorf("the loss of the witness moved something: %v, shots %v", s.world.runsOn(uuidOf(0)), s.world.shotsFired())
		}
		for _, started := range s.world.startsSeen() {
			if started == "vm:a@node3" || started == "vm:b@node3" {
				t.Error("the witness ran a VM: ", started)
			}
		}
		for _, law := range s.world.lawsBroken() {
			t.Error("a law was broken:", law)
		}
	})
}

func (w *world) startsSeen() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.starts)
}

// TestAWitnessLeavesNoRoomForTheTwoNodeRule: with its vote a majority decides.
func TestAWitnessLeavesNoRoomForTheTwoNodeRule(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, dir, threeNodes)
		s.members["node3"].node.Witness = true
		defer s.close()
		s.found()
		text := pairDocument(map[string]string{"vm:a": "node1"}) + favourNode1
		status, body := s.ask("node1", rootUser, "POST", api.PathConfig,
			api.ConfigChange{Base: s.status("node1").ConfigVersion, Text: text})
		if status != http.StatusConflict || !strings.Contains(string(body), "node3 is one, its vote decides") {
			t.Errorf("the answer to two_node beside a witness is %d %s", status, body)
		}
	})
}
