package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/tunnel"
)

// tunnelers are the attacks on the port of live moves, which reaches a hypervisor.
var tunnelers = []attack{
	{"the removed node comes to the port of live moves", func(ctx context.Context, s *site) error {
		return s.tunnelRefuses(ctx, s.disk, pki.ErrRemoved)
	}},
	{"a node that the stolen authority signed comes to the port of live moves", func(ctx context.Context, s *site) error {
		return s.tunnelForged(ctx, "ghost")
	}},
	{"another key under a member's name comes to the port of live moves", func(ctx context.Context, s *site) error {
		return s.tunnelForged(ctx, "node2")
	}},
	{"a member reaches for a hypervisor without a move that was ordered", unordered},
}

// forwarding is the process of the port of live moves, which a simulated node has none of: the real
// one's code, on the node's own port and with its own key, before a hypervisor that counts calls.
type forwarding struct {
	folder  string
	reached atomic.Int64
	stop    context.CancelFunc
	ended   chan error
}

func (f *forwarding) roster() string { return filepath.Join(f.folder, "roster.json") }

func (f *forwarding) close() error {
	if f == nil {
		return nil
	}
	f.stop()
	return errors.Join(<-f.ended, os.RemoveAll(f.folder))
}

func (s *site) forward(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "clusterd-tunnel-")
	if err != nil {
		return err
	}
	f := &forwarding{folder: folder, ended: make(chan error, 1)}
	hypervisor, err := net.Listen("unix", filepath.Join(folder, "libvirt"))
	if err != nil {
		return errors.Join(err, os.RemoveAll(folder))
	}
	go func() {
		for {
			conn, err := hypervisor.Accept()
			if err != nil {
				return
			}
			f.reached.Add(1)
			conn.Close()
		}
	}()
	ctx, f.stop = context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { hypervisor.Close() })
	s.forwarder = f
	if err := s.tellForwarder(ctx); err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	config := tunnel.Config{Dir: folder, Listen: s.tunnelAddress(), LibvirtSocket: filepath.Join(folder, "libvirt"),
		DataUID: os.Getuid(), DataGID: os.Getgid(), IntentWait: 200 * time.Millisecond, Drain: time.Second, Logger: quiet,
		Security: tunnel.NewMembers(s.world.DataFolder(victim), f.roster(), quiet)}
	go func() { f.ended <- tunnel.RunForwarder(ctx, config) }()
	return nil
}

// tellForwarder writes what the victim's daemon knows of keys, as a daemon with a hypervisor does.
func (s *site) tellForwarder(ctx context.Context) error {
	client, err := s.Client(victim)
	if err != nil {
		return err
	}
	defer client.Close()
	var keys api.NodeKeys
	if err := client.Get(ctx, api.PathKeys, nil, &keys); err != nil {
		return err
	}
	return tunnel.WriteRoster(s.forwarder.roster(), tunnel.Roster{Nodes: keys.Nodes, Next: keys.Next,
		Removed: keys.Removed, Authorities: keys.Authorities})
}

func (s *site) tunnelAddress() string {
	host, text, _ := net.SplitHostPort(s.address(victim))
	port, _ := strconv.Atoi(text) // of a file that this program wrote
	return net.JoinHostPort(host, strconv.Itoa(port+1))
}

// intoTunnel connects to the port of live moves. It comes up a moment after its process began.
func (s *site) intoTunnel(ctx context.Context, identity *pki.Identity) (net.Conn, error) {
	for began := time.Now(); ; rest(ctx, 50*time.Millisecond) {
		conn, err := pki.Dial(ctx, pki.NewStore(identity, friendly), s.tunnelAddress(), victim, tunnel.Protocol,
			pki.ChannelTunnelAPI)
		if err == nil {
			return conn, nil
		}
		var broken *net.OpError
		if !errors.As(err, &broken) || time.Since(began) > 5*time.Second {
			return nil, err
		}
	}
}

// tunnelRefuses wants no connection, and for a reason.
func (s *site) tunnelRefuses(ctx context.Context, identity *pki.Identity, reason error) error {
	conn, err := s.intoTunnel(ctx, identity)
	if err == nil {
		conn.Close()
		return errors.New("the port let it in")
	}
	if !errors.Is(err, reason) {
		return fmt.Errorf("it was refused, but not because it %w: %w", reason, err)
	}
	return s.unreached()
}

func (s *site) tunnelForged(ctx context.Context, name string) error {
	identity, err := s.forge(name, false)
	if err != nil {
		return err
	}
	return s.tunnelRefuses(ctx, identity, pki.ErrRefused)
}

func (s *site) unreached() error {
	if count := s.forwarder.reached.Load(); count > 0 {
		return fmt.Errorf("the hypervisor was reached %d times", count)
	}
	return nil
}

// unordered uses a member's own key, and names moves that nobody ordered.
func unordered(ctx context.Context, s *site) error {
	identity, err := pki.LoadIdentity(s.world.DataFolder("node2"))
	if err != nil {
		return err
	}
	for _, header := range []map[string]string{
		{"kind": "api", "act": "1.7.0"}, {"kind": "data", "act": "1.7.0"}, {"kind": "api", "act": "../../libvirt"},
		{"kind": "api", "act": ""}, {"kind": "shell", "act": "1.7.0"},
	} {
		if err := s.orders(ctx, identity, header); err != nil {
			return err
		}
	}
	return s.unreached()
}

func (s *site) orders(ctx context.Context, identity *pki.Identity, header map[string]string) error {
	conn, err := s.intoTunnel(ctx, identity)
	if err != nil {
		return fmt.Errorf("a member is refused: %w", err)
	}
	defer conn.Close()
	line, err := json.Marshal(header)
	if err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write(append(line, '\n')); err != nil {
		return err
	}
	said, err := io.ReadAll(io.LimitReader(conn, 4096))
	var answer struct {
		Error string `json:"error"`
	}
	if len(said) > 0 && (json.Unmarshal(said, &answer) != nil || answer.Error == "") {
		return fmt.Errorf("a stream for %v was opened: %q", header, said)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a stream for %v is held open", header)
	}
	return nil
}
