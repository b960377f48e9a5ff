package metrics

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/lobby"
)

// Path is where they are served.
const Path = "/metrics"

// Bounds of a listener for monitoring systems, of which there are few: connections of which it is
// not known yet whose they are, with those of one address, connections of those who may measure,
// with those of one certificate, and how often strangers of one address may come, a second and at
// once.
const (
	mostStrangers  = 32
	ofOneAddress   = 8
	mostMonitors   = 32
	ofOneMonitor   = 8
	strangersRate  = 5
	strangersBurst = 30
)

const (
	answerPatience = 10 * time.Second
	idlePatience   = 2 * time.Minute
)

// Listen opens IP:PORT: in the clear on a loopback address, behind the door everywhere else.
func Listen(address string, door *tls.Config, logger *slog.Logger) (net.Listener, error) {
	endpoint, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen for a monitoring system: %w", err)
	}
	local := endpoint.Addr().Unmap().IsLoopback()
	if !local && door == nil {
		return nil, fmt.Errorf("listen for a monitoring system on %s: only a loopback address goes without TLS", address)
	}
	plain, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for a monitoring system: %w", err)
	}
	if local {
		// All of this host share an address, and nobody has to show who he is.
		return lobby.New(plain, lobby.Bounds{Strangers: lobby.Share{Most: mostStrangers, Each: mostStrangers}}), nil
	}
	lines := newLines(logger)
	return tls.NewListener(lobby.New(plain, lobby.Bounds{
		Strangers: lobby.Share{Most: mostStrangers, Each: ofOneAddress},
		Guests:    map[limits.Kind]lobby.Share{limits.Monitors: {Most: mostMonitors, Each: ofOneMonitor}},
		Rate:      strangersRate, Burst: strangersBurst,
		Refused: func(from string) { lines.tell("too many connections came from " + from + ", and one was not taken") },
	}), door), nil
}

// lines are what the log is told of strangers: of a flood the first few, and then how many more.
type lines struct {
	log   *slog.Logger
	quiet limits.Quiet
}

func newLines(logger *slog.Logger) *lines {
	return &lines{log: logger, quiet: limits.Quiet{Most: 10, Window: 10 * time.Second}}
}

func (l *lines) tell(what string) {
	unsaid, tell := l.quiet.Tell(time.Now())
	if tell {
		l.log.Warn("the port for monitoring systems: "+what, "and_more_like_it", unsaid)
	}
}

// Write implements io.Writer, for what net/http has to say.
func (l *lines) Write(text []byte) (int, error) {
	l.tell(strings.TrimSpace(string(text)))
	return len(text), nil
}

// Server answers monitoring systems, and nobody else.
type Server struct{ http *http.Server }

// NewServer makes one. may is asked at each request, since who was let in once may be so no longer.
// It says who asks: the holder of the connection's place, empty for one in the clear.
func NewServer(m *Metrics, may func(*http.Request) (holder string, err error), logger *slog.Logger) *Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		holder, err := may(r)
		if err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, "Permission denied: "+err.Error(), http.StatusForbidden)
			return
		}
		if holder != "" {
			lobby.Settle(r.Context(), limits.Monitors, holder)
		}
		m.ServeHTTP(w, r)
	})
	return &Server{&http.Server{Handler: mux, ReadTimeout: answerPatience, WriteTimeout: answerPatience,
		IdleTimeout: idlePatience, MaxHeaderBytes: 16 << 10, ConnContext: lobby.Context,
		ErrorLog: log.New(newLines(logger), "", 0)}}
}

// Serve answers until Close, and returns why it could not go on.
func (s *Server) Serve(listener net.Listener) error { return s.http.Serve(listener) }

// Close ends what is under way; a second later, whatever it is.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		return s.http.Close()
	}
	return nil
}
