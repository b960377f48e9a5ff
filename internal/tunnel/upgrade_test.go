package tunnel

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// olderForwarder answers as one of version 2 does, which is the process of a program that is
// replaced.
type olderForwarder struct {
	listener net.Listener

	mu      sync.Mutex
	status  Status
	hellos  int
	retired bool
}

func playOlder(t *testing.T, config Config, status Status) *olderForwarder {
	t.Helper()
	listener, err := net.Listen("unix", config.controlPath())
	if err != nil {
		t.Fatal(err)
	}
	status.Listen = config.Listen
	o := &olderForwarder{listener: listener, status: status}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go o.talk(conn)
		}
	}()
	return o
}

func (o *olderForwarder) talk(conn net.Conn) {
	defer conn.Close()
	for {
		var asked request
		if err := readLine(conn, controlLimit, &asked); err != nil {
			return
		}
		if err := writeLine(conn, o.answer(asked)); err != nil {
			return
		}
	}
}

func (o *olderForwarder) answer(asked request) reply {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch asked.Op {
	case "hello":
		o.hellos++
		return reply{Version: 2, Status: o.status}
	case "open":
		return reply{Route: Route{APIURI: "older"}}
	case "retire":
		o.retired = true
		_ = o.listener.Close()
		return reply{}
	}
	return reply{Error: "unknown request " + asked.Op}
}

// carries changes what it has open, and returns when the daemon has asked it twice since.
func (o *olderForwarder) carries(t *testing.T, streams, routes int) {
	t.Helper()
	o.mu.Lock()
	o.status.Streams, o.status.Routes, o.hellos = streams, routes, 0
	o.mu.Unlock()
	until(t, "the daemon looked at it again", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.hellos >= 2 || o.retired
	})
}

func (o *olderForwarder) isRetired() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.retired
}

// TestAnUpgradeCutsNoMove: an older forwarder cuts its streams 80 s after it was retired.
func TestAnUpgradeCutsNoMove(t *testing.T) {
	config := testConfig(t)
	config.Refused = func(Refusal) {} // so that it is asked for refusals too, which it does not know
	older := playOlder(t, config, Status{PID: 1, Streams: 1})
	client := ensureProcess(t, config)
	defer client.Close()
	for _, carried := range []Status{{Streams: 1, Routes: 1}, {Routes: 1}, {Streams: 2}} {
		older.carries(t, carried.Streams, carried.Routes)
		if older.isRetired() {
			t.Fatalf("it carries %+v and was retired", carried)
		}
	}
	if route, err := client.Open(t.Context(), "node2", config.Listen, "1.9.0"); err != nil || route.APIURI != "older" {
		t.Fatalf("no move goes through it meanwhile: %v, %v", route, err)
	}
	older.carries(t, 0, 0)
	until(t, "it has a successor", older.isRetired)
	successor := pidOf(t, client)
	if successor == 1 || successor == os.Getpid() {
		t.Fatalf("the forwarder is %d", successor)
	}
	_ = syscall.Kill(successor, syscall.SIGTERM)
}

func TestWhichForwarderGoesOn(t *testing.T) {
	now := time.Now()
	for name, c := range map[string]struct {
		version, streams, routes int
		listen                   string
		since                    time.Duration
		goesOn                   bool
	}{
		"one that carries something":     {version: 2, streams: 1, goesOn: true},
		"one with a way open":            {version: 2, routes: 1, goesOn: true},
		"one that carries nothing":       {version: 2},
		"one that opens no ways of ours": {version: 1, streams: 1},
		"one that is newer":              {version: Version + 1, streams: 1},
		"one that nobody finds":          {version: 2, streams: 1, listen: "192.0.2.9:7441"},
		"one that has been kept a while": {version: 2, streams: 1, since: 23 * time.Hour, goesOn: true},
		"one that never has a pause":     {version: 2, streams: 1, since: 24 * time.Hour},
	} {
		client := Client{config: Config{Listen: "192.0.2.1:7441"}.withDefaults()}
		if c.since > 0 {
			client.old = now.Add(-c.since)
		}
		got := reply{Version: c.version, Status: Status{Listen: "192.0.2.1:7441", Streams: c.streams, Routes: c.routes}}
		if c.listen != "" {
			got.Status.Listen = c.listen
		}
		if goesOn := client.mayGoOn(got, now); goesOn != c.goesOn {
			t.Errorf("%s goes on: %v", name, goesOn)
		}
	}
}

// TestARetiredForwarderEndsWhenToldTo: it waits for its streams, but not for longer than Drain once
// the host goes down.
func TestARetiredForwarderEndsWhenToldTo(t *testing.T) {
	config := testConfig(t)
	config.Drain = time.Millisecond
	held, err := net.Listen("unix", config.LibvirtSocket)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	stop := run(t, config)
	conn, _, err := hello(config.controlPath())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	opened, err := exchange(conn, request{Op: "open", Node: "node2", Address: config.Listen, Act: "1.9.0"})
	if err != nil || opened.Error != "" {
		t.Fatal(opened, err)
	}
	api, _ := socketOf(t, opened.Route)
	stream, err := net.Dial("unix", api)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	until(t, "the stream is carried", func() bool {
		got, err := exchange(conn, request{Op: "hello", Version: Version})
		return err == nil && got.Status.Streams > 0
	})
	if _, err := exchange(conn, request{Op: "retire"}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatal(err)
		}
	case <-ctx.Done():
		t.Fatal("it waits for its stream though it was told to end")
	}
}
