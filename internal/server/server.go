package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/pki"
)

// longestWait bounds how long a question is kept open.
const longestWait = 30 * time.Second

// Options are what a server is made from beside the daemon.
type Options struct {
	Node nodefile.Node
	// Address is where the other nodes reach this one.
	Address string
	Logger  *slog.Logger
}

// Server answers the tools, on the UNIX socket and on the TLS port.
type Server struct {
	daemon  Daemon
	options Options
	name    string
	http    *http.Server
	shares  *shares

	reserves reserves
}

// New makes a server. Nothing is served before Listen.
func New(d Daemon, options Options) *Server {
	return &Server{daemon: d, options: options, name: options.Node.Name, shares: newShares()}
}

// handler answers one path; its error becomes an api.Failure.
type handler func(w http.ResponseWriter, r *http.Request, who Caller) error

// Listen opens the tools' socket. Requests end with the context.
func (s *Server) Listen(ctx context.Context) (net.Listener, error) {
	node := s.options.Node
	local, err := listenLocally(node.SocketPath(), node.SocketGroup, pki.Role(node.SocketRole), s.options.Logger)
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return WithCaller(ctx, callerOf(c)) },
	}
	return local, nil
}

// Serve answers what comes by a listener until Close, after Listen. It returns why it could not go
// on.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close ends what the tools have under way; a second later, whatever it is.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}

// Handler answers requests whose context carries who asks (WithCaller).
func (s *Server) Handler() http.Handler {
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
		"GET " + api.PathMoves:              {look, s.moves},
		"GET " + api.PathMetrics:            {look, s.metrics},
		"POST " + api.PathForesight:         {access{least: pki.RoleOperator, body: questionBody}, s.foresight},
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
		"POST " + api.PathPage:              {access{least: pki.RoleViewer, local: true, kept: true}, s.invite},
		"POST " + api.PathPageLogout:        {access{least: pki.RoleAdmin, local: true, kept: true}, s.endVisits},

		"GET " + api.PathServices + "/{name}/why": {look, s.why},
		"GET " + api.PathView:                     {access{least: pki.RoleAdmin}, s.view},
		"GET " + api.PathNodes + "/{name}/plan":   {look, s.drainPlan},
		"GET " + api.PathLock + "/plan":           {look, s.haltPlan},
		"GET " + api.PathWhatIf:                   {look, s.whatIf},
		"POST " + api.PathWhatIf:                  {access{least: pki.RoleAdmin, body: api.LargestBody}, s.whatIfDocument},
		"GET " + api.PathReserve:                  {look, s.reserve},
		"POST " + api.PathLock:                    {operate, s.lock},
	} {
		mux.HandleFunc(pattern, s.guard(route.access, route.handle))
	}
	return mux
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
