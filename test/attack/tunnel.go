package main

import (
	"bufio"
	"context"
	"encoding/binary"
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
	{"a member with a move that was ordered reaches for more than its guest", ordered},
	{"strangers, and users of a member's host, crowd the port of live moves", crowdedMoves},
}

// forwarding is the process of the port of live moves, which a simulated node has none of: the real
// one's code, on the node's own port and with its own key, before a hypervisor that counts calls.
type forwarding struct {
	folder  string
	reached atomic.Int64
	// heard are the bytes that came through.
	heard atomic.Int64
	// refused are those of whom a daemon is told that they were sent away.
	refused atomic.Int64
	// daemon stands in for the node's: without one nobody is let in.
	daemon *tunnel.Client
	stop   context.CancelFunc
	ended  chan error
}

func (f *forwarding) roster() string { return filepath.Join(f.folder, "roster.json") }

func (f *forwarding) close() error {
	if f == nil {
		return nil
	}
	var problem error
	if f.daemon != nil {
		problem = f.daemon.Close()
	}
	f.stop()
	return errors.Join(problem, <-f.ended, os.RemoveAll(f.folder))
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
			go func() {
				defer conn.Close()
				n, _ := io.Copy(io.Discard, conn)
				f.heard.Add(n)
			}()
		}
	}()
	ctx, f.stop = context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { hypervisor.Close() })
	s.forwarder = f
	if err := s.tellForwarder(ctx, nil); err != nil {
		return err
	}
	quiet := slog.New(slog.DiscardHandler)
	config := tunnel.Config{Dir: folder, Listen: s.tunnelAddress(), LibvirtSocket: filepath.Join(folder, "libvirt"),
		DataUID: os.Getuid(), DataGID: os.Getgid(), IntentWait: 200 * time.Millisecond, Drain: time.Second, Logger: quiet,
		Security: tunnel.NewMembers(s.world.DataFolder(victim), f.roster(), quiet)}
	go func() { f.ended <- tunnel.RunForwarder(ctx, config) }()
	config.Refused = func(one tunnel.Refusal) { f.refused.Add(int64(one.Count)) }
	for began := time.Now(); ; rest(ctx, 50*time.Millisecond) { // it comes up in a moment
		if f.daemon, err = tunnel.Ensure(ctx, config, nil); err == nil || time.Since(began) > 5*time.Second {
			return err
		}
	}
}

// tellForwarder writes what the victim's daemon knows of keys, as a daemon with a hypervisor does.
func (s *site) tellForwarder(ctx context.Context, moves []tunnel.Move) error {
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
		Removed: keys.Removed, Authorities: keys.Authorities, Moves: moves, Addresses: s.homes()})
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
	told := s.forwarder.refused.Load()
	conn, err := s.intoTunnel(ctx, identity)
	if err == nil {
		conn.Close()
		return errors.New("the port let it in")
	}
	if !errors.Is(err, reason) {
		return fmt.Errorf("it was refused, but not because it %w: %w", reason, err)
	}
	for began := time.Now(); s.forwarder.refused.Load() == told; rest(ctx, 50*time.Millisecond) {
		if time.Since(began) > 5*time.Second {
			return errors.New("it was refused, and nobody is told")
		}
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

// preparing is what the call carries that prepares the arrival of a guest: its definition, and more
// parameters that are texts.
func preparing(uuid string, names ...string) []byte {
	definition := "<domain><name>web</name><uuid>" + uuid + "</uuid></domain>"
	return append(typed(append([]string{"destination_xml", definition}, names...)...), make([]byte, 8)...)
}

// finishing is what the call carries that ends an arrival.
func finishing(name string) []byte {
	return append(typed("destination_name", name), make([]byte, 12)...)
}

// typed are parameters that are texts, by their names.
func typed(pairs ...string) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(len(pairs)/2))
	for i, text := range pairs {
		if i%2 == 1 {
			body = append(body, 0, 0, 0, 7)
		}
		body = append(binary.BigEndian.AppendUint32(body, uint32(len(text))), text...)
		body = append(body, make([]byte, (4-len(text)%4)%4)...)
	}
	return body
}

// ordered has a move of its own, and asks libvirt for what lies beside it: files of root's by a
// storage volume, other guests, QEMU's monitor, a guest out of nothing, a hypervisor behind a
// program, the arrival of a guest of its own making, and the end of another guest's arrival.
func ordered(ctx context.Context, s *site) error {
	identity, err := pki.LoadIdentity(s.world.DataFolder("node2"))
	if err != nil {
		return err
	}
	const guest = "11111111-2222-3333-4444-555555555555"
	err = s.tellForwarder(ctx, []tunnel.Move{{Act: "1.7.0", From: "node2", To: victim, Guest: guest}})
	if err != nil {
		return err
	}
	defer func() { _ = s.tellForwarder(ctx, nil) }()
	conn, err := s.intoTunnel(ctx, identity)
	if err != nil {
		return fmt.Errorf("a member is refused: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte(`{"kind":"api","act":"1.7.0"}` + "\n")); err != nil {
		return err
	}
	if said, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || said != "{}\n" {
		return fmt.Errorf("%w: the stream of its own move was not opened: %q, %w", errUntried, said, err)
	}
	evil := "qemu+ext://x/system?command=/sbin/poweroff"
	opening := append(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 1}, uint32(len(evil))), evil...)
	opening = append(opening, make([]byte, (4-len(evil)%4)%4+4)...)
	other := append([]byte{0, 0, 0, 3, 'w', 'e', 'b', 0}, make([]byte, 20)...)
	for _, call := range []struct {
		program, procedure uint32
		arguments          []byte
	}{
		{0x20008086, 303, preparing("99999999" + guest[8:])},
		{0x20008086, 303, preparing(guest, "persistent_xml", "<domain/>")},
		{0x20008086, 306, finishing("db")},
		{0x20008086, 1, opening}, {0x20008086, 209, make([]byte, 64)}, // CONNECT_OPEN, STORAGE_VOL_DOWNLOAD
		{0x20008086, 76, []byte("<pool/>!")}, {0x20008086, 10, []byte("<domain>")}, {0x20008086, 273, nil},
		{0x20008086, 12, other}, {0x20008086, 24, other[8:24]}, {0x20008087, 1, other},
	} {
		var text []byte
		for _, word := range []uint32{uint32(28 + len(call.arguments)), call.program, 1, call.procedure, 0, 7, 0} {
			text = binary.BigEndian.AppendUint32(text, word)
		}
		if _, err := conn.Write(append(text, call.arguments...)); err != nil {
			return err
		}
		answer := make([]byte, 28)
		if _, err := io.ReadFull(conn, answer); err != nil {
			return fmt.Errorf("call %d was not refused: %w", call.procedure, err)
		}
		rest := int64(binary.BigEndian.Uint32(answer)) - int64(len(answer))
		if _, err := io.CopyN(io.Discard, conn, rest); err != nil || answer[27] != 1 {
			return fmt.Errorf("call %d was answered with %x: %w", call.procedure, answer, err)
		}
	}
	if heard := s.forwarder.heard.Load(); heard > 0 {
		return fmt.Errorf("the hypervisor heard %d bytes", heard)
	}
	return nil
}
