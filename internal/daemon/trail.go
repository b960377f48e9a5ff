package daemon

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/internal/audit"
	"github.com/clusterd/clusterd/internal/knocks"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
)

// mostRefusals is how many refusals of one kind of caller per window the audit trail has lines for;
// of more it has the number, so that whoever knocks cannot push out what was done, nor hide the
// refusals of another kind.
const (
	mostRefusals   = 20
	refusalsWindow = 10 * time.Second
)

// trail is the daemon's audit trail, and the brakes on what those add to it who are refused.
type trail struct {
	*audit.Trail
	refusals map[limits.Kind]*limits.Quiet
}

func openTrail(folder membership.Folder, node string) (*trail, error) {
	opened, err := audit.Open(filepath.Join(string(folder), "audit"), node)
	if err != nil {
		return nil, err
	}
	t := &trail{Trail: opened, refusals: map[limits.Kind]*limits.Quiet{}}
	for _, kind := range limits.Kinds() {
		t.refusals[kind] = &limits.Quiet{Most: mostRefusals, Window: refusalsWindow}
	}
	return t, nil
}

func (d *Daemon) keepTrail(ctx context.Context) {
	if err := d.tellSteps(); err != nil {
		d.logger.Warn("the audit trail does not have who stepped over entries of the log", "error", err)
	}
	d.trail.Run(ctx, func(err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		d.warnings.set("audit trail", text)
	})
}

// keep adds to the trail and to the log. Of a refusal it is told whose.
func (d *Daemon) keep(e audit.Entry, refused limits.Kind) {
	now := time.Now()
	if refused != "" {
		brake := cmp.Or(d.trail.refusals[refused], d.trail.refusals[limits.Strangers])
		unsaid, tell := brake.Tell(now)
		if !tell {
			return
		}
		e.More = unsaid
	}
	e.At = now
	d.trail.Note(e)
	d.logger.Info("audit", "who", e.Who, "from", e.From, "act", e.Act, "result", e.Result, "and_more_like_it", e.More)
}

// refusedPeer is told by the TLS port of a peer that was sent away.
func (d *Daemon) refusedPeer(remote, protocol string, reason error) {
	d.noteKnock(remote, reason)
	act := "connect for " + strconv.Quote(protocol)
	d.keep(audit.Entry{Who: "somebody", From: remote, Act: act, Result: "refused: " + reason.Error()}, limits.Strangers)
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
