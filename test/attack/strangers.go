package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
)

// strangers are the attacks of who is no member: the removed node, and whoever has the
// authority's key from its disk.
var strangers = []attack{
	{"the removed node keeps the connections it had", heldOpen},
	{"the removed node comes back to the log's port", func(ctx context.Context, s *site) error {
		return s.refused(ctx, s.disk, protocolQuorum, pki.ErrRemoved)
	}},
	{"the removed node asks the tools' interface for the backup", func(ctx context.Context, s *site) error {
		return s.refused(ctx, s.disk, protocolAPI, pki.ErrRemoved)
	}},
	{"a node that the stolen authority signed comes to the log's port", func(ctx context.Context, s *site) error {
		return s.forged(ctx, "ghost", protocolQuorum)
	}},
	{"a node that the stolen authority signed asks for the backup", func(ctx context.Context, s *site) error {
		return s.forged(ctx, "ghost", protocolAPI)
	}},
	{"an administrator that the stolen authority signed asks for the backup", forgedAdmin},
	{"an administrator whose certificate was revoked goes on", revokedAdmin},
	{"another key under a member's name comes to the log's port", func(ctx context.Context, s *site) error {
		return s.forged(ctx, "node2", protocolQuorum)
	}},
	{"another key under a member's name asks for the backup", func(ctx context.Context, s *site) error {
		return s.forged(ctx, "node2", protocolAPI)
	}},
	{"another key under a member's name is dialled in that member's place", impostors},
}

// heldOpen wants each connection from before the removal to be cut. A connection that answers is
// one that lives.
func heldOpen(_ context.Context, s *site) error {
	for protocol, conn := range s.holding {
		conn.SetReadDeadline(time.Now().Add(time.Second))
		_, err := conn.Read(make([]byte, 1))
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("its connection for %s lives on", protocol)
		}
	}
	return nil
}

// refused wants both members to refuse an identity, in words where it is a removed one.
func (s *site) refused(ctx context.Context, identity *pki.Identity, protocol string, reason error) error {
	for _, node := range s.members {
		conn, err := s.reach(ctx, identity, node, protocol)
		if err == nil {
			got := told(conn, protocol)
			conn.Close()
			return fmt.Errorf("%s let it in; %s", node, got)
		}
		if reason != nil && !errors.Is(err, reason) {
			return fmt.Errorf("%s refused it, but not because it %w: %w", node, reason, err)
		}
	}
	return nil
}

// forged wants a node that the stolen key signed to be nobody.
func (s *site) forged(ctx context.Context, name, protocol string) error {
	identity, err := s.forge(name, false)
	if err != nil {
		return err
	}
	return s.refused(ctx, identity, protocol, pki.ErrRefused)
}

// forgedAdmin wants a client's certificate that nobody recorded to be nobody's.
func forgedAdmin(ctx context.Context, s *site) error {
	identity, err := s.forge("alice", true)
	if err != nil {
		return err
	}
	return s.refused(ctx, identity, protocolAPI, pki.ErrRefused)
}

// revokedAdmin makes a good certificate, opens a connection with it, and revokes it.
func revokedAdmin(ctx context.Context, s *site) error {
	folder := filepath.Join(s.stolen, "alice")
	command := s.Command(ctx, victim, "clusterd", "client", "alice", "--role", "admin", "--out", folder)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	for from, to := range map[string]string{"client.key": "node.key", "client.pem": "node.crt"} {
		if err := os.Rename(filepath.Join(folder, from), filepath.Join(folder, to)); err != nil {
			return err
		}
	}
	identity, err := pki.LoadIdentity(folder)
	if err != nil {
		return err
	}
	conn, err := s.reach(ctx, identity, victim, protocolAPI)
	if err != nil {
		return fmt.Errorf("a good administrator is refused: %w", err)
	}
	defer conn.Close()
	if output, err := s.Command(ctx, victim, "clusterd", "client", "alice", "--revoke").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	conn.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("its connection lives on")
	}
	return s.refused(ctx, identity, protocolAPI, pki.ErrRemoved)
}

// impostors sit at a member's port while its daemon is down, and wait for the other member to dial:
// with another key that the stolen authority signed for that name, and with the removed node's.
// With the member's own key, which comes first, the call has to come through.
func impostors(ctx context.Context, s *site) error {
	own, err := pki.LoadIdentity(s.world.DataFolder("node2"))
	if err != nil {
		return err
	}
	forged, err := s.forge("node2", false)
	if err != nil {
		return err
	}
	if err := s.StopDaemon(ctx, "node2"); err != nil {
		return err
	}
	believed, err := s.dialled(ctx, own)
	if err == nil && !believed {
		err = fmt.Errorf("%w: nobody dials node2", errUntried)
	}
	for what, identity := range map[string]*pki.Identity{"another key": forged, "the removed node's key": s.disk} {
		if err != nil {
			break
		}
		if believed, err = s.dialled(ctx, identity); err == nil && believed {
			err = fmt.Errorf("%s talks with %s in node2's place", victim, what)
		}
	}
	return errors.Join(err, s.StartDaemon(ctx, "node2"))
}

// dialled listens in node2's place and reports whether whoever dials first believes what he sees.
// In TLS 1.3 the caller's last word of a handshake comes when he has looked at the certificate.
func (s *site) dialled(ctx context.Context, identity *pki.Identity) (believed bool, err error) {
	key, err := identity.Key.PEM()
	if err != nil {
		return false, err
	}
	certificate, err := tls.X509KeyPair(identity.ChainPEM(), key)
	if err != nil {
		return false, err
	}
	listener, err := net.Listen("tcp", s.address("node2"))
	if err != nil {
		return false, err
	}
	defer listener.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		raw, err := listener.Accept()
		if err != nil {
			return false, fmt.Errorf("%w: nobody dials node2: %w", errUntried, err)
		}
		conn := tls.Server(raw, &tls.Config{MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert,
			Certificates: []tls.Certificate{certificate}, NextProtos: []string{protocolQuorum, protocolAPI}})
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		err = conn.HandshakeContext(ctx)
		conn.Close()
		raw.Close()
		// Who hung up before he said anything, or was slow, saw nothing.
		if err == nil || strings.Contains(err.Error(), "remote error") {
			return err == nil, nil
		}
	}
}

// told is what the tools' interface gives to whoever got in.
func told(conn net.Conn, protocol string) string {
	if protocol != protocolAPI {
		return "the channel is open"
	}
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, "GET /v1/backup HTTP/1.1\r\nHost: clusterd\r\nConnection: close\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "and gave no answer"
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return fmt.Sprintf("the backup: %s, %d bytes", answer.Status, len(text))
}
