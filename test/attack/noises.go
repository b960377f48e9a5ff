package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
)

// openly keeps so many connections open at once, each in the hands of one call, until the
// context ends.
func openly(ctx context.Context, count int, dial func() (net.Conn, error), hold func(net.Conn)) error {
	var group sync.WaitGroup
	for range count {
		group.Go(func() {
			for ctx.Err() == nil {
				conn, err := dial()
				if err == nil {
					stop := context.AfterFunc(ctx, func() { conn.Close() })
					hold(conn)
					stop()
					conn.Close()
				}
				rest(ctx, 20*time.Millisecond)
			}
		})
	}
	group.Wait()
	return nil
}

func rest(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// endlessBody begins a request whose body goes on forever, a byte at a time.
func endlessBody(path string) func(net.Conn) {
	return func(conn net.Conn) {
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: clusterd\r\nContent-Length: 1073741824\r\n\r\n{", path)
		for {
			if _, err := conn.Write([]byte(" ")); err != nil {
				return
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
}

// chunkedBody sends as many bytes as are taken, up to what a document may have.
func chunkedBody(path string) func(net.Conn) {
	return func(conn net.Conn) {
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: clusterd\r\nTransfer-Encoding: chunked\r\n\r\n", path)
		chunk := "10000\r\n" + strings.Repeat("x", 1<<16) + "\r\n"
		for range 255 {
			if _, err := io.WriteString(conn, chunk); err != nil {
				return
			}
		}
		io.Copy(io.Discard, conn)
	}
}

// freshReads asks for the newest state again and again.
func freshReads(conn net.Conn) {
	answer := make([]byte, 64<<10)
	for {
		if _, err := io.WriteString(conn, "GET /v1/status?fresh=1 HTTP/1.1\r\nHost: clusterd\r\n\r\n"); err != nil {
			return
		}
		if _, err := conn.Read(answer); err != nil {
			return
		}
	}
}

// everywhere makes the same noise at each node.
func everywhere(ctx context.Context, nodes map[string]string,
	noise func(ctx context.Context, node string) error) error {
	var group sync.WaitGroup
	problems := make(chan error, len(nodes))
	for node := range nodes {
		group.Go(func() { problems <- noise(ctx, node) })
	}
	group.Wait()
	close(problems)
	var all error
	for problem := range problems {
		all = errors.Join(all, problem)
	}
	return all
}

func viewerSlots(ctx context.Context, c crowdOf) error {
	return c.viewers(ctx, 150, endlessBody("/v1/join"))
}

func viewerReads(ctx context.Context, c crowdOf) error { return c.viewers(ctx, 40, freshReads) }

func (c crowdOf) viewers(ctx context.Context, count int, hold func(net.Conn)) error {
	return everywhere(ctx, c.Ports, func(ctx context.Context, node string) error {
		dial, err := c.asViewer(ctx, node)
		if err != nil {
			return err
		}
		return openly(ctx, count, dial, hold)
	})
}

func joinerSlots(ctx context.Context, c crowdOf) error {
	return c.joiners(ctx, 64, endlessBody("/v1/join"))
}

func joinerMemory(ctx context.Context, c crowdOf) error {
	return c.joiners(ctx, 32, chunkedBody("/v1/join"))
}

// joiners crowd the ports without a certificate.
func (c crowdOf) joiners(ctx context.Context, count int, hold func(net.Conn)) error {
	config := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{protocolAPI}, InsecureSkipVerify: true}
	return everywhere(ctx, c.Ports, func(ctx context.Context, node string) error {
		return openly(ctx, count, func() (net.Conn, error) {
			raw, err := elsewhere.DialContext(ctx, "tcp", c.Ports[node])
			if err != nil {
				return nil, err
			}
			return greeted(tls.Client(raw, config))
		}, hold)
	})
}

// handshakes are begun with garbage, or with nothing.
func handshakes(ctx context.Context, c crowdOf) error { return handshakesFrom(elsewhere)(ctx, c) }

// nextDoor begins them at the address that the nodes' own connections come from: on the loopback
// that is 127.0.0.1, whoever dials.
func nextDoor(ctx context.Context, c crowdOf) error { return handshakesFrom(from(1))(ctx, c) }

func handshakesFrom(host *net.Dialer) func(ctx context.Context, c crowdOf) error {
	return func(ctx context.Context, c crowdOf) error {
		return everywhere(ctx, c.Ports, func(ctx context.Context, node string) error {
			dial := func() (net.Conn, error) { return host.DialContext(ctx, "tcp", c.Ports[node]) }
			var turn atomic.Int64
			return openly(ctx, 40, dial, func(conn net.Conn) {
				if turn.Add(1)%2 == 0 {
					io.WriteString(conn, "GET / HTTP/1.1\r\n\r\n")
				}
				conn.SetReadDeadline(time.Now().Add(time.Second))
				conn.Read(make([]byte, 1))
			})
		})
	}
}

// junk is what no key made, for the ports of heartbeats and gossip, and streams of gossip that say
// nothing.
func junk(ctx context.Context, c crowdOf) error {
	return everywhere(ctx, c.Ports, func(ctx context.Context, node string) error {
		host, text, err := net.SplitHostPort(c.Ports[node])
		if err != nil {
			return err
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		heartbeats, gossip := net.JoinHostPort(host, strconv.Itoa(port+2)), net.JoinHostPort(host, strconv.Itoa(port+3))
		for _, target := range []string{heartbeats, gossip} {
			conn, err := net.Dial("udp", target)
			if err != nil {
				return err
			}
			defer conn.Close()
			go sendJunk(ctx, conn)
		}
		dial := func() (net.Conn, error) { return elsewhere.DialContext(ctx, "tcp", gossip) }
		return openly(ctx, 50, dial, func(conn net.Conn) { conn.Read(make([]byte, 1)) })
	})
}

func sendJunk(ctx context.Context, conn net.Conn) {
	packet := []byte(strings.Repeat("junk", 100))
	for ctx.Err() == nil {
		conn.Write(packet) // a port that is closed for a moment says so, which does not matter
		time.Sleep(500 * time.Microsecond)
	}
}

// socketOf dials a node's socket; one that cannot be reached at all is no attack.
func (c crowdOf) socketOf(node string) (func() (net.Conn, error), error) {
	dial := func() (net.Conn, error) { return net.DialTimeout("unix", c.Sockets[node], 2*time.Second) }
	conn, err := dial()
	if err != nil {
		return nil, fmt.Errorf("the attacker cannot even connect: %w", err)
	}
	return dial, conn.Close()
}

func localSlots(ctx context.Context, c crowdOf) error {
	return c.locally(ctx, 300, endlessBody("/v1/join"))
}

func localMemory(ctx context.Context, c crowdOf) error {
	return c.locally(ctx, 64, chunkedBody("/v1/config"))
}

func localReads(ctx context.Context, c crowdOf) error { return c.locally(ctx, 64, freshReads) }

// locally crowds the sockets of the two nodes that keep their power.
func (c crowdOf) locally(ctx context.Context, count int, hold func(net.Conn)) error {
	return everywhere(ctx, c.Sockets, func(ctx context.Context, node string) error {
		dial, err := c.socketOf(node)
		if err != nil {
			return err
		}
		return openly(ctx, count, dial, hold)
	})
}

// asViewer dials a node's port for tools with a viewer's certificate.
func (c crowdOf) asViewer(ctx context.Context, node string) (func() (net.Conn, error), error) {
	viewer, err := loadClient(c.Viewer)
	if err != nil {
		return nil, err
	}
	store := pki.NewStore(viewer, friendly)
	return func() (net.Conn, error) {
		raw, err := elsewhere.DialContext(ctx, "tcp", c.Ports[node])
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, store.ClientConfig(node, protocolAPI))
		return greeted(conn)
	}, nil
}

// from dials from an address that is no node's, 127.0.0.NUMBER.
func from(number byte) *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, number)}}
}

// elsewhere is where all of a crowd come from.
var elsewhere = from(99)

// greeted shakes hands and reads what the port says first; an attacker need not understand it.
func greeted(conn *tls.Conn) (net.Conn, error) {
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	var greeting [1024]byte
	if _, err := conn.Read(greeting[:]); err != nil {
		conn.Close()
		return nil, err
	}
	conn.SetDeadline(time.Time{})
	return conn, nil
}
