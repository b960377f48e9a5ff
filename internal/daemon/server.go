package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// longestWait bounds how long a question is kept open.
const longestWait = 30 * time.Second

type callerKey struct{}

// server answers the tools, on the UNIX socket and on the TLS port.
type server struct {
	daemon  *Daemon
	http    *http.Server
	sockets []net.Listener
	shares  *shares
}

func newServer(d *Daemon) *server { return &server{daemon: d, shares: newShares()} }

// handler answers one path; its error becomes an api.Failure.
type handler func(w http.ResponseWriter, r *http.Request, who caller) error

func startServer(ctx context.Context, d *Daemon, tools net.Listener) (*server, error) {
	node := d.options.Node
	local, err := listenLocally(node.SocketPath(), node.SocketGroup, pki.Role(node.SocketRole), d.logger)
	if err != nil {
		return nil, err
	}
	s := newServer(d)
	s.sockets = []net.Listener{local}
	s.http = &http.Server{
		Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, callerKey{}, callerOf(c))
		},
	}
	for _, listener := range []net.Listener{local, tools} {
		d.work.Go(func() {
			if err := s.http.Serve(listener); err != nil && ctx.Err() == nil && !errors.Is(err, http.ErrServerClosed) {
				d.fatal("the tools' interface failed: " + err.Error())
			}
		})
	}
	return s, nil
}

// close ends what the tools have under way; a second later, whatever it is.
func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	look := access{least: pki.RoleViewer}
	operate := access{least: pki.RoleOperator, body: operatorBody, kept: true}
	read := access{least: pki.RoleAdmin, kept: true}
	change := access{least: pki.RoleAdmin, body: operatorBody, kept: true}
	declare := access{least: pki.RoleAdmin, body: api.LargestBody, kept: true}
	join := access{join: true, body: joinBody, kept: true}
	for pattern, route := range map[string]struct {
		access access
		handle handler
	}{
		"GET " + api.PathStatus:             {look, s.status},
		"GET " + api.PathEvents:             {look, s.events},
		"POST " + api.PathRequests:          {operate, s.request},
		"GET " + api.PathRequests + "/{id}": {look, s.requestState},
		"GET " + api.PathConfig:             {read, s.config},
		"POST " + api.PathConfig:            {declare, s.configure},
		"GET " + api.PathHistory:            {read, s.history},
		"GET " + api.PathComparison:         {read, s.compareConfigs},
		"POST " + api.PathRollback:          {change, s.rollback},
		"POST " + api.PathTokens:            {change, s.token},
		"POST " + api.PathJoin:              {join, s.join},
		"POST " + api.PathNodes:             {operate, s.nodes},
		"POST " + api.PathKeys:              {change, s.keys},
		"POST " + api.PathImport:            {declare, s.importVM},
		"GET " + api.PathDoctor:             {access{least: pki.RoleAdmin}, s.doctor},
		"GET " + api.PathFence:              {look, s.fenceStatus},
		"GET " + api.PathFenceHistory:       {look, s.fenceHistory},
		"POST " + api.PathFence:             {change, s.fenceByHand},
		"GET " + api.PathBackup:             {read, s.backup},
		"GET " + api.PathDoor:               {access{least: pki.RoleAdmin, local: true}, s.door},
		"POST " + api.PathClient:            {change, s.client},
		"GET " + api.PathKeys:               {look, s.nodeKeys},
		"GET " + api.PathAlerts:             {look, s.alertList},
		"POST " + api.PathAlerts:            {change, s.alertTest},
		"GET " + api.PathLock:               {look, s.lockStatus},
		"GET " + api.PathAudit:              {read, s.auditTrail},

		"GET " + api.PathServices + "/{name}/why": {look, s.why},
		"GET " + api.PathView:                     {access{least: pki.RoleAdmin}, s.view},
		"GET " + api.PathNodes + "/{name}/plan":   {look, s.drainPlan},
		"GET " + api.PathLock + "/plan":           {look, s.haltPlan},
		"POST " + api.PathLock:                    {operate, s.lock},
	} {
		mux.HandleFunc(pattern, s.guard(route.access, route.handle))
	}
	return mux
}

// fail turns an error into a Failure with the code that the tools know.
func (s *server) fail(w http.ResponseWriter, err error) {
	var failure *refused
	var theirs api.Failure // another node's word, passed on as it is
	switch {
	case errors.As(err, &theirs):
		writeJSON(w, http.StatusConflict, theirs)
	case errors.As(err, &failure):
		writeJSON(w, failure.status, failure.Failure)
	case errors.Is(err, quorum.ErrNoLeader), errors.Is(err, quorum.ErrNotLeader):
		answerFailure(w, http.StatusServiceUnavailable, "no_leader", "Operation requires quorum: no leader is known to "+
			s.daemon.name+"; see clustat for the nodes")
	case errors.Is(err, quorum.ErrBusy):
		answerFailure(w, http.StatusServiceUnavailable, "busy", err.Error())
	case errors.Is(err, quorum.ErrUnfit):
		answerFailure(w, http.StatusConflict, "refused", err.Error())
	case errors.Is(err, quorum.ErrLogVolume):
		answerFailure(w, http.StatusServiceUnavailable, "log_volume", err.Error())
	case errors.Is(err, quorum.ErrOutcomeUnknown), errors.Is(err, quorum.ErrNotYetApplied),
		errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, quorum.ErrClosed):
		answerFailure(w, http.StatusServiceUnavailable, "outcome_unknown", "outcome unknown: "+err.Error())
	default:
		answerFailure(w, http.StatusInternalServerError, "failed", err.Error())
	}
}

// refused is an answer that says no.
type refused struct {
	status int
	api.Failure
}

func (r *refused) Error() string { return r.Message }

func refuse(status int, code, format string, args ...any) error {
	return &refused{status: status, Failure: api.Failure{Code: code, Message: fmt.Sprintf(format, args...)}}
}

func answerFailure(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, api.Failure{Code: code, Message: message})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if data, err := json.Marshal(value); err == nil {
		_, _ = w.Write(append(message.Show(data), '\n'))
	}
}

func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "bad_request", "the request cannot be read: %v", err)
	}
	return nil
}

// noNode refuses a name that no node has, and asks whether another was meant.
// Nothing is ever done to a guess.
func noNode(root *cluster.State, name string) error {
	if meant := nearest.Word(name, root.Nodes.Keys()); meant != "" {
		return refuse(http.StatusNotFound, "unknown_node", "there is no node %s. Did you mean '%s'?", name, meant)
	}
	return refuse(http.StatusNotFound, "unknown_node", "there is no node %s", name)
}
