package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/lobby"
)

// Bounds of what one connection may carry.
const (
	mostRequests  = 64
	largestHeader = 16 << 10
)

// bounds are those of the port's connections. Who has not logged in, visitors and administrators
// have places of their own; of too many the oldest makes room for the newest.
var bounds = lobby.Bounds{
	Strangers: lobby.Share{Most: 128, Each: 32},
	Guests: map[limits.Kind]lobby.Share{
		limits.Visitors: {Most: 128, Each: 32},
		limits.Admins:   {Most: 64, Each: 32},
	},
	Rate: 20, Burst: 60,
}

// certificateEvery is how often is looked whether the certificate is to be renewed, or a port that
// could not be opened is free by now.
const certificateEvery = 30 * time.Second

// Port is how the page is served.
type Port struct {
	// Wanted is what the document says now; nil while no page is served.
	Wanted func() *cluster.Web
	// Host is where the page is served unless the document names an address.
	Host string
	// Certificate is the one to be served with now. It is asked again and again.
	Certificate func(web cluster.Web) (*tls.Certificate, error)
	// Problem is told why the page is not served, and with an empty text that it is.
	Problem func(text string)
}

// Address is where a page is served that a document declares, on a host; empty without one.
func Address(web *cluster.Web, host string) string {
	if web == nil {
		return ""
	}
	named, port, err := net.SplitHostPort(web.Listen)
	if err != nil {
		return ""
	}
	// A wildcard is where is listened, and not where it is reached.
	if ip := net.ParseIP(named); ip != nil && !ip.IsUnspecified() {
		host = named
	}
	return net.JoinHostPort(host, port)
}

// listenAt is where the port is opened.
func listenAt(web cluster.Web, host string) string {
	named, port, _ := net.SplitHostPort(web.Listen)
	if named == "" {
		named = host
	}
	return net.JoinHostPort(named, port)
}

// Keep serves the page as the document says, until the context ends.
func (f *Front) Keep(ctx context.Context, port Port) {
	var serving *served
	defer func() { serving.close() }()
	for {
		changed := f.options.Changed()
		want := port.Wanted()
		if serving != nil && (want == nil || *want != serving.web) {
			serving.close()
			serving = nil
		}
		err := error(nil)
		switch {
		case want != nil && serving == nil:
			serving, err = f.open(ctx, *want, port)
		case want != nil:
			err = serving.renew(port)
		}
		problem := ""
		if err != nil {
			problem = "the page is not served as the document says: " + err.Error()
		}
		port.Problem(problem)
		if !f.rest(ctx, changed, port, want) {
			return
		}
	}
}

// rest waits until the document says something else of the page, or for a while.
func (f *Front) rest(ctx context.Context, changed <-chan struct{}, port Port, was *cluster.Web) bool {
	timer := time.NewTimer(certificateEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		case <-changed:
			changed = f.options.Changed()
			if is := port.Wanted(); is == nil != (was == nil) || is != nil && *is != *was {
				return true
			}
		}
	}
}

// served is an open port.
type served struct {
	web         cluster.Web
	http        *http.Server
	end         context.CancelFunc
	certificate atomic.Pointer[tls.Certificate]
}

func (f *Front) open(ctx context.Context, web cluster.Web, port Port) (*served, error) {
	s := &served{web: web}
	if err := s.renew(port); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", listenAt(web, port.Host))
	if err != nil {
		return nil, fmt.Errorf("listen for browsers: %w", err)
	}
	ctx, s.end = context.WithCancel(ctx)
	s.http = &http.Server{
		Handler: f, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: largestHeader,
		BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: lobby.Context,
		ErrorLog: log.New(io.Discard, "", 0), // a browser that knows no authority says so to its user
		HTTP2:    &http.HTTP2Config{MaxConcurrentStreams: mostRequests},
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS13,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.certificate.Load(), nil },
		},
	}
	go func() {
		if err := s.http.ServeTLS(lobby.New(listener, bounds), "", ""); !errors.Is(err, http.ErrServerClosed) {
			port.Problem("the page's port failed: " + err.Error())
		}
	}()
	return s, nil
}

// renew takes the certificate that is to be served with now.
func (s *served) renew(port Port) error {
	certificate, err := port.Certificate(s.web)
	if err != nil {
		return err
	}
	s.certificate.Store(certificate)
	return nil
}

// close ends the port with what is open on it, also streams.
func (s *served) close() {
	if s == nil {
		return
	}
	s.end()
	_ = s.http.Close() // nobody waits for the answer of a port that is shut
}
