package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/tunnel"
)

// opensOfMember is how often a member opens a stream while a crowd is at the port of live moves,
// and opensWithin how long each may take.
const (
	opensOfMember = 20
	opensWithin   = 3 * time.Second
	// mostBegun is more than strangers at one address may begin in the time.
	mostBegun = 300
)

// crowdedMoves begins handshakes without end at the port of live moves, from an address that is no
// node's and from a member's own, as any user of its host may. The member opens streams meanwhile.
func crowdedMoves(ctx context.Context, s *site) error {
	identity, err := pki.LoadIdentity(s.world.DataFolder("node2"))
	if err != nil {
		return err
	}
	move := tunnel.Move{Act: "1.8.0", From: "node2", To: victim, Guest: "11111111-2222-3333-4444-555555555555"}
	if err := s.tellForwarder(ctx, []tunnel.Move{move}); err != nil {
		return err
	}
	defer func() { _ = s.tellForwarder(ctx, nil) }()
	noisy, quiet := context.WithCancel(ctx)
	var crowds sync.WaitGroup
	defer crowds.Wait()
	defer quiet()
	neighbour, begun := from(2), atomic.Int64{}
	neighbour.Control = func(string, string, syscall.RawConn) error {
		begun.Add(1)
		return nil
	}
	for _, host := range []*net.Dialer{elsewhere, neighbour} {
		crowds.Go(func() { _ = handshakesFrom(host)(noisy, crowdOf{Ports: map[string]string{victim: s.tunnelAddress()}}) })
	}
	for began := time.Now(); begun.Load() < mostBegun || !s.turnsStrangersAway(ctx); rest(ctx, 100*time.Millisecond) {
		if time.Since(began) > 30*time.Second {
			return fmt.Errorf("%w: there is no crowd, or it begins as many handshakes as it likes", errUntried)
		}
	}
	var longest time.Duration
	for range opensOfMember {
		began := time.Now()
		if err := s.opensStream(ctx, identity, move.Act); err != nil {
			return fmt.Errorf("a member's move is kept out: %w", err)
		}
		longest = max(longest, time.Since(began))
		rest(ctx, 50*time.Millisecond)
	}
	fmt.Printf("         a member opened %d streams, each within %s\n", opensOfMember, longest.Round(time.Millisecond))
	return nil
}

// turnsStrangersAway reports whether a stranger's handshake is not even begun.
func (s *site) turnsStrangersAway(ctx context.Context) bool {
	conn, err := elsewhere.DialContext(ctx, "tcp", s.tunnelAddress())
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, err = conn.Read(make([]byte, 1))
	var slow net.Error
	return errors.Is(err, io.EOF) || err != nil && !(errors.As(err, &slow) && slow.Timeout())
}

// opensStream opens a stream of a member's own move, from the member's own address.
func (s *site) opensStream(ctx context.Context, identity *pki.Identity, act string) error {
	ctx, cancel := context.WithTimeout(ctx, opensWithin)
	defer cancel()
	store := pki.NewStore(identity, friendly)
	store.Reach = func(ctx context.Context, address string) (net.Conn, error) {
		return from(2).DialContext(ctx, "tcp", address)
	}
	conn, err := pki.Dial(ctx, store, s.tunnelAddress(), victim, tunnel.Protocol, pki.ChannelTunnelAPI)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(opensWithin))
	if _, err := fmt.Fprintf(conn, `{"kind":"api","act":%q}`+"\n", act); err != nil {
		return err
	}
	if said, err := bufio.NewReaderSize(conn, 16).ReadString('\n'); err != nil || said != "{}\n" {
		return fmt.Errorf("it was answered %q: %w", said, err)
	}
	return nil
}

// homes are where the members but the victim are, as its daemon would tell the forwarder.
func (s *site) homes() []netip.Addr {
	var all []netip.Addr
	for _, node := range s.members {
		if at, err := netip.ParseAddrPort(s.address(node)); err == nil && node != victim {
			all = append(all, at.Addr())
		}
	}
	return all
}
