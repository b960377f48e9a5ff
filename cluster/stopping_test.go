package cluster_test

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
)

// An announcement lengthens the grace of the daemon that made it, and of no other.
func TestAnAnnouncementCountsForItsIncarnation(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	incarnation := b.Node("node2").Incarnation
	b.Refused(cluster.DaemonStopping{Node: "node2", Incarnation: incarnation + 1}, "older incarnation")
	b.Must(cluster.DaemonStopping{Node: "node2", Incarnation: incarnation})
	if got := rules.GraceOf(b.S, "node2"); got != cluster.DefaultStopGrace || b.Node("node2").State != cluster.NodeSilent {
		t.Errorf("the grace is %s, the state %s", got, b.Node("node2").State)
	}
	w := cluster.Contactwatch{Heard: true, Silence: time.Minute, KernelOnly: time.Minute}
	w.Verdict = &cluster.Verdict{Kernel: cluster.Answers, Daemon: cluster.Silent}
	if j := cluster.Judge(b.Node("node2"), w, rules.Of(b.S).TimingOf(b.Node("node2"))); j.State != cluster.NodeSilent ||
		j.Next.IsZero() {
		t.Errorf("after a minute it is %+v", j)
	}
	w.Verdict = &cluster.Verdict{Kernel: cluster.Silent, Daemon: cluster.Silent}
	if j := cluster.Judge(b.Node("node2"), w, rules.Of(b.S).TimingOf(b.Node("node2"))); j.State != cluster.NodeLost {
		t.Errorf("a host whose kernel is silent is %+v", j)
	}
	b.Up("node2", "node2-boot-1")
	if got, want := rules.GraceOf(b.S, "node2"), cluster.TimingFor("").SilentGrace; got != want {
		t.Errorf("after its next start the grace is %s, not %s", got, want)
	}
}

// For the sake of a service that waits for it, an announced silence is no longer than
// any other.
func TestAnAnnouncementDoesNotHoldAServiceUp(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:web")
	b.Must(cluster.DaemonStopping{Node: "node2", Incarnation: b.Node("node2").Incarnation})
	service := b.Service("vm:web")
	service.Intent = &cluster.Intent{Kind: cluster.IntentStart, Node: "node2"}
	b.S.Services.Set("vm:web", service)
	if got, want := rules.GraceOf(b.S, "node2"), cluster.TimingFor("").SilentGrace; got != want {
		t.Errorf("with a start under way there the grace is %s, not %s", got, want)
	}
}
