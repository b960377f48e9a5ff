package systemd

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bus "github.com/godbus/dbus/v5"
)

// peer speaks D-Bus as systemd does on its private socket, for what a real one is
// hard to bring to: not to answer, and to go away in the middle. It knows neither
// units nor jobs beyond the answers it is given.
type peer struct {
	t      *testing.T
	folder string
	// answer says what to send back for a call, in order; none is silence.
	answer func(call *bus.Message) []*bus.Message

	mu    sync.Mutex
	conns []net.Conn
}

func newPeer(t *testing.T, answer func(*bus.Message) []*bus.Message) *peer {
	p := &peer{t: t, folder: t.TempDir(), answer: answer}
	listener, err := net.Listen("unix", filepath.Join(p.folder, "private"))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			p.conns = append(p.conns, conn)
			p.mu.Unlock()
			go p.serve(conn)
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		p.hangUp()
	})
	return p
}

func (p *peer) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
	p.conns = nil
}

// serve lets anybody in, as the D-Bus specification's EXTERNAL has it, and answers calls.
func (p *peer) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.Trim(line, "\x00\r\n")
		switch {
		case line == "BEGIN":
			p.calls(conn, in)
			return
		case line == "AUTH EXTERNAL":
			fmt.Fprint(conn, "DATA\r\n")
		case strings.HasPrefix(line, "DATA"):
			fmt.Fprint(conn, "OK 0123456789abcdef0123456789abcdef\r\n")
		case line == "AUTH":
			fmt.Fprint(conn, "REJECTED EXTERNAL\r\n")
		default:
			fmt.Fprint(conn, "ERROR\r\n")
		}
	}
}

func (p *peer) calls(conn net.Conn, in *bufio.Reader) {
	for {
		call, err := bus.DecodeMessage(in)
		if err != nil {
			return
		}
		var answers []*bus.Message
		switch member(call) {
		case "AddMatch", "Subscribe":
			answers = []*bus.Message{reply(call)}
		default:
			answers = p.answer(call)
		}
		p.mu.Lock()
		for _, to := range p.conns {
			for _, m := range answers {
				if m.Type == bus.TypeSignal || to == conn {
					_ = m.EncodeTo(to, binary.LittleEndian)
				}
			}
		}
		p.mu.Unlock()
	}
}

func member(m *bus.Message) string {
	name, _ := m.Headers[bus.FieldMember].Value().(string)
	return name
}

func message(kind bus.Type, headers map[bus.HeaderField]bus.Variant, body ...any) *bus.Message {
	if len(body) > 0 {
		headers[bus.FieldSignature] = bus.MakeVariant(bus.SignatureOf(body...))
	}
	return &bus.Message{Type: kind, Headers: headers, Body: body}
}

func reply(to *bus.Message, body ...any) *bus.Message {
	return message(bus.TypeMethodReply,
		map[bus.HeaderField]bus.Variant{bus.FieldReplySerial: bus.MakeVariant(to.Serial())}, body...)
}

func refusal(to *bus.Message, name, why string) *bus.Message {
	m := reply(to, why)
	m.Type = bus.TypeError
	m.Headers[bus.FieldErrorName] = bus.MakeVariant(name)
	return m
}

const oneJob = bus.ObjectPath("/org/freedesktop/systemd1/job/7")

func removed(unit, result string) *bus.Message {
	return message(bus.TypeSignal, map[bus.HeaderField]bus.Variant{
		bus.FieldPath:      bus.MakeVariant(bus.ObjectPath("/org/freedesktop/systemd1")),
		bus.FieldInterface: bus.MakeVariant("org.freedesktop.systemd1.Manager"),
		bus.FieldMember:    bus.MakeVariant("JobRemoved")}, uint32(7), oneJob, unit, result)
}

func ask(t *testing.T, p *peer, limit time.Duration) (string, error) {
	m := New(p.folder)
	defer m.Close()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return m.Start(ctx, "web.service")
}

func TestAJobEndsAsSystemdSays(t *testing.T) {
	for _, result := range []string{"done", "failed", "dependency"} {
		p := newPeer(t, func(call *bus.Message) []*bus.Message {
			return []*bus.Message{reply(call, oneJob), removed("web.service", result)}
		})
		if got, err := ask(t, p, 10*time.Second); err != nil || got != result {
			t.Errorf("%q %v, want %q", got, err, result)
		}
	}
}

func TestARefusalIsNoWantOfAnAnswer(t *testing.T) {
	p := newPeer(t, func(call *bus.Message) []*bus.Message {
		return []*bus.Message{refusal(call, "org.freedesktop.systemd1.NoSuchUnit", "Unit web.service not found.")}
	})
	if _, err := ask(t, p, 10*time.Second); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "Unit web.service not found.") {
		t.Error(err)
	}
}

