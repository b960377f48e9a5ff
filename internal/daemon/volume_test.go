package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
)

// TestEverybodyKnowsOfADataVolumeThatCannotBeWritten: something stands where the node
// tries to write, as on a volume that has turned read-only.
func TestEverybodyKnowsOfADataVolumeThatCannotBeWritten(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		folder := membership.Folder(s.members["node2"].node.DataDir)
		obstacle := filepath.Join(folder.LogDir(), "write-probe")
		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(obstacle, 0o700); err != nil {
			t.Fatal(err)
		}
		known := func() *cluster.Volume {
			leader := s.leader()
			if leader == "" {
				return nil
			}
			n, _ := s.current(leader).replica.Root().Nodes.Get("node2")
			return n.Volume
		}
		s.until("everybody knows it", func() bool { return known() != nil })
		if v := known(); !v.Failing || !strings.Contains(v.Why.String(), "is not writable") {
			t.Errorf("known is %+v", v)
		}
		if !s.tells("node2", "its data volume cannot be written") {
			t.Error("the timeline does not tell")
		}
		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		s.until("it is known to be well", func() bool { return s.leader() != "" && known() == nil })
	})
}
