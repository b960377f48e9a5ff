// Package redfish is a management controller for tests: the part of DMTF's
// Redfish that fencing uses, over real TLS with a certificate of its own, in
// front of a chassis that the caller supplies.
//
// It is no mock: every client (curl, fence_redfish) talks to it over a socket.
// Its faults are those of real boards: it hangs, is slow, answers 409 where
// nothing is to be done, lets its certificate expire, or does nothing.
//
// The caller closes what it started. Options.OnPower runs on the server's own
// goroutines, so it must be safe for concurrent use, must return soon (the
// client waits for it) and must not call Close.
package redfish

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options describes one controller.
type Options struct {
	// Address is where it listens; "127.0.0.1:0" chooses a free port.
	Address string
	// Username and Password open it.
	Username, Password string
	// HardwareUUID is what its system tells of itself; empty leaves it out.
	HardwareUUID string
	// On is the power at start.
	On bool
	// OnPower carries a change of power out; nil only remembers it. An error
	// makes the controller refuse the command and leaves the power as it was.
	OnPower func(on bool) error
	// ExpiredSince makes a certificate that ended so long ago.
	ExpiredSince time.Duration
	// ResetTypes are the commands it offers; empty means the usual ones.
	ResetTypes []string
	// ActionInfo keeps those values in a resource of their own.
	ActionInfo bool
	// Role is that of the account; empty keeps accounts from being seen. Privileges are those of a
	// role of the board's own.
	Role       string
	Privileges []string
	// Neighbours are further systems behind the same controller, as in a chassis of blades.
	Neighbours []string
}

// Controller is a running Redfish service.
type Controller struct {
	server      *http.Server
	listener    net.Listener
	certificate certificate
	chassis     *chassis
	account     account
	options     Options
	done        chan struct{}
	release     context.CancelFunc
}

// account is who may log in, and who is.
type account struct {
	mu       sync.Mutex
	username string
	password string
	// sessions holds the token of each open session by its number.
	sessions map[string]string
	opened   int
	failed   int
	// changed is closed at the next logout.
	changed chan struct{}
}

// Start opens the socket and serves until Close.
func Start(options Options) (*Controller, error) {
	if len(options.ResetTypes) == 0 {
		options.ResetTypes = []string{"On", "ForceOff", "GracefulShutdown", "ForceRestart", "PowerCycle"}
	}
	own, err := newCertificate(options.ExpiredSince)
	if err != nil {
		return nil, fmt.Errorf("make the controller's certificate: %w", err)
	}
	listener, err := net.Listen("tcp", options.Address)
	if err != nil {
		return nil, fmt.Errorf("listen for Redfish on %s: %w", options.Address, err)
	}
	alive, release := context.WithCancel(context.Background())
	c := &Controller{
		listener: listener, certificate: own, chassis: newChassis(options), options: options, done: make(chan struct{}),
		release: release,
		account: account{username: options.Username, password: options.Password, sessions: map[string]string{},
			changed: make(chan struct{})},
	}
	c.server = &http.Server{
		Handler: http.HandlerFunc(c.serve),
		TLSConfig: &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.certificate.pair, nil
		}},
		BaseContext: func(net.Listener) context.Context { return alive },
		// A client that goes away in the middle of a handshake is no news.
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: 10 * time.Second,
	}
	go func() {
		defer close(c.done)
		_ = c.server.ServeTLS(listener, "", "")
	}()
	return c, nil
}

// Address is the host:port on which it listens.
func (c *Controller) Address() string { return c.listener.Addr().String() }

// CertificatePEM is its self-made certificate, which is its own authority.
func (c *Controller) CertificatePEM() string { return c.certificate.pem }

// Fingerprint is the SHA-256 of its certificate, in hexadecimal digits.
func (c *Controller) Fingerprint() string { return hex.EncodeToString(c.certificate.sum[:]) }

// Close ends it; nothing answers afterwards and no timer of it fires.
func (c *Controller) Close() {
	c.chassis.stop()
	c.release()
	_ = c.server.Close()
	<-c.done
}

// Power is the true power of the chassis, whatever the controller says.
func (c *Controller) Power() bool { return c.chassis.truth() }

// SetFaults replaces all faults from now on.
func (c *Controller) SetFaults(faults Faults) { c.chassis.setFaults(faults) }

// Commands counts what the controller was asked so far.
func (c *Controller) Commands() Commands { return c.chassis.commands() }

// SetPassword changes the password, as an administrator of the board would.
func (c *Controller) SetPassword(password string) {
	c.account.mu.Lock()
	defer c.account.mu.Unlock()
	c.account.password = password
}

// Sessions counts the sessions that are open and the logins that failed.
func (c *Controller) Sessions() (open, failed int) {
	c.account.mu.Lock()
	defer c.account.mu.Unlock()
	return len(c.account.sessions), c.account.failed
}

// AwaitLogout waits until no session is open and returns how many still are
// when the context ends.
func (c *Controller) AwaitLogout(ctx context.Context) int {
	for {
		c.account.mu.Lock()
		open, changed := len(c.account.sessions), c.account.changed
		c.account.mu.Unlock()
		if open == 0 {
			return 0
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return open
		}
	}
}
