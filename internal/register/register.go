// Package register writes down what was done on a node and who was turned away: the audit trail,
// with the brakes that keep it readable, and the book of knocks that status shows.
package register

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/audit"
	"github.com/clusterd/clusterd/internal/knocks"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/internal/tunnel"
	"github.com/clusterd/clusterd/internal/warnings"
)

// Register is the audit trail of a node, the brakes on what is added to it, and a book of who
// knocked in vain. What failed counts by the kind of caller, of administrators by the person, and
// what was done by the person, so that nobody pushes out what was done, nor hides what another kind
// of caller is refused.
type Register struct {
	trail    *audit.Trail
	brakes   audit.Brakes
	knocks   knocks.Book
	logger   *slog.Logger
	warnings *warnings.Book
}

// Open continues the register of a node in its data folder, or begins one.
func Open(folder membership.Folder, node string, logger *slog.Logger, warnings *warnings.Book) (*Register, error) {
	opened, err := audit.Open(filepath.Join(string(folder), "audit"), node)
	if err != nil {
		return nil, err
	}
	return &Register{trail: opened, logger: logger, warnings: warnings}, nil
}

// Read returns at most so many entries behind a sequence number, and whether there are more.
func (r *Register) Read(after uint64, most int) (entries []audit.Entry, more bool, err error) {
	return r.trail.Read(after, most)
}

// Knocks are who knocked in vain of late, in words.
func (r *Register) Knocks(now time.Time) []string { return r.knocks.Texts(now) }

// Run writes the trail down until the context ends, and what was left out by then.
func (r *Register) Run(ctx context.Context) {
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	var telling sync.WaitGroup
	defer telling.Wait()
	telling.Go(func() {
		defer end() // the trail is written until the number of what was left out is in it
		for sleep.For(ctx, audit.Window) {
			for _, e := range r.brakes.Due(time.Now()) {
				r.write(e)
			}
		}
		for _, e := range r.brakes.Rest() {
			r.write(e)
		}
	})
	r.trail.Run(running, func(err error) {
		r.warnings.SetError("audit trail", err)
	})
}

// KeepStep puts into the audit trail whose word it was to step over an entry on this node: the
// timeline, which is the same everywhere, cannot tell. The word was typed while no daemon ran.
func (r *Register) KeepStep(step membership.Step) {
	r.Keep(audit.Entry{Who: step.By, From: "this host", Result: "ok", Act: fmt.Sprintf("step over log entry %d (%s), "+
		"by clusterd recover at %s", step.Index, step.Name, step.At.Format(time.RFC3339))}, "")
}

// Keep adds to the trail and to the log. What may be left out where there is too much of it comes
// with the kind of caller whose it is.
func (r *Register) Keep(e audit.Entry, braked limits.Kind) {
	e.At = time.Now()
	if braked != "" {
		kind, person := string(braked)+" refused", ""
		switch {
		case e.Result == api.ResultOK:
			kind, person = string(braked), e.Who
		case braked == limits.Root, braked == limits.Admins:
			person = e.Who // a program that fails all day hides no person's failures
		}
		var written bool
		if e, written = r.brakes.Pass(kind, person, e); !written {
			return
		}
	}
	r.write(e)
}

func (r *Register) write(e audit.Entry) {
	r.trail.Note(e)
	r.logger.Info("audit", "who", e.Who, "from", e.From, "act", e.Act, "result", e.Result, "and_more_like_it", e.More)
}

// RefusedPeer is told by the TLS port of a peer that was sent away.
func (r *Register) RefusedPeer(remote, protocol string, reason error) {
	r.noteKnock(remote, reason)
	act := "connect for " + strconv.Quote(protocol)
	r.Keep(audit.Entry{Who: "somebody", From: remote, Act: act, Result: "refused: " + reason.Error()}, limits.Strangers)
}

// RefusedMove is told by the forwarder of somebody who was sent away at the port of live moves.
func (r *Register) RefusedMove(one tunnel.Refusal) {
	count := max(one.Count, 1)
	who, kind := "somebody", limits.Strangers
	if one.Node != "" {
		who, kind = "node "+one.Node, limits.Nodes
	}
	switch one.Knock {
	case tunnel.KnockBarred:
		r.knocks.NoteMany(one.From, knocks.Barred, uint64(count), time.Now())
	case tunnel.KnockUnknown:
		r.knocks.NoteMany(one.From, knocks.Key, uint64(count), time.Now())
	}
	r.Keep(audit.Entry{Who: who, From: one.From, Act: one.Act, Result: "refused: " + one.Reason, More: count - 1}, kind)
}

// RefusedMonitor is told of somebody with a certificate who was not let read metrics.
func (r *Register) RefusedMonitor(remote string, reason error) {
	r.noteKnock(remote, reason)
	r.Keep(audit.Entry{Who: "somebody", From: limits.Network(remote), Act: "read the metrics",
		Result: "refused: " + reason.Error()}, limits.Monitors)
}

// noteKnock remembers whom nobody knows here. Who is turned away for want of room, or came for a
// protocol that is not served, is no stranger by that.
func (r *Register) noteKnock(remote string, reason error) {
	switch {
	case errors.Is(reason, pki.ErrRemoved):
		r.knocks.Note(remote, knocks.Barred, time.Now())
	case errors.Is(reason, pki.ErrStranger), errors.Is(reason, pki.ErrOtherCluster),
		errors.Is(reason, pki.ErrCertificateDates):
		r.knocks.Note(remote, knocks.Key, time.Now())
	}
}

// GuessedToken remembers from where a token was shown that is none.
func (r *Register) GuessedToken(from string) { r.knocks.Note(from, knocks.Token, time.Now()) }
