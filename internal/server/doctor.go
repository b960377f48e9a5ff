package server

import (
	"context"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

// doctorLimit bounds the examination of one node.
const doctorLimit = 8 * time.Second

// doctor examines this node and, unless it was asked by one, all others.
func (s *Server) doctor(w http.ResponseWriter, r *http.Request, who Caller) error {
	if who.Kind != pki.KindNode {
		s.awaitFirstChecks(r.Context())
	}
	ctx, cancel := context.WithTimeout(r.Context(), doctorLimit)
	defer cancel()
	report := api.Report{At: time.Now(), Findings: s.daemon.Examine(ctx)}
	if who.Kind != pki.KindNode {
		report.Findings = append(report.Findings, s.daemon.ExamineOthers(ctx)...)
	}
	writeJSON(w, http.StatusOK, report)
	return nil
}

// firstCheckPatience is how long a look at the cluster waits for devices that were
// declared just now: the leader asks them at once, and a BMC takes its time.
const firstCheckPatience = 8 * time.Second

func (s *Server) awaitFirstChecks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstCheckPatience)
	defer cancel()
	for {
		root, missing := s.daemon.Root(), false
		for device := range root.Document.Devices {
			missing = missing || !root.Checks.Has(device)
		}
		if !missing || s.daemon.Leader() == "" || !sleep.For(ctx, heldPause) {
			return
		}
	}
}
