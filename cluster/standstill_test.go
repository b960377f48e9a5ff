package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/resources"
)

// TestAGuestThatFellWhileTheTargetsDaemonStartedIsAskedFor: the daemon of the target started
// during the migration and found the guest crashed, which counted for nothing while both ends
// held it.
func TestAGuestThatFellWhileTheTargetsDaemonStartedIsAskedFor(t *testing.T) {
	b := moving(t)
	b.Up("node2", "node2-boot-1", cluster.Found{Service: "vm:a",
		Observation: resources.Observation{Service: "vm:a", UUID: "uuid-vm:a", Condition: resources.Crashed}})
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent, Target: resources.Running}))
	if h, held := b.Service("vm:a").Holder("node2"); !held || !h.Ask {
		t.Fatalf("node2 is not asked: %+v", b.Service("vm:a"))
	}
	b.Must(b.Looked("vm:a", "node2", resources.Crashed))
	b.Is("vm:a", resources.Recoverable, "node2", "node2")
}

// TestASilentNodeThatIsFencedByTheNameOfItsOlderBootComesUpOnceMore: it was silent, not lost,
// when an operator had it fenced.
func TestASilentNodeThatIsFencedByTheNameOfItsOlderBootComesUpOnceMore(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	old := b.Node("node1")
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: old.Fingerprint, Boot: "node1-boot-2", Address: old.Address,
		MaxLevel: cluster.CurrentLevel, Session: "second"})
	shot := b.Shoot("node1", "node2")
	shot.Override = true
	b.Must(shot)
	b.Must(cluster.Contact{Node: "node1", Incarnation: b.Node("node1").Incarnation, State: cluster.NodeSilent,
		Silence: time.Second})
	if !b.S.Outlived("node1", "node1-boot-2") {
		t.Error("the daemon of the new boot is not told to come up once more, and nothing else ends the intent")
	}
}

// TestEnablingElsewhereWhatRunsSaysWhereItRuns: a disabled VM was found running, and is to be
// enabled on another node.
func TestEnablingElsewhereWhatRunsSaysWhereItRuns(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "off", Op: cluster.OpDisable, Service: "vm:a", By: "root"})
	b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForDisable,
		By: "root"})
	b.Must(b.Done("vm:a", "node1", resources.Result{OK: true, Source: resources.Absent}))
	b.Must(cluster.Observed{Service: "vm:a", Node: "node1", Incarnation: b.Node("node1").Incarnation, AsOf: b.S.Index,
		Observation: resources.Observation{Service: "vm:a", UUID: "uuid-vm:a", Condition: resources.Running}})
	b.Must(cluster.Ask{Request: "on", Op: cluster.OpEnable, Service: "vm:a", Node: "node2", By: "root"})
	says(b, "on", cluster.CodeFailure, "it is enabled and runs on node1 already, and not on node2: "+
		"move it with `clusvcadm -r vm:a -m node2`")
}

// TestAnActThatWaitsForItsTurnIsNotCalledOverdue: a node does so many acts at a time, and the
// time of one begins with its turn.
func TestAnActThatWaitsForItsTurnIsNotCalledOverdue(t *testing.T) {
	var names []string
	for i := range cluster.ActsAtOnce + 1 {
		names = append(names, fmt.Sprintf("vm:%02d", i))
	}
	notes := func(acts int) plan.Decision {
		b := clustertest.NewBook(t, 3, names[:acts]...)
		opens := map[string]cluster.Openwatch{}
		for _, name := range names[:acts] {
			b.Must(b.StartOf(name, "node1"))
			service := b.Service(name)
			opens[name] = cluster.Openwatch{Index: service.Intent.Index, For: time.Hour, Limit: service.Allowed()}
		}
		return plan.Plan(b.S, cluster.View{Self: "node1", Leading: true, Opens: opens})
	}
	if d := notes(cluster.ActsAtOnce); !noted(d, "longer than it has time for") {
		t.Errorf("acts that all have their turn: %+v", d.Notes)
	}
	if d := notes(cluster.ActsAtOnce + 1); noted(d, "longer than it has time for") || !noted(d, "waiting for its turn") {
		t.Errorf("one more than have a turn: %+v", d.Notes)
	}
}
