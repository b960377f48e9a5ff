package cluster

import (
	"testing"
	"time"
)

// An announcement lengthens the grace of the daemon that made it, and of no other.
func TestAnAnnouncementCountsForItsIncarnation(t *testing.T) {
	b := newBook(t, 3)
	incarnation := b.node("node2").Incarnation
	b.refused(DaemonStopping{Node: "node2", Incarnation: incarnation + 1}, "older incarnation")
	b.must(DaemonStopping{Node: "node2", Incarnation: incarnation})
	if got := b.s.GraceOf("node2"); got != DefaultStopGrace || b.node("node2").State != NodeSilent {
		t.Errorf("the grace is %s, the state %s", got, b.node("node2").State)
	}
	w := Contactwatch{Heard: true, Silence: time.Minute, KernelOnly: time.Minute}
	w.Verdict = &Verdict{Kernel: Answers, Daemon: Silent}
	if j := judge(b.node("node2"), w, b.s.world().timingOf(b.node("node2"))); j.state != NodeSilent || j.next == "" {
		t.Errorf("after a minute it is %+v", j)
	}
	w.Verdict = &Verdict{Kernel: Silent, Daemon: Silent}
	if j := judge(b.node("node2"), w, b.s.world().timingOf(b.node("node2"))); j.state != NodeLost {
		t.Errorf("a host whose kernel is silent is %+v", j)
	}
	b.up("node2", "node2-boot-1")
	if got, want := b.s.GraceOf("node2"), TimingFor("").SilentGrace; got != want {
		t.Errorf("after its next start the grace is %s, not %s", got, want)
	}
}

// For the sake of a service that waits for it, an announced silence is no longer than
// any other.
func TestAnAnnouncementDoesNotHoldAServiceUp(t *testing.T) {
	b := newBook(t, 3, "vm:web")
	b.must(DaemonStopping{Node: "node2", Incarnation: b.node("node2").Incarnation})
	service := b.service("vm:web")
	service.Intent = &Intent{Kind: IntentStart, Node: "node2"}
	b.s.Services.Set("vm:web", service)
	if got, want := b.s.GraceOf("node2"), TimingFor("").SilentGrace; got != want {
		t.Errorf("with a start under way there the grace is %s, not %s", got, want)
	}
}
