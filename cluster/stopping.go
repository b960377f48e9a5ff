package cluster

import (
	"fmt"
	"time"

	"github.com/clusterd/clusterd/resources"
)

// DefaultStopGrace is how long a daemon that was stopped on purpose is waited for
// where the document says nothing: long enough for the upgrade of a package.
const DefaultStopGrace = 10 * time.Minute

// DaemonStopping announces that the daemon of a node is about to end because
// somebody asked it to: a restart, an upgrade, work by hand. Its guests run on. It
// is the last command of that incarnation.
type DaemonStopping struct {
	Node        string `json:"node"`
	Incarnation uint64 `json:"incarnation"`
}

// Kind is the word that names the command in the log.
func (DaemonStopping) Kind() string { return "daemon-stopping" }

// apply takes the node out of work at once, and remembers until its next NodeUp
// that its silence was announced. Nothing is released: what runs there is held.
func (t *transaction) applyDaemonStopping(c DaemonStopping) refusal {
	n, known := t.Nodes.Get(c.Node)
	switch {
	case !known || n.Incarnation != c.Incarnation:
		return refuse("the announcement is from an older incarnation of %s", c.Node)
	case n.Stopped:
		return accepted
	case !n.Reachable() && n.State != NodeLooking && !n.stalled():
		return refuse("%s is %s", c.Node, n.State)
	}
	n.Stopped = true
	if !n.stalled() {
		n.Before = n.State
	}
	n.LastHeard = t.at
	t.setNodeState(n, NodeSilent, "", fmt.Sprintf("clusterd was stopped there on purpose; it has %s to come back",
		t.stopGrace()))
	t.releaseHeld()
	return accepted
}

// stoppedOnPurpose reports whether a node is silent because that was announced, and so runs on.
func (n Member) stoppedOnPurpose() bool { return n.State == NodeSilent && n.Stopped }

// stopGrace is how long an announced silence may last.
func (w *World) stopGrace() time.Duration {
	if grace := w.Document.StopGrace; grace > 0 {
		return grace
	}
	return DefaultStopGrace
}

// timingOf are the waits by which one node is judged: a silence that was announced
// has its own grace.
func (w *World) timingOf(n Member) Timing {
	timing := TimingFor(w.Document.Timing)
	if n.Stopped && w.waitsForDaemon(n) == "" {
		timing.SilentGrace = max(timing.SilentGrace, w.stopGrace())
	}
	return timing
}

// waitsForDaemon names a service that cannot go on before the daemon of a node is back: one
// with an act under way there, or one that has failed there and is to be recovered.
// For its sake the announced silence is no longer than any other. Only nodes whose
// daemon was stopped are asked about.
func (w *World) waitsForDaemon(n Member) string {
	for _, service := range w.Services.Rows() {
		_, held := service.holder(n.Name)
		switch {
		case service.Intent != nil && (service.Intent.Node == n.Name || service.Intent.Target == n.Name):
			return service.Spec.Name
		case service.State == resources.Recoverable && held:
			return service.Spec.Name
		}
	}
	return ""
}

// GraceOf is how long the daemon of a node may be silent while its kernel answers.
func (s *State) GraceOf(node string) time.Duration {
	n, _ := s.Nodes.Get(node)
	return s.world().timingOf(n).SilentGrace
}

// daemonSilent judges a node whose kernel answers and whose daemon does not, within
// its grace.
func daemonSilent(n Member, w Contactwatch, timing Timing) judgement {
	left := (timing.SilentGrace - w.KernelOnly).Round(time.Second)
	j := judgement{state: NodeSilent, next: "systemctl start clusterd on " + n.Name}
	if n.Stopped {
		j.why = fmt.Sprintf("clusterd was stopped on %s on purpose; its kernel answers (%s)", n.Name, w.Verdict.Why)
		j.wait = fmt.Sprintf("clusterd was stopped on purpose; unless it is back in %s, %s is fenced and what runs there "+
			"starts elsewhere", left, n.Name)
		return j
	}
	j.why = fmt.Sprintf("the kernel of %s answers, its daemon has been silent for %s (%s)", n.Name,
		w.Silence.Round(10*time.Millisecond), w.Verdict.Why)
	j.wait = fmt.Sprintf("clusterd does not answer; unless it does in %s, %s is fenced and what runs there starts "+
		"elsewhere", left, n.Name)
	return j
}

// outOfGrace says why a node is lost whose kernel answers.
func outOfGrace(n Member, w Contactwatch, timing Timing) string {
	if n.Stopped {
		return fmt.Sprintf("clusterd was stopped on %s on purpose and did not come back within %s (%s)", n.Name,
			timing.SilentGrace, w.Verdict.Why)
	}
	return fmt.Sprintf("the daemon of %s stayed silent for %s although its kernel answers (%s)", n.Name,
		timing.SilentGrace, w.Verdict.Why)
}
