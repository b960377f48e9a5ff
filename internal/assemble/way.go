package assemble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/roster"
	"github.com/clusterd/clusterd/internal/tunnel"
)

// way is the agent's tunnel: it finds a node's address and lets the forwarder
// process open the route.
type way struct {
	node   nodefile.Node
	book   *roster.Book
	config tunnel.Config
	argv   []string
	logger *slog.Logger

	mu     sync.Mutex
	client *tunnel.Client
}

// newWay has the forwarder told what the daemon knows, and the daemon whom the forwarder refused.
func newWay(node nodefile.Node, self Self, book *roster.Book, logger *slog.Logger) *way {
	w := &way{node: node, book: book, config: TunnelConfig(node, logger), argv: self.forwarder(node), logger: logger}
	book.Changed, w.config.Refused = w.writeRoster, book.Refused
	return w
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

// rosterPath is where the daemon tells the forwarder, which has no replicated
// State, who is a member and which migrations are open.
func rosterPath(node nodefile.Node) string { return filepath.Join(node.RunDir, "nodes.json") }

func (w *way) writeRoster(roster tunnel.Roster) error {
	return tunnel.WriteRoster(rosterPath(w.node), roster)
}
