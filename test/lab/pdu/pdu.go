// Package pdu is a switched power strip for the lab, and the fence agent that
// speaks to it: what a host with two power supplies hangs on, and what is left
// when its BMC is dead.
//
// The strip is simulated; that the machine behind it loses its power is not. The
// agent is a program of its own that follows the fence-agents project's protocol
// (key=value lines on standard input, exit status 2 for off), as any other.
package pdu

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Limits of one connection and of the record.
const (
	conversation = 10 * time.Second
	largestLine  = 256
	mostSwitched = 1000
)

// Switched is one change of an outlet.
type Switched struct {
	Outlet string
	On     bool
	At     time.Time
}

// Strip is a power strip that serves its outlets over TCP.
type Strip struct {
	// Password opens it.
	Password string
	// Changed is told after each command which outlet is on now. It is called by one
	// goroutine at a time, and the client waits for it.
	Changed func(outlet string, on bool) error

	mu      sync.Mutex
	outlets map[string]bool
	record  []Switched
}

// NewStrip makes a strip whose outlets are on.
func NewStrip(password string, outlets []string, changed func(outlet string, on bool) error) *Strip {
	s := &Strip{Password: password, Changed: changed, outlets: map[string]bool{}}
	for _, outlet := range outlets {
		s.outlets[outlet] = true
	}
	return s
}

// Serve answers until the listener is closed.
func (s *Strip) Serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(conversation))
			line, err := bufio.NewReaderSize(conn, largestLine).ReadString('\n')
			if err == nil {
				fmt.Fprintln(conn, s.answer(strings.Fields(line)))
			}
		}()
	}
}

// answer does what "PASSWORD VERB OUTLET" says.
func (s *Strip) answer(words []string) string {
	if len(words) != 3 || words[0] != s.Password {
		return "denied"
	}
	switch words[1] {
	case "status":
		on, known := s.On(words[2])
		switch {
		case !known:
			return "unknown outlet"
		case on:
			return "on"
		}
		return "off"
	case "on", "off":
		if err := s.Switch(words[2], words[1] == "on"); err != nil {
			return err.Error()
		}
		return "done"
	}
	return "unknown command"
}

// On reports whether an outlet gives power.
func (s *Strip) On(outlet string) (on, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	on, known = s.outlets[outlet]
	return on, known
}

// Switch switches an outlet, as its agent would.
func (s *Strip) Switch(outlet string, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.outlets[outlet]; !known {
		return errors.New("unknown outlet")
	}
	s.outlets[outlet] = on
	if len(s.record) < mostSwitched {
		s.record = append(s.record, Switched{Outlet: outlet, On: on, At: time.Now()})
	}
	return s.Changed(outlet, on)
}

// Any reports whether one of the outlets gives power. It is for Changed, which is
// called while nothing else is switched.
func (s *Strip) Any(outlets []string) bool {
	return slices.ContainsFunc(outlets, func(outlet string) bool { return s.outlets[outlet] })
}

// Record is what was switched, oldest first.
func (s *Strip) Record() []Switched {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.record)
}
