package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// audit writes down who did what, and whom it was refused. The same line goes to the log.
func (s *Server) audit(who Caller, r *http.Request, a access, err error) {
	act := r.Method + " " + r.URL.Path
	if who.told != nil && *who.told != "" {
		act = *who.told
	}
	refusal := who.told == nil || a.join && err != nil
	if !refusal && (!a.kept || act == notKept) {
		return
	}
	braked := brakeOf(who)
	if err == nil && (who.Role == pki.RoleAdmin || a.join) {
		braked = "" // what was done with every power, or let somebody in, is never left out
	}
	begun := who.told != nil && *who.told != "" && !errors.Is(err, quorum.ErrClosed)
	if outcomeUnknown(err) && who.Role == pki.RoleAdmin && !refusal && begun {
		braked = "" // it may have been done
	}
	s.daemon.Keep(api.AuditEntry{Who: nameFor(who), From: who.From, Act: act, Result: resultOf(err)}, braked)
}

// brakeOf is the kind of caller on whose brake one counts. Who knocks at the page, or shows tokens,
// hides nobody who shows a certificate.
func brakeOf(who Caller) limits.Kind {
	switch who.Kind {
	case pki.KindVisitor:
		return limits.Visitors
	case pki.KindNode, pki.KindClient:
		return who.Share()
	}
	return limits.Joiners
}

// notKept is the act of a request that turned out to change nothing.
const notKept = "nothing"

func nameFor(who Caller) string {
	if who.Name == "" {
		return "somebody"
	}
	return who.Name
}

func resultOf(err error) string {
	if err == nil {
		return api.ResultOK
	}
	if outcomeUnknown(err) {
		return api.ResultUnknown + strings.TrimPrefix(err.Error(), api.ResultUnknown)
	}
	return "refused: " + err.Error()
}

// mostEntries is how many entries of the trail one answer has.
const mostEntries = 2000

// auditTrail sends the entries behind ?after=.
func (s *Server) auditTrail(w http.ResponseWriter, r *http.Request, who Caller) error {
	after, err := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	if err != nil && r.URL.Query().Get("after") != "" {
		return Refuse(http.StatusBadRequest, "bad_request", "after: %v", err)
	}
	node := r.URL.Query().Get("node")
	passedOn := r.URL.Query().Get("by")
	who.about("read the audit trail of %s%s", cmp.Or(node, s.name), who.behind(passedOn))
	if after > 0 {
		who.about(notKept) // it goes on with what it began to read
	}
	var reply api.AuditTrail
	if node == "" || node == s.name {
		reply.Node = s.name
		reply.Entries, reply.More, err = s.daemon.Entries(after, mostEntries)
	} else {
		reply, err = s.trailOf(r.Context(), node, after, who.by(passedOn))
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// trailOf asks another node for its trail, and says for whom.
func (s *Server) trailOf(ctx context.Context, node string, after uint64, by string) (reply api.AuditTrail, err error) {
	root := s.daemon.Root()
	n, known := root.Nodes.Get(node)
	if !known {
		return reply, noNode(root, node)
	}
	query := url.Values{"after": {strconv.FormatUint(after, 10)}, "by": {by}}
	path := api.PathAudit + "?" + query.Encode()
	var theirs api.Failure
	err = s.daemon.Ask(ctx, node, n.Address, http.MethodGet, path, nil, &reply)
	if err != nil && !errors.As(err, &theirs) {
		return reply, Refuse(http.StatusBadGateway, "unreachable", "%s could not be asked for its audit trail: %v", node, err)
	}
	return reply, err
}
