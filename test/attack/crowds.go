package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
)

// crowds are the attacks of those who may open connections and are not wanted to stop anything
// by it: each is measured by a failover that happens while it runs.
var crowds = []attack{
	{"a viewer takes all connections, with bodies that never end", crowded(loudly("viewer slots"))},
	{"a viewer asks for the newest state without end", crowded(loudly("viewer reads"))},
	{"a local user takes all connections of the socket", crowded(loudly("local slots"))},
	{"a local user sends bodies of 16 MiB", crowded(loudly("local memory"))},
	{"a local user asks for the newest state without end", crowded(loudly("local reads"))},
	{"machines without a certificate take all places of joiners", crowded(loudly("joiner slots"))},
	{"machines without a certificate send bodies of 16 MiB", crowded(loudly("joiner memory"))},
	{"strangers begin handshakes without end", crowded(loudly("handshakes"))},
	{"strangers send junk to the ports of heartbeats and gossip", crowded(loudly("junk"))},
}

// crowd makes a noise until the context ends. It returns what it wants to be true at the end.
type crowd func(ctx context.Context, t *town) error

// crowded measures a failover while a crowd makes its noise, and looks at what the daemons have
// become of it.
func crowded(noise crowd) func(ctx context.Context, s *site) error {
	return func(ctx context.Context, s *site) error {
		t, err := s.town(ctx)
		if err != nil {
			return err
		}
		before, err := t.sizes()
		if err != nil {
			return err
		}
		noisy, quiet := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() { ended <- noise(noisy, t) }()
		took, err := t.failovers(ctx, rounds)
		if err == nil {
			err = t.answersRoot(ctx)
		}
		quiet()
		err = errors.Join(err, <-ended)
		if err != nil {
			return err
		}
		ratio := took.Seconds() / t.usual.Seconds()
		s.worst = max(s.worst, ratio)
		after, err := t.sizes()
		if err != nil {
			return err
		}
		fmt.Printf("         failover %s, %.2f times the usual %s; memory %+d MiB, log %+d KiB at most\n",
			took.Round(time.Millisecond), ratio, t.usual.Round(time.Millisecond),
			(after.memory-before.memory)>>20, (after.log-before.log)>>10)
		switch {
		case ratio > worstRatio:
			return fmt.Errorf("failover took %.2f times its usual time", ratio)
		case after.memory-before.memory > mostMemory:
			return fmt.Errorf("a daemon grew by %d MiB", (after.memory-before.memory)>>20)
		case after.log-before.log > mostLog:
			return fmt.Errorf("a log grew by %d KiB", (after.log-before.log)>>10)
		}
		return nil
	}
}

// The bounds that an attack has to leave whole. The aim for the ratio is 1.2; machines that also do
// something else need a little more to tell a slow failover from a slow machine.
const (
	worstRatio = 1.5
	mostMemory = 200 << 20
	mostLog    = 512 << 10
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
func handshakes(ctx context.Context, c crowdOf) error {
	return everywhere(ctx, c.Ports, func(ctx context.Context, node string) error {
		dial := func() (net.Conn, error) { return elsewhere.DialContext(ctx, "tcp", c.Ports[node]) }
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

// noises are what a crowd can do, by name; each is made by a process of its own, with the least
// claim to the processors, because a real crowd has machines of its own.
var noises = map[string]func(ctx context.Context, c crowdOf) error{
	"viewer slots": viewerSlots, "viewer reads": viewerReads, "joiner slots": joinerSlots, "joiner memory": joinerMemory,
	"handshakes": handshakes, "junk": junk,
	"local slots": localSlots, "local memory": localMemory, "local reads": localReads,
}

// crowdOf is what a crowd knows of its victims.
type crowdOf struct {
	// Ports and Sockets are the nodes' by name, and Viewer the folder of a viewer's certificate.
	Ports, Sockets map[string]string
	Viewer         string
}

// loudly lets a process of its own make a noise; as nobody where it is a local one, which needs
// root.
func loudly(name string) crowd {
	return func(ctx context.Context, t *town) error {
		local := strings.HasPrefix(name, "local")
		if local && os.Geteuid() != 0 {
			fmt.Println("         (not root: left out)")
			<-ctx.Done()
			return nil
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		program := filepath.Join(t.folder, "attack")
		if err := copyProgram(self, program); err != nil {
			return err
		}
		victims, err := json.Marshal(t.victims())
		if err != nil {
			return err
		}
		child := exec.CommandContext(ctx, "nice", "-n", "19", program, "-noise", name, "-victims", string(victims))
		child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if local {
			child.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		}
		child.Stderr = os.Stderr
		err = child.Run()
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("the crowd went home: %w", err)
	}
}

// noise is what that process does.
func noise(ctx context.Context, name, victims string) error {
	make, known := noises[name]
	if !known {
		return fmt.Errorf("there is no noise %q", name)
	}
	var c crowdOf
	if err := json.Unmarshal([]byte(victims), &c); err != nil {
		return err
	}
	return make(ctx, c)
}

// nobody is the user and the group of that name on most systems.
const nobody = 65534

func copyProgram(from, to string) error {
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	temporary := to + "." + strconv.FormatInt(time.Now().UnixNano(), 36)
	return errors.Join(os.WriteFile(temporary, text, 0o755), os.Rename(temporary, to))
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

// elsewhere dials from an address that is no node's.
var elsewhere = &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 99)}}

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
