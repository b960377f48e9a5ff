package metrics

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"golang.org/x/net/netutil"
)

// Path is where they are served.
const Path = "/metrics"

// Bounds of a listener for monitoring systems, of which there are few.
const (
	mostConnections = 16
	answerPatience  = 10 * time.Second
	idlePatience    = 2 * time.Minute
)

// Listen opens IP:PORT: in the clear on a loopback address, behind the door everywhere else.
func Listen(address string, door *tls.Config) (net.Listener, error) {
	endpoint, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen for a monitoring system: %w", err)
	}
	if !endpoint.Addr().Unmap().IsLoopback() && door == nil {
		return nil, fmt.Errorf("listen for a monitoring system on %s: only a loopback address goes without TLS", address)
	}
	plain, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for a monitoring system: %w", err)
	}
	plain = netutil.LimitListener(plain, mostConnections)
	if endpoint.Addr().Unmap().IsLoopback() {
		return plain, nil
	}
	return tls.NewListener(plain, door), nil
}

// Server answers monitoring systems, and nobody else.
type Server struct{ http *http.Server }

// NewServer makes one. may is asked at each request, with nil for a connection in the clear: who
// was let in once may be so no longer.
func NewServer(m *Metrics, may func(*tls.ConnectionState) error) *Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, func(w http.ResponseWriter, r *http.Request) {
		if err := may(r.TLS); err != nil {
			w.Header().Set("Connection", "close")
			http.Error(w, "Permission denied: "+err.Error(), http.StatusForbidden)
			return
		}
		m.ServeHTTP(w, r)
	})
	return &Server{&http.Server{Handler: mux, ReadTimeout: answerPatience, WriteTimeout: answerPatience,
		IdleTimeout: idlePatience, MaxHeaderBytes: 16 << 10}}
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
