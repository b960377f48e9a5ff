package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// largestBody bounds what a request may carry; a document with its definitions
// is the largest.
const largestBody = 16 << 20

// longestWait bounds how long a question is kept open.
const longestWait = 30 * time.Second

// caller is who asks.
type caller struct {
	// Name goes into the timeline: "root", "node node2", "admin alice".
	Name   string
	kind   pki.Kind
	admin  bool
	socket bool
}

type callerKey struct{}

// server answers the tools, on the UNIX socket and on the TLS port.
type server struct {
	daemon  *Daemon
	http    *http.Server
	sockets []net.Listener
}

// handler answers one path; its error becomes an api.Failure.
type handler func(w http.ResponseWriter, r *http.Request, who caller) error

func startServer(ctx context.Context, d *Daemon, tools net.Listener) (*server, error) {
	path := d.options.Node.SocketPath()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the tools' socket: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	local, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for the tools: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil { // who may what is decided by peer credentials
		return nil, err
	}
	s := &server{daemon: d, sockets: []net.Listener{local}}
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

func (s *server) close() {
	if s.http == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
}

// callerOf says who is at the other end: by the kernel's word on the socket, by
// the certificate on the TLS port.
func callerOf(c net.Conn) caller {
	switch conn := c.(type) {
	case *net.UnixConn:
		return localCaller(conn)
	case *pki.Conn:
		peer := conn.Peer()
		return caller{Name: peer.String(), kind: peer.Kind, admin: peer.Kind == pki.KindNode || peer.Role == pki.RoleAdmin}
	}
	return caller{kind: pki.KindJoiner}
}

func localCaller(conn *net.UnixConn) caller {
	who := caller{Name: "somebody", kind: pki.KindClient, socket: true}
	raw, err := conn.SyscallConn()
	if err != nil {
		return who
	}
	_ = raw.Control(func(fd uintptr) {
		credentials, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return
		}
		who.admin = credentials.Uid == 0 || int(credentials.Uid) == os.Geteuid()
		who.Name = userName(credentials.Uid)
	})
	return who
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	look, change, join := access{}, access{admin: true}, access{joiner: true}
	for pattern, route := range map[string]struct {
		access access
		handle handler
	}{
		"GET " + api.PathStatus:             {look, s.status},
		"GET " + api.PathEvents:             {look, s.events},
		"POST " + api.PathRequests:          {change, s.request},
		"GET " + api.PathRequests + "/{id}": {look, s.requestState},
		"GET " + api.PathConfig:             {change, s.config},
		"POST " + api.PathConfig:            {change, s.configure},
		"GET " + api.PathHistory:            {change, s.history},
		"GET " + api.PathComparison:         {change, s.compareConfigs},
		"POST " + api.PathRollback:          {change, s.rollback},
		"POST " + api.PathTokens:            {change, s.token},
		"POST " + api.PathJoin:              {join, s.join},
		"POST " + api.PathNodes:             {change, s.nodes},
		"POST " + api.PathImport:            {change, s.importVM},
		"GET " + api.PathDoctor:             {change, s.doctor},
		"GET " + api.PathFence:              {look, s.fenceStatus},
		"GET " + api.PathFenceHistory:       {look, s.fenceHistory},
		"POST " + api.PathFence:             {change, s.fenceByHand},
		"GET " + api.PathBackup:             {change, s.backup},
		"GET " + api.PathDoor:               {access{admin: true, local: true}, s.door},
		"POST " + api.PathClient:            {change, s.client},
		"GET " + api.PathAlerts:             {look, s.alertList},
		"POST " + api.PathAlerts:            {change, s.alertTest},
		"GET " + api.PathLock:               {look, s.lockStatus},

		"GET " + api.PathServices + "/{name}/why": {look, s.why},
		"GET " + api.PathNodes + "/{name}/plan":   {look, s.drainPlan},
		"GET " + api.PathLock + "/plan":           {look, s.haltPlan},
		"POST " + api.PathLock:                    {change, s.lock},
	} {
		mux.HandleFunc(pattern, s.guard(route.access, route.handle))
	}
	return mux
}

// access says who may ask.
type access struct{ admin, joiner, local bool }

func (s *server) guard(a access, handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, _ := r.Context().Value(callerKey{}).(caller)
		switch {
		case who.kind == pki.KindJoiner && !a.joiner,
			a.admin && !who.admin,
			a.local && !who.socket:
			answerFailure(w, http.StatusForbidden, "permission_denied", "Permission denied: this needs root on the node, or an administrator's certificate")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, largestBody)
		if err := handle(w, r, who); err != nil {
			s.fail(w, err)
		}
	}
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
		answerFailure(w, http.StatusServiceUnavailable, "no_leader", "Operation requires quorum: no leader is known to "+s.daemon.name+"; see clustat for the nodes")
	case errors.Is(err, quorum.ErrBusy):
		answerFailure(w, http.StatusServiceUnavailable, "busy", err.Error())
	case errors.Is(err, quorum.ErrLogVolume):
		answerFailure(w, http.StatusServiceUnavailable, "log_volume", err.Error())
	case errors.Is(err, quorum.ErrOutcomeUnknown), errors.Is(err, quorum.ErrNotYetApplied), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, quorum.ErrClosed):
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
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refuse(http.StatusBadRequest, "bad_request", "the request cannot be read: %v", err)
	}
	return nil
}
