package daemon

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
)

var pairOfNodes = []string{"node1", "node2"}

// inPair runs a test in virtual time with two nodes whose document has the
// two-node rule, and a service that prefers each.
func inPair(t *testing.T, rule string, test func(s *site)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, dir, pairOfNodes)
		s.onDisk = true
		defer func() {
			for _, name := range pairOfNodes {
				s.kill(name)
			}
			time.Sleep(5 * time.Second)
		}()
		if err := membership.Found(s.members["node1"].node, "test"); err != nil {
			t.Fatal(err)
		}
		s.start("node1")
		s.until("node1 is online", func() bool { return s.stateOf("node1", "node1") == "online" })
		if status, failure := s.join("node1", "node2", s.token("node1")); status != 200 {
			t.Fatalf("node2 cannot join: %+v", failure)
		}
		s.start("node2")
		s.until("node2 is online", func() bool { return s.stateOf("node1", "node2") == "online" })
		text := pairDocument(map[string]string{"vm:a": "node1", "vm:b": "node2"})
		var reply api.ConfigReply
		s.must("node1", rootUser, "POST", api.PathConfig, api.ConfigChange{Base: s.status("node1").ConfigVersion,
			Text: text + rule}, &reply)
		s.until("both services run", func() bool {
			return len(s.world.runsOn(uuidOf(0))) == 1 &&
				len(s.world.runsOn(uuidOf(1))) == 1
		})
		if rule != "" {
			s.until("both may go on alone", func() bool {
				return s.hasFile("node1", membership.WarrantFile) &&
					s.hasFile("node2", membership.WarrantFile)
			})
		}
		test(s)
		for _, law := range s.world.lawsBroken() {
			t.Error("a law was broken:", law)
		}
	})
}

// pairDocument is documentOf for two nodes: what names the third one is left out.
func pairDocument(services map[string]string) string {
	var kept []string
	for _, line := range strings.Split(documentOf(services), "\n") {
		if !strings.Contains(line, "on-node3") && !strings.Contains(line, "  node3:") && !strings.Contains(line, "  bmc3:") {
			kept = append(kept, strings.Replace(line, ", node3: 2", "", 1))
		}
	}
	return strings.Join(kept, "\n")
}

func (s *site) hasFile(node, name string) bool {
	_, err := os.Stat(filepath.Join(s.members[node].node.DataDir, name))
	return err == nil
}

func (s *site) bothRunOn(node string) func() bool {
	return func() bool {
		return slices.Equal(s.world.runsOn(uuidOf(0)), []string{node}) &&
			slices.Equal(s.world.runsOn(uuidOf(1)), []string{node})
	}
}

// backAndVoting reports whether a node is online again in a generation, and votes.
func (s *site) backAndVoting(at, node string, generation uint64) func() bool {
	return func() bool {
		d := s.current(at)
		n, _ := d.replica.Root().Nodes.Get(node)
		votes := false
		for _, m := range d.log.Members() {
			votes = votes || m.ID == node && m.Voter
		}
		return votes && n.State == "online" && d.replica.Root().Generation == generation
	}
}

const favourNode1 = "two_node: {favour: node1, delay: 10s}\n"

func (s *site) partingHas(node, text string) bool {
	content, err := os.ReadFile(filepath.Join(s.members[node].node.DataDir, membership.PartingFile))
	return err == nil && strings.Contains(string(content), text)
}

func (s *site) memberOf(at, node string) cluster.Member {
	n, _ := s.current(at).replica.Root().Nodes.Get(node)
	return n
}

// step waits in steps so short that nothing else happens within one.
func (s *site) step(t *testing.T, reached func() bool) {
	t.Helper()
	for began := time.Now(); !reached(); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("the step was not reached within a minute")
		}
	}
}
