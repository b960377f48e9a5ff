package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/audit"
	"github.com/clusterd/clusterd/internal/knocks"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
)

// mostRefusals is how many refusals per window the audit trail has lines for; of more it has the
// number, so that whoever knocks cannot push out what was done.
const (
	mostRefusals   = 20
	refusalsWindow = 10 * time.Second
)

// trail is the daemon's audit trail, and the brake on what strangers add to it.
type trail struct {
	*audit.Trail
	refusals limits.Quiet
}

func openTrail(folder membership.Folder, node string) (*trail, error) {
	opened, err := audit.Open(filepath.Join(string(folder), "audit"), node)
	if err != nil {
		return nil, err
	}
	return &trail{Trail: opened, refusals: limits.Quiet{Most: mostRefusals, Window: refusalsWindow}}, nil
}

func (d *Daemon) keepTrail(ctx context.Context) {
	d.trail.Run(ctx, func(err error) {
		text := ""
		if err != nil {
			text = err.Error()
		}
		d.warnings.set("audit trail", text)
	})
}

// audit writes down who did what, and whom it was refused. The same line goes to the log.
func (s *server) audit(who caller, r *http.Request, a access, err error) {
	act := r.Method + " " + r.URL.Path
	if who.told != nil && *who.told != "" {
		act = *who.told
	}
	refusal := who.told == nil || a.join && err != nil
	if !refusal && (!a.kept || act == notKept) {
		return
	}
	s.daemon.keep(audit.Entry{Who: nameFor(who), From: who.from, Act: act, Result: resultOf(err)}, refusal)
}

// notKept is the act of a request that turned out to change nothing.
const notKept = "nothing"

func nameFor(who caller) string {
	if who.Name == "" {
		return "somebody"
	}
	return who.Name
}

func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	return "refused: " + err.Error()
}

// keep adds to the trail and to the log.
func (d *Daemon) keep(e audit.Entry, refusal bool) {
	now := time.Now()
	if refusal {
		unsaid, tell := d.trail.refusals.Tell(now)
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
	d.keep(audit.Entry{Who: "somebody", From: remote, Act: act, Result: resultOf(reason)}, true)
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

// noteGuess remembers who showed a token that is none. A node that passes one on is no stranger.
func (d *Daemon) noteGuess(ctx context.Context, who caller) {
	if ctx.Err() == nil && who.kind == pki.KindJoiner {
		d.knocks.Note(who.from, knocks.Token, time.Now())
	}
}

// mostEntries is how many entries of the trail one answer has.
const mostEntries = 2000

// auditTrail sends the entries behind ?after=.
func (s *server) auditTrail(w http.ResponseWriter, r *http.Request, who caller) error {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	if err != nil && r.URL.Query().Get("after") != "" {
		return refuse(http.StatusBadRequest, "bad_request", "after: %v", err)
	}
	node := r.URL.Query().Get("node")
	who.about("read the audit trail of %s", cmp.Or(node, s.daemon.name))
	if after > 0 {
		who.about(notKept) // it goes on with what it began to read
	}
	var reply api.AuditTrail
	if node == "" || node == s.daemon.name {
		reply.Node = s.daemon.name
		reply.Entries, reply.More, err = s.daemon.trail.Read(after, mostEntries)
	} else {
		reply, err = s.trailOf(r.Context(), node, after)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// trailOf asks another node for its trail.
func (s *server) trailOf(ctx context.Context, node string, after uint64) (reply api.AuditTrail, err error) {
	root := s.daemon.replica.Root()
	n, known := root.Nodes.Get(node)
	if !known {
		return reply, noNode(root, node)
	}
	path := fmt.Sprintf("%s?after=%d", api.PathAudit, after)
	var theirs api.Failure
	err = s.daemon.ask(ctx, node, n.Address, http.MethodGet, path, nil, &reply)
	if err != nil && !errors.As(err, &theirs) {
		return reply, refuse(http.StatusBadGateway, "unreachable", "%s could not be asked for its audit trail: %v", node, err)
	}
	return reply, err
}
