package pki

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// DialTimeout bounds one connection attempt from the first packet to the greeting, whatever the
// caller's context allows.
const DialTimeout = 10 * time.Second

// Dial connects to the wanted node (or AnyNode) for one channel, by one protocol of its Mux. When
// it returns, both ends have accepted each other. The connection is closed by Store.Recheck when
// the peer may no longer be used. Besides network errors, ErrWrongNode, ErrOtherCluster,
// ErrCertificateDates and ErrRemoved are returned about the server, and ErrRefused (with
// ErrRemoved, when that is the reason) and ErrBusy when the server says so about us.
func Dial(ctx context.Context, store *Store, address, wantNode, protocol string, channel Channel) (*tls.Conn, error) {
	target := "node " + wantNode
	if wantNode == AnyNode {
		target = "a node"
	}
	config := store.ClientConfig(wantNode, protocol)
	verify := config.VerifyConnection
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if err := verify(state); err != nil {
			return err
		}
		_, peer, err := readName(state.PeerCertificates[0])
		if err != nil {
			return err
		}
		return store.Admit(channel, Dialing, peer)
	}
	raw := &dialedConn{store: store, channel: channel}
	connection, err := dial(ctx, store.Reach, address, protocol, config, raw)
	if err != nil {
		return nil, fmt.Errorf("connect to %s at %s for %s: %w", target, address, protocol, err)
	}
	return connection, nil
}

// DialJoin connects to the first of the token's addresses that answers as the token's cluster,
// without a certificate of its own.
func DialJoin(ctx context.Context, token Token, protocol string) (*tls.Conn, error) {
	var failures []error
	for _, address := range token.Addresses {
		connection, err := dial(ctx, nil, address, protocol, JoinClientConfig(token, protocol), new(dialedConn))
		if err == nil {
			return connection, nil
		}
		failures = append(failures, fmt.Errorf("at %s: %w", address, err))
	}
	return nil, fmt.Errorf("reach cluster %s: %w", token.ClusterID, errors.Join(failures...))
}

func openTCP(ctx context.Context, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", address)
}

func dial(ctx context.Context, reach func(context.Context, string) (net.Conn, error), address, protocol string,
	config *tls.Config, under *dialedConn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, DialTimeout)
	defer cancel()
	if reach == nil {
		reach = openTCP
	}
	raw, err := reach(ctx, address)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w; is clusterd running there?", err)
	}
	if err != nil {
		return nil, err
	}
	under.Conn = raw
	connection, err := secure(ctx, under, protocol, config)
	if err == nil {
		err = under.known(connection.ConnectionState())
	}
	if err != nil {
		under.Close()
		return nil, err
	}
	return connection, nil
}

// secure makes a connection ready for use: handshake, then greeting.
func secure(ctx context.Context, raw net.Conn, protocol string, config *tls.Config) (*tls.Conn, error) {
	connection := tls.Client(raw, config)
	// The handshake watches the context itself, but tells it badly; closing the connection covers
	// handshake and greeting alike.
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	err := connection.HandshakeContext(ctx)
	if err != nil && strings.Contains(err.Error(), "no application protocol") {
		err = fmt.Errorf("it does not serve %s; is it still starting, or of another version? (%w)", protocol, err)
	}
	if err == nil && connection.ConnectionState().NegotiatedProtocol != protocol {
		err = fmt.Errorf("it does not serve %s; is it still starting, or of another version?", protocol)
	}
	if err == nil && greets(protocol) {
		err = readGreeting(connection)
	}
	if !stop() {
		return nil, fmt.Errorf("it did not answer in time: %w", errors.Join(ctx.Err(), err))
	}
	return connection, err
}

// The greeting is the first thing a server says on our own protocols: one byte of verdict, two
// of length, a sentence. TLS itself can refuse a peer only with "bad certificate", and does so
// after the client believes that it is connected; an administrator deserves to read on the
// refused node why it was refused, and a removed daemon must be able to learn that it was
// removed.

type verdict byte

const (
	verdictWelcome verdict = iota
	verdictRefused
	verdictRemoved
	verdictBusy
)

// greetingLimitBytes bounds the sentence.
const greetingLimitBytes = 512

// greetedPrefix marks our own protocols. Others (http/1.1 from a browser or curl) know no
// greeting and get none.
const greetedPrefix = "clusterd-"

var (
	// ErrRefused is returned by Dial when the other end refuses this peer; the error holds its reason.
	ErrRefused = errors.New("refused by the other end")
	// ErrBusy is returned by Dial when the other end has no room for another connection; try again
	// later.
	ErrBusy = errors.New("the other end is too busy")
)

func greets(protocol string) bool { return strings.HasPrefix(protocol, greetedPrefix) }

func writeGreeting(target io.Writer, code verdict, reason string) error {
	if len(reason) > greetingLimitBytes {
		reason = reason[:greetingLimitBytes]
	}
	// One Write is one TLS record and one packet.
	message := binary.BigEndian.AppendUint16([]byte{byte(code)}, uint16(len(reason)))
	_, err := target.Write(append(message, reason...))
	return err
}

func readGreeting(source io.Reader) error {
	var header [3]byte
	if _, err := io.ReadFull(source, header[:]); err != nil {
		return fmt.Errorf("wait for its greeting: %w", err)
	}
	length := binary.BigEndian.Uint16(header[1:])
	if length > greetingLimitBytes {
		return fmt.Errorf("its greeting of %d bytes is longer than %d; is it a clusterd?", length, greetingLimitBytes)
	}
	reason := make([]byte, length)
	if _, err := io.ReadFull(source, reason); err != nil {
		return fmt.Errorf("read its greeting: %w", err)
	}
	switch verdict(header[0]) {
	case verdictWelcome:
		return nil
	case verdictRemoved:
		return fmt.Errorf("%w: %w: %q", ErrRefused, ErrRemoved, reason)
	case verdictBusy:
		return fmt.Errorf("%w: %q", ErrBusy, reason)
	default:
		return fmt.Errorf("%w: %q", ErrRefused, reason)
	}
}

// verdictOf turns a refusal into its code for the other end.
func verdictOf(err error) verdict {
	switch {
	case errors.Is(err, ErrRemoved):
		return verdictRemoved
	case errors.Is(err, ErrBusy):
		return verdictBusy
	default:
		return verdictRefused
	}
}
