package cluster_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// TestACrashGivesNoMoreThanThereWas: a VM that was declared larger while it ran comes back where it
// ran only if what is declared fits there; so does one whose restart was asked for and whose stop
// nobody told of.
func TestACrashGivesNoMoreThanThereWas(t *testing.T) {
	for name, restart := range map[string]bool{"it crashes": false, "the result of a restart is lost": true} {
		t.Run(name, func(t *testing.T) {
			b := sized(t, 2, map[string]int{"vm:a": 4, "vm:b": 4})
			b.Running("vm:a", "node1")
			if restart {
				b.Must(cluster.Ask{Request: "r", Op: cluster.OpRestart, Service: "vm:a", By: "root"})
			}
			sizedAnew(b, map[string]int{"vm:a": 100, "vm:b": 4})
			crashed(b, "vm:a", "node1")
			if kept := b.Service("vm:a").Kept; kept.Node != "node1" || kept.Demand.Memory != 4*resources.GiB {
				t.Errorf("kept is %+v", kept)
			}
			b.Refused(b.StartOf("vm:a", "node1"), "vm:a needs 100 GiB")
			sizedAnew(b, map[string]int{"vm:a": 4, "vm:b": 4})
			b.Running("vm:a", "node1")
		})
	}
}

// over is a node that runs 8 GiB and may give 6 by now, and a VM that falls there: it takes 4.
func over(t *testing.T, others map[string]int) *clustertest.Book {
	t.Helper()
	services := map[string]int{"vm:a": 4, "vm:b": 4}
	maps.Copy(services, others)
	b := sized(t, 1, services)
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node1")
	has(b, "node1", 7)
	crashed(b, "vm:a", "node1")
	return b
}

// TestTheRightToComeBackLasts: neither a start that fails, nor one that is broken off, nor a
// request that names no other place takes from a VM the room that is kept for it.
func TestTheRightToComeBackLasts(t *testing.T) {
	for name, happens := range map[string]func(b *clustertest.Book){
		"a start fails": func(b *clustertest.Book) {
			b.Must(b.StartOf("vm:a", "node1"))
			b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "no answer"}))
		},
		"the daemon starts anew": func(b *clustertest.Book) {
			b.Must(b.StartOf("vm:a", "node1"))
			b.Up("node1", "node1-boot-1",
				cluster.Found{Service: "vm:b", Observation: resources.Observation{Condition: resources.Running}},
				cluster.Found{Service: "vm:a", Observation: resources.Observation{Condition: resources.Absent}})
		},
		"it is enabled": func(b *clustertest.Book) {
			b.Must(cluster.Ask{Request: "r", Op: cluster.OpEnable, Service: "vm:a", By: "root"})
		},
		"it is enabled there": func(b *clustertest.Book) {
			b.Must(cluster.Ask{Request: "r", Op: cluster.OpEnable, Service: "vm:a", Node: "node1", By: "root"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := over(t, nil)
			happens(b)
			if kept := b.Service("vm:a").Kept; kept.Node != "node1" {
				t.Errorf("kept is %+v", kept)
			}
			b.Running("vm:a", "node1")
			if kept := b.Service("vm:a").Kept; kept.Node != "" {
				t.Errorf("it runs, and still %+v is kept", kept)
			}
		})
	}
}

// TestAPromiseIsWhatWasPromised: what is declared larger while it is down takes no more room from
// others than was kept for it.
func TestAPromiseIsWhatWasPromised(t *testing.T) {
	b := sized(t, 1, map[string]int{"vm:a": 4, "vm:b": 4})
	b.Running("vm:a", "node1")
	crashed(b, "vm:a", "node1")
	sizedAnew(b, map[string]int{"vm:a": 12, "vm:b": 4})
	b.Running("vm:b", "node1")
	b.Refused(b.StartOf("vm:a", "node1"), "vm:a needs 12 GiB")
}