// A deadline ends the waiting, whether systemd never answers or the job never ends.
func TestASystemdThatHangsIsNotWaitedForLonger(t *testing.T) {
	silent := func(*bus.Message) []*bus.Message { return nil }
	endless := func(call *bus.Message) []*bus.Message { return []*bus.Message{reply(call, oneJob)} }
	for name, answer := range map[string]func(*bus.Message) []*bus.Message{"silent": silent, "endless": endless} {
		begun := time.Now()
		if _, err := ask(t, newPeer(t, answer), 200*time.Millisecond); !errors.Is(err, ErrNoAnswer) ||
			!errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: waited for %s", name, took)
		}
	}
}

// One call that hangs must not hold up another beyond its own time.
func TestAHangingCallHoldsUpNoOther(t *testing.T) {
	p := newPeer(t, func(*bus.Message) []*bus.Message { return nil })
	m := New(p.folder)
	long, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := m.Start(long, "first.service")
		first <- err
	}()
	short, done := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer done()
	begun := time.Now()
	if _, err := m.Start(short, "second.service"); !errors.Is(err, ErrNoAnswer) || time.Since(begun) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	cancel()
	if err := <-first; !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
	m.Close()
}

func TestALostConnectionIsUnknownAndMadeAnew(t *testing.T) {
	asked := make(chan bool, 1)
	var p *peer
	var lost atomic.Bool
	p = newPeer(t, func(call *bus.Message) []*bus.Message {
		if lost.CompareAndSwap(false, true) {
			asked <- true
			return []*bus.Message{reply(call, oneJob)}
		}
		return []*bus.Message{reply(call, oneJob), removed("web.service", "done")}
	})
	m := New(p.folder)
	defer m.Close()
	go func() {
		<-asked
		p.hangUp()
	}()
	if _, err := m.Start(t.Context(), "web.service"); !errors.Is(err, ErrNoAnswer) {
		t.Errorf("%v", err)
	}
	if result, err := m.Start(t.Context(), "web.service"); err != nil || result != "done" {
		t.Errorf("%q %v", result, err)
	}
}

func TestASystemdThatDoesNotLetInIsNotWaitedFor(t *testing.T) {
	folder := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(folder, "private"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() // it accepts nobody
	m := New(folder)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := m.State(ctx, "web.service"); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
}

func TestAStateThatIsNotWholeIsNone(t *testing.T) {
	state := func(names ...string) (State, error) {
		all := map[string]bus.Variant{"LoadState": bus.MakeVariant("loaded"), "ActiveState": bus.MakeVariant("active"),
			"SubState": bus.MakeVariant("running"),
			"Job": bus.MakeVariant(struct {
				ID   uint32
				Path bus.ObjectPath
			}{7, oneJob})}
		told := map[string]bus.Variant{}
		for _, name := range names {
			told[name] = all[name]
		}
		m := New(newPeer(t, func(call *bus.Message) []*bus.Message { return []*bus.Message{reply(call, told)} }).folder)
		defer m.Close()
		return m.State(t.Context(), "web.service")
	}
	if s, err := state("LoadState", "ActiveState", "SubState", "Job"); err != nil ||
		s != (State{Load: "loaded", Active: "active", Sub: "running", Job: 7}) {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := state("LoadState", "ActiveState", "SubState"); !errors.Is(err, ErrNoAnswer) {
		t.Error(err)
	}
}

// TestAStopWaitsForNoEndThatWaitsForIt: units are ordered before the hand-over and the daemon, so
// that systemd would hold their stop up until those are over.
func TestAStopWaitsForNoEndThatWaitsForIt(t *testing.T) {
	type unit struct {
		active string
		job    uint32
	}
	for name, c := range map[string]struct {
		handover, daemon unit
		want             string
	}{
		"nothing is under way":    {unit{"active", 0}, unit{"active", 0}, "replace"},
		"the hand-over ends":      {unit{"deactivating", 7}, unit{"active", 7}, "ignore-dependencies"},
		"no hand-over, and ends":  {unit{"inactive", 0}, unit{"active", 7}, "ignore-dependencies"},
		"the daemon ends":         {unit{"inactive", 0}, unit{"deactivating", 7}, "ignore-dependencies"},
		"the daemon only starts":  {unit{"inactive", 0}, unit{"activating", 7}, "replace"},
		"its start is waited for": {unit{"inactive", 0}, unit{"inactive", 7}, "replace"},
	} {
		p := newPeer(t, func(call *bus.Message) []*bus.Message {
			is := c.daemon
			if path, _ := call.Headers[bus.FieldPath].Value().(bus.ObjectPath); strings.Contains(string(path), "handover") {
				is = c.handover
			}
			return []*bus.Message{reply(call, map[string]bus.Variant{"LoadState": bus.MakeVariant("loaded"),
				"ActiveState": bus.MakeVariant(is.active), "SubState": bus.MakeVariant("x"),
				"Job": bus.MakeVariant(struct {
					ID   uint32
					Path bus.ObjectPath
				}{is.job, oneJob})})}
		})
		m := New(p.folder)
		m.dropIns = t.TempDir()
		if got := m.stopMode(t.Context()); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		m.Close()
	}
}
