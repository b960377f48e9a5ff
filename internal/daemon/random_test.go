package daemon

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

var (
	randomScripts = flag.Int("random-scripts", 3, "random fault scripts of whole hosts")
	randomSeed    = flag.Uint64("random-seed", 1, "seed of the first random fault script")
)

// TestRandomFaultsNeverRunAVMTwiceAndEndWithAllRunning lets hosts, daemons,
// links, hypervisors and BMCs fail, mends everything, and waits for all services.
func TestRandomFaultsNeverRunAVMTwiceAndEndWithAllRunning(t *testing.T) {
	for i := range *randomScripts {
		seed := *randomSeed + uint64(i)
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, dir, threeNodes)
				s.onDisk = true
				defer s.close()
				s.found()
				s.declare(map[string]string{"vm:a": "node1", "vm:b": "node2", "vm:c": "node3"})
				told := s.trouble(rand.New(rand.NewPCG(seed, 1)))
				s.mendAll()
				if took := s.waitFor(s.allRun); took > 2*time.Minute {
					t.Fatalf("not everything runs again after %s: %s", strings.Join(told, ", "), s.picture())
				}
				time.Sleep(5 * time.Second)
				if !s.allRun() {
					t.Error("it does not stay so after", told)
				}
				for _, law := range s.world.lawsBroken() {
					t.Error("a law was broken:", law, "after", told)
				}
			})
		})
	}
}

// picture is what there is to see when something does not come.
func (s *site) picture() string {
	s.t.Helper()
	leader := s.leader()
	status := s.status(leader)
	text, err := json.MarshalIndent(map[string]any{"nodes": status.Nodes, "services": status.Services,
		"notes": status.Notes, "warnings": status.Warnings}, "", " ")
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// trouble makes some faults and says which.
func (s *site) trouble(random *rand.Rand) []string {
	var told []string
	for i := range 10 {
		node := threeNodes[random.IntN(3)]
		what := []string{"kill", "power", "isolate", "mend", "mute", "unproven", "move", "restart"}[random.IntN(8)]
		told = append(told, what+" "+node)
		switch what {
		case "kill":
			s.kill(node)
		case "restart":
			if s.world.powered(node) {
				s.kill(node)
				s.start(node)
			}
		case "power":
			s.world.powerOff(node)
		case "isolate":
			s.isolate(node)
		case "mend":
			s.mendAll()
		case "mute":
			s.world.setMute(node, true)
		case "unproven":
			s.world.setUnproven(node, true)
		case "move":
			asked := api.Request{ID: fmt.Sprint("move ", i), Op: cluster.OpMigrate,
				Service: "vm:" + string("abc"[random.IntN(3)]), Node: node}
			at := threeNodes[random.IntN(3)]
			if m := s.members[at]; m.daemon != nil {
				handler := m.handler
				go askHandler(context.Background(), handler, rootUser, "POST", api.PathRequests, asked)
			}
		}
		time.Sleep(time.Duration(random.IntN(4000)) * time.Millisecond)
	}
	return told
}

// mendAll gives everything back: links, power, BMCs, hypervisors and daemons.
func (s *site) mendAll() {
	s.mend()
	for _, name := range threeNodes {
		s.world.setMute(name, false)
		s.world.setUnproven(name, false)
		switch {
		case !s.world.powered(name):
			s.boot(name)
		case s.members[name].daemon == nil:
			s.start(name)
		}
	}
}

// allRun reports whether every service runs once, where the cluster says. A host
// that was fenced meanwhile is booted, as a watchful administrator would.
func (s *site) allRun() bool {
	s.t.Helper()
	for _, name := range threeNodes {
		if !s.world.powered(name) {
			s.boot(name)
		}
	}
	leader := s.leader()
	for i, name := range []string{"vm:a", "vm:b", "vm:c"} {
		service := s.service(leader, name)
		if service.State.String() != "started" || !slices.Equal(s.world.runsOn(uuidOf(i)), []string{service.Owner}) {
			return false
		}
	}
	return true
}
