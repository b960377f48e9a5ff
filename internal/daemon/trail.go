package daemon

import (
	"context"
	"errors"
	"fmt"
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
)

// trail is the daemon's audit trail, and the brakes on what is added to it: what failed counts by
// the kind of caller, of administrators by the person, and what was done by the person, so that
// nobody pushes out what was done, nor hides what another kind of caller is refused.
type trail struct {
	*audit.Trail
	brakes audit.Brakes
}

func openTrail(folder membership.Folder, node string) (*trail, error) {
	opened, err := audit.Open(filepath.Join(string(folder), "audit"), node)
	if err != nil {
		return nil, err
	}
	return &trail{Trail: opened}, nil
}

func (d *Daemon) keepTrail(ctx context.Context) {
	if err := d.replica.steps.Tell(d.keepStep); err != nil {
		d.logger.Warn("the audit trail does not have who stepped over entries of the log", "error", err)
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	var telling sync.WaitGroup
	defer telling.Wait()
	telling.Go(func() {
		defer end() // the trail is written until the number of what was left out is in it
		for sleep.For(ctx, audit.Window) {
			for _, e := range d.trail.brakes.Due(time.Now()) {
				d.write(e)
			}
		}
		for _, e := range d.trail.brakes.Rest() {
			d.write(e)
		}
	})
	d.trail.Run(running, func(err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		d.warnings.Set("audit trail", text)
	})
}

// keepStep puts into the audit trail whose word it was to step over an entry on this node: the
// timeline, which is the same everywhere, cannot tell. The word was typed while no daemon ran.
func (d *Daemon) keepStep(step membership.Step) {
	d.keep(audit.Entry{Who: step.By, From: "this host", Result: "ok", Act: fmt.Sprintf("step over log entry %d (%s), "+
		"by clusterd recover at %s", step.Index, step.Name, step.At.Format(time.RFC3339))}, "")
}

// keep adds to the trail and to the log. What may be left out where there is too much of it comes
// with the kind of caller whose it is.
func (d *Daemon) keep(e audit.Entry, braked limits.Kind) {
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
		if e, written = d.trail.brakes.Pass(kind, person, e); !written {
			return
		}
	}
	d.write(e)
}

func (d *Daemon) write(e audit.Entry) {
	d.trail.Note(e)
	d.logger.Info("audit", "who", e.Who, "from", e.From, "act", e.Act, "result", e.Result, "and_more_like_it", e.More)
}

// refusedPeer is told by the TLS port of a peer that was sent away.
func (d *Daemon) refusedPeer(remote, protocol string, reason error) {
	d.noteKnock(remote, reason)
	act := "connect for " + strconv.Quote(protocol)
	d.keep(audit.Entry{Who: "somebody", From: remote, Act: act, Result: "refused: " + reason.Error()}, limits.Strangers)
}

// refusedMove is told by the forwarder of somebody who was sent away at the port of live moves.
func (d *Daemon) refusedMove(r tunnel.Refusal) {
	count := max(r.Count, 1)
	who, kind := "somebody", limits.Strangers
	if r.Node != "" {
		who, kind = "node "+r.Node, limits.Nodes
	}
	switch r.Knock {
	case tunnel.KnockBarred:
		d.knocks.NoteMany(r.From, knocks.Barred, uint64(count), time.Now())
	case tunnel.KnockUnknown:
		d.knocks.NoteMany(r.From, knocks.Key, uint64(count), time.Now())
	}
	d.keep(audit.Entry{Who: who, From: r.From, Act: r.Act, Result: "refused: " + r.Reason, More: count - 1}, kind)
}

// refusedMonitor is told of somebody with a certificate who was not let read metrics.
func (d *Daemon) refusedMonitor(remote string, reason error) {
	d.noteKnock(remote, reason)
	d.keep(audit.Entry{Who: "somebody", From: limits.Network(remote), Act: "read the metrics",
		Result: "refused: " + reason.Error()}, limits.Monitors)
}

// noteKnock remembers whom nobody knows here. Who is turned away for want of room, or came for a
// protocol that is not served, is no stranger by that.
func (d *Daemon) noteKnock(remote string, reason error) {
	switch {
	case errors.Is(reason, pki.ErrRemoved):
		d.knocks.Note(remote, knocks.Barred, time.Now())
	case errors.Is(reason, pki.ErrStranger), errors.Is(reason, pki.ErrOtherCluster),
		errors.Is(reason, pki.ErrCertificateDates):
		d.knocks.Note(remote, knocks.Key, time.Now())
	}
}
