package rules

import (
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// StopGrace is how long an announced silence may last.
func (w *World) StopGrace() time.Duration {
	if grace := w.Document.StopGrace; grace > 0 {
		return grace
	}
	return cluster.DefaultStopGrace
}

// TimingOf are the waits by which one node is judged: a silence that was announced
// has its own grace.
func (w *World) TimingOf(n cluster.Member) cluster.Timing {
	timing := cluster.TimingFor(w.Document.Timing)
	if n.Stopped && w.waitsForDaemon(n) == "" {
		timing.SilentGrace = max(timing.SilentGrace, w.StopGrace())
	}
	return timing
}

// waitsForDaemon names a service that cannot go on before the daemon of a node is back: one
// with an act under way there, or one that has failed there and is to be recovered.
// For its sake the announced silence is no longer than any other. Only nodes whose
// daemon was stopped are asked about.
func (w *World) waitsForDaemon(n cluster.Member) string {
	for _, service := range w.Services.Rows() {
		_, held := service.Holder(n.Name)
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
func GraceOf(s *cluster.State, node string) time.Duration {
	n, _ := s.Nodes.Get(node)
	return Of(s).TimingOf(n).SilentGrace
}
