package daemon

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/hostguard"
)

// hostKeeper is a host's watchdog with its keeper: it outlives daemons, and takes the
// host's power when it was not petted for its timeout.
type hostKeeper struct {
	world *world
	node  string
	began time.Time

	mu    sync.Mutex
	state cluster.Keeper
	never bool
	words int
	keys  bool
	// cut: somebody has taken this host's key away.
	cut bool
}

func (g *hostKeeper) Clock() time.Duration { return time.Since(g.began) }

func (g *hostKeeper) Keeper(context.Context) (cluster.Keeper, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state, g.state.Armed
}

func (g *hostKeeper) Say(_ context.Context, wanted fence.Wanted, word cluster.Pet) (cluster.Keeper, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = cluster.Keeper{Seq: word.Seq, Armed: true, Timeout: wanted.Settings.Timeout,
		Free: word.Policy == cluster.PetFree, Until: word.Until}
	g.never = g.never || word.Policy == cluster.PetNever
	g.words++
	mine, ends := g.words, word.Until
	if g.never {
		ends = g.Clock()
	}
	if !g.state.Free {
		time.AfterFunc(ends-g.Clock()+wanted.Settings.Timeout, func() { g.runOut(mine) })
	}
	return g.state, nil
}

// runOut resets the host unless a newer word has come.
func (g *hostKeeper) runOut(word int) {
	g.mu.Lock()
	over := g.words == word || g.never
	g.mu.Unlock()
	if over {
		g.world.powerOff(g.node)
	}
}

func (g *hostKeeper) Clear(context.Context, fence.Device) error { return nil }

func (g *hostKeeper) Register(context.Context, fence.Device) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.keys = true
	return nil
}

func (g *hostKeeper) CutOff(context.Context, fence.Device) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cut, nil
}

// guardAll gives every node a watchdog, its only fence level but for storage.
func (s *site) guardAll(levels string) map[string]*hostKeeper {
	s.t.Helper()
	keepers := map[string]*hostKeeper{}
	s.guards = func(name string) hostguard.Host {
		if keepers[name] == nil {
			keepers[name] = &hostKeeper{world: s.world, node: name, began: s.began}
		}
		return keepers[name]
	}
	for _, name := range threeNodes {
		s.kill(name)
		s.start(name)
	}
	s.until("all are back", func() bool {
		return s.leader() != "" &&
			!slices.ContainsFunc(s.status(s.leader()).Nodes, func(n api.Node) bool { return n.State != "online" })
	})
	s.levels = levels
	return keepers
}

func TestANodeWithOnlyAWatchdogIsWaitedOutAndNeverRunsAVMTwice(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.guardAll("[[wd]]")
		victim := s.followers()[0]
		s.declare(map[string]string{"vm:a": victim})
		began := time.Now()
		s.isolate(victim)
		s.until("vm:a is free", func() bool {
			service := s.service(s.leader(), "vm:a")
			return len(service.Holders) == 0 || service.Owner != victim
		})
		if s.world.powered(victim) {
			t.Error("the VM was let go while its old host lives")
		}
		limit := fence.WaitOut(6*time.Second, 9*time.Second)
		if took := time.Since(began); took < limit {
			t.Errorf("waited %s, the lease and the watchdog take %s", took, limit)
		}
		s.until("vm:a runs elsewhere", func() bool {
			on := s.world.runsOn(uuidOf(0))
			return len(on) == 1 &&
				on[0] != victim
		})
	})
}

func TestARestartOfTheDaemonResetsNobody(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		keepers := s.guardAll("[[wd]]")
		owner := s.followers()[0]
		s.declare(map[string]string{"vm:a": owner})
		for range 3 {
			s.kill(owner)
			time.Sleep(3 * time.Second)
			s.start(owner)
			s.until("it is back", func() bool { return s.stateOf(s.leader(), owner) == "online" })
		}
		time.Sleep(30 * time.Second)
		if on := s.world.runsOn(uuidOf(0)); !slices.Equal(on, []string{owner}) || keepers[owner].state.Free {
			t.Errorf("vm:a runs on %v, the keeper: %+v", on, keepers[owner].state)
		}
		s.kill(owner)
		s.until("a daemon that stays away is the end of its lease", func() bool { return !s.world.powered(owner) })
		s.until("vm:a runs elsewhere", func() bool {
			on := s.world.runsOn(uuidOf(0))
			return len(on) == 1 && on[0] != owner
		})
	})
}

func TestAHostWithoutVMsKeepsItsWatchdogQuietWithoutAQuorum(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		s.guardAll("[[wd]]")
		owner, empty := s.followers()[0], s.followers()[1]
		s.declare(map[string]string{"vm:a": owner})
		s.until("the empty one is petted freely", func() bool { return s.guards(empty).(*hostKeeper).state.Free })
		s.isolate(empty)
		time.Sleep(time.Minute)
		if !s.world.powered(empty) {
			t.Error("a host that held nothing was reset")
		}
	})
}

func TestAHostThatLosesItsKeysStopsItsVMsAndIsReset(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		keepers := s.guardAll("[[san], [wd]]")
		owner := s.followers()[0]
		s.declare(map[string]string{"vm:a": owner})
		n, _ := s.members[owner].daemon.replica.Root().Nodes.Get(owner)
		if n.Guard == nil || len(n.Guard.Keys) != 1 {
			t.Fatalf("guarded by %+v", n.Guard)
		}
		keepers[owner].mu.Lock()
		keepers[owner].cut = true
		keepers[owner].mu.Unlock()
		s.until("it stops what runs there", func() bool { return !slices.Contains(s.world.runsOn(uuidOf(0)), owner) })
		s.until("its watchdog resets it", func() bool { return !s.world.powered(owner) })
		s.until("vm:a runs elsewhere", func() bool {
			on := s.world.runsOn(uuidOf(0))
			return len(on) == 1 && on[0] != owner
		})
		if _, told := s.eventAt(s.leader(), owner, string(cluster.NodeCut), time.Time{}); !told {
			t.Error("nobody was told that it lost its keys")
		}
	})
}

// guardedDocument puts other levels into a document.
func guardedDocument(text, levels string) string {
	if levels == "" {
		return text
	}
	for _, level := range []string{"[[bmc1]]", "[[bmc2]]", "[[bmc3]]"} {
		text = strings.Replace(text, level, levels, 1)
	}
	return strings.Replace(text, "devices:\n",
		"devices:\n  wd: {driver: watchdog, options: {lease: 6s, timeout: 9s}}\n  san: {driver: scsi, options: "+
			"{devices: /dev/disk/by-id/wwn-0x6001405aaaaaaaaa}}\n", 1)
}
