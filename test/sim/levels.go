package sim

import (
	"maps"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// The levels of rules in these worlds: that of the clusterd under test, which is the oldest one
// there is, and that of one which comes after it.
const (
	oldest = cluster.CurrentLevel
	Newest = clustertest.NextLevel
)

// levelFaults are upgrades at bad moments, and those who go back.
func levelFaults() []faultKind {
	return []faultKind{
		{"upgrade", 3, func(w *World, f Fault, h *Host) { h.Install(Newest, f.While/8) }},
		{"downgrade", 1, func(w *World, f Fault, h *Host) {
			if w.Level == oldest {
				h.Install(oldest, f.While/8)
			}
		}},
		{"level raised", 2, func(w *World, f Fault, h *Host) {
			w.Propose(h.Name, cluster.RaiseLevel{Level: Newest + f.random().IntN(2)}, nil)
		}},
		{"new rules", 3, (*World).useNewRules},
	}
}

// useNewRules says what older rules know nothing of, and declares a service or takes it back.
func (w *World) useNewRules(f Fault, h *Host) {
	w.Propose(h.Name, clustertest.Novelty{Text: f.Kind}, nil)
	next := w.State().Document
	next.Services = maps.Clone(next.Services)
	const shop = "service:shop"
	if _, declared := next.Services[shop]; declared {
		delete(next.Services, shop)
	} else {
		Service(&next, resources.Spec{Name: shop, Autostart: f.random().IntN(2) == 0})
	}
	w.Configure(h.Name, next, nil)
}

// newestFor is the clusterd that a machine is set up with: nothing is upgraded in a story unless
// it says so.
func (w *World) newestFor() int {
	if w.random == nil {
		return w.Level
	}
	return Newest
}

// Install puts another clusterd on a host, by the level of rules that it knows,
// and restarts the daemon.
func (h *Host) Install(level int, pause time.Duration) {
	if h.Installed == level {
		return
	}
	h.world.tell("a clusterd of level %d is installed on %s", level, h.Name)
	h.Installed = level
	if h.daemon != nil {
		h.KillDaemon()
		h.world.After(pause, h.StartDaemon)
	}
}

// follows ends a daemon that comes upon what it does not know, as the real one
// does. One that the cluster has admitted must never be brought to it.
func (h *Host) follows(commands []cluster.Command) {
	d := h.daemon
	if d == nil {
		return
	}
	needed := h.state.Level
	for _, c := range commands {
		needed = max(needed, clustertest.Next.LevelOf(c))
	}
	if needed <= d.knows {
		return
	}
	if me, _ := h.state.Nodes.Get(h.Name); me.Session == d.session {
		h.world.violate("index %d needs level %d, and %s was admitted with level %d", h.state.Index, needed, h.Name, d.knows)
	}
	h.world.tell("clusterd on %s does not know level %d", h.Name, needed)
	h.KillDaemon()
}

// upgradeLate is what a person does with old installations in a calm world: what
// cannot follow is upgraded at once, the others after some rounds.
func (w *World) upgradeLate(h *Host) bool {
	if h.Installed == Newest || (h.Installed >= w.State().Level && w.Now < rounds/2*roundEvery) {
		return false
	}
	h.Install(Newest, time.Second)
	return true
}

// levelNotSettled: once all know newer rules, those come into force.
func (w *World) levelNotSettled() string {
	for _, h := range w.order {
		if h.member && h.Installed < Newest {
			return ""
		}
	}
	if w.State().Level < Newest {
		return "all members know newer rules, and they are not in force"
	}
	return ""
}