// TestNothingIsRestartedThatCouldNotComeBack: what was declared larger than any node has room for
// goes on as it is, and a request that is given up keeps no room.
func TestNothingIsRestartedThatCouldNotComeBack(t *testing.T) {
	b := sized(t, 2, map[string]int{"vm:a": 4, "vm:b": 5})
	b.Running("vm:a", "node1")
	sizedAnew(b, map[string]int{"vm:a": 12, "vm:b": 5})
	b.Must(cluster.Ask{Request: "large", Op: cluster.OpRestart, Service: "vm:a", By: "root"})
	if r, _ := b.S.Requests.Get("large"); !r.Done || !strings.Contains(r.Why.String(), "vm:a needs 12 GiB") {
		t.Errorf("the answer is %+v", r)
	}
	has(b, "node2", 20)
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpRestart, Service: "vm:a", By: "root"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Purpose: cluster.ForRestart, Node: "node1",
		By: "root"})
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Refused(b.StartOf("vm:b", "node1"), "vm:b needs 5 GiB")
	b.Must(cluster.GiveUp{Service: "vm:a", Request: "r", Code: cluster.CodeFailure})
	b.Running("vm:b", "node1")
}

// TestRoomIsKeptForWhoFollows: what goes down with what it needs, and what is relocated to whoever
// takes it, finds its place where it ran. What follows something that a person stopped does not.
func TestRoomIsKeptForWhoFollows(t *testing.T) {
	follows := func(by cluster.Operation) *clustertest.Book {
		b := sized(t, 1, map[string]int{"vm:a": 2, "vm:b": 5, "vm:w": 6})
		d := b.S.Document
		d.Services = maps.Clone(d.Services)
		spec := d.Services["vm:b"]
		spec.Depend = []resources.Dependency{{Service: "vm:a", Mode: resources.Hard}}
		d.Services["vm:b"] = spec
		b.Must(clustertest.Configure(d, b.S.Config.Version))
		b.Running("vm:a", "node1")
		b.Running("vm:b", "node1")
		if by == "" {
			crashed(b, "vm:a", "node1")
		} else {
			b.Must(cluster.Ask{Request: "r", Op: by, Service: "vm:a", By: "root"})
		}
		b.Must(cluster.Begin{Service: "vm:b", Intent: cluster.IntentStop, Purpose: cluster.ForDepend, Node: "node1"})
		b.Must(b.Done("vm:b", "node1", resources.Result{OK: true, Source: resources.Absent}))
		return b
	}
	b := follows("")
	b.Refused(b.StartOf("vm:w", "node1"), "vm:w needs 6 GiB")
	b = follows(cluster.OpStop)
	b.Must(b.StartOf("vm:w", "node1"))
	b = sized(t, 2, map[string]int{"service:a": 4, "vm:w": 6})
	b.Running("service:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpRelocate, Service: "service:a", By: "root"})
	b.Must(cluster.Begin{Service: "service:a", Intent: cluster.IntentStop, Purpose: cluster.ForRelocate, Node: "node1",
		By: "root"})
	b.Must(b.Done("service:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Refused(b.StartOf("vm:w", "node1"), "vm:w needs 6 GiB")
	b.Running("service:a", "node2")
	b.Running("vm:w", "node1")
}

// TestAColdMoveIsAskedForWhatIsDeclared: what was started with more is started with less there.
func TestAColdMoveIsAskedForWhatIsDeclared(t *testing.T) {
	for _, name := range []string{"service:a", "vm:a"} {
		b := sized(t, 2, map[string]int{name: 8, "vm:b": 5})
		b.Running(name, "node1")
		b.Running("vm:b", "node2")
		sizedAnew(b, map[string]int{name: 2, "vm:b": 5})
		b.Must(cluster.Ask{Request: "r", Op: cluster.OpRelocate, Service: name, Node: "node2", By: "root"})
		if r, _ := b.S.Requests.Get("r"); r.Done {
			t.Errorf("%s is refused: %s", name, r.Why)
		}
		b.Refused(cluster.Begin{Service: "vm:b", Intent: cluster.IntentMigrate, Node: "node2", Target: "node1"},
			"vm:b needs 5 GiB")
		b.Must(cluster.Begin{Service: name, Intent: cluster.IntentStop, Purpose: cluster.ForRelocate, Node: "node1"})
		if kept := b.Service(name).Kept; kept.Node != "node2" {
			t.Errorf("kept is %+v", kept)
		}
	}
}
