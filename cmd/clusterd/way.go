package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/tunnel"
)

// way is the agent's tunnel: it finds a node's address and lets the forwarder
// process open the route.
type way struct {
	node   config.Node
	book   *daemon.AddressBook
	config tunnel.Config
	argv   []string
	logger *slog.Logger

	mu     sync.Mutex
	client *tunnel.Client
}

// forwarderWait bounds how long a migration waits for the forwarder process.
const forwarderWait = 10 * time.Second

// begin starts the forwarder early, so that this node can be a target too.
func (w *way) begin() {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), forwarderWait)
		_, err := w.ensure(ctx)
		cancel()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return
		}
		w.logger.Info("the forwarder is not up yet", "error", err)
		time.Sleep(time.Second)
	}
}

func (w *way) ensure(ctx context.Context) (*tunnel.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		return w.client, nil
	}
	client, err := tunnel.Ensure(ctx, w.config, w.argv)
	if err != nil {
		return nil, fmt.Errorf("start the forwarder on %s: %w", w.node.Name, err)
	}
	w.client = client
	return client, nil
}

// Open implements vm.Tunnel.
func (w *way) Open(ctx context.Context, target, act string) (apiURI, migrateURI string, err error) {
	known, found := w.book.Address(target)
	if !found {
		return "", "", fmt.Errorf("the address of %s is not known", target)
	}
	address, err := tunnelAddress(known, w.node)
	if err != nil {
		return "", "", err
	}
	client, err := w.ensure(ctx)
	if err != nil {
		return "", "", err
	}
	route, err := client.Open(ctx, target, address, act)
	return route.APIURI, route.MigrateURI, err
}

// Release implements vm.Tunnel.
func (w *way) Release(act string) {
	w.mu.Lock()
	client := w.client
	w.mu.Unlock()
	if client != nil {
		client.Release(act)
	}
}

func (w *way) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		_ = w.client.Close()
	}
}

// The forwarder has no replicated State. It trusts the keys that the daemon
// writes down for it.
func pinsPath(node config.Node) string { return filepath.Join(node.RunDir, "nodes.json") }

func (w *way) writePins(fingerprints map[string]string) {
	text, err := json.Marshal(fingerprints)
	if err == nil {
		err = os.MkdirAll(w.node.RunDir, 0o755)
	}
	if err == nil {
		err = renameio.WriteFile(pinsPath(w.node), text, 0o644)
	}
	if err != nil {
		w.logger.Warn("the forwarder was not told the nodes' keys", "error", err)
	}
}

func readPins(node config.Node) (map[string]string, error) {
	text, err := os.ReadFile(pinsPath(node))
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, err
	}
	pins := map[string]string{}
	return pins, json.Unmarshal(text, &pins)
}

// newTunnelListener accepts migrations of members. The keys are read anew for
// each connection, because a forwarder outlives changes of the cluster.
func newTunnelListener(ctx context.Context, l *links, address string) (net.Listener, error) {
	identity, err := pki.LoadIdentity(l.node.DataDir)
	if err != nil {
		return nil, err
	}
	raw, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for migrations: %w", err)
	}
	standing := func(peer pki.Peer) pki.Standing {
		pins, err := readPins(l.node)
		if err != nil {
			return pki.Standing{Kind: pki.StandingUnheard}
		}
		if pinned, known := pins[peer.Name]; known && pinned != peer.Fingerprint {
			return pki.Standing{Kind: pki.StandingRemoved}
		}
		return pki.PinnedNodes(pins)(peer)
	}
	store := pki.NewStore(identity, pki.Trust{Standing: standing})
	mux := pki.NewMux(raw, store, pki.Limits{}, l.logger)
	listener, err := mux.Protocol(tunnel.Protocol)
	if err != nil {
		return nil, err
	}
	go func() {
		if err := mux.Run(ctx); err != nil {
			l.logger.Error("the port for migrations failed", "error", err)
		}
	}()
	go reloadIdentity(ctx, l, store)
	return listener, nil
}

// reloadIdentity takes over a certificate that the daemon renewed.
func reloadIdentity(ctx context.Context, l *links, store *pki.Store) {
	ticker := time.NewTicker(time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if identity, err := pki.LoadIdentity(l.node.DataDir); err == nil && identity.Certificate.NotAfter.After(store.Identity().Certificate.NotAfter) {
			if err := store.Replace(identity); err != nil {
				l.logger.Warn("a renewed certificate was not taken over", "error", err)
			}
		}
	}
}
