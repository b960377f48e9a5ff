package bmc

import (
	"net"
	"sync"
	"time"
)

// Faults is what goes wrong. The zero value is a healthy controller.
type Faults struct {
	// Stuck acknowledges every power command and does nothing.
	Stuck bool
	// SlowOff is the time between accepting an off command and the power
	// being off; real boards take four to five seconds.
	SlowOff time.Duration
	// Flapping answers readings with off and on by turns.
	Flapping bool
	// Refuse answers power commands with an error.
	Refuse bool
	// LieOff makes it say off for so long after an off command while the host
	// keeps running.
	LieOff time.Duration
	// Deaf drops every datagram.
	Deaf bool
	// DiesWithHost carries an off command out, answers it, and is deaf from then
	// on, as a controller that is fed by its host's own power supply.
	DiesWithHost bool
	// Lose drops this many datagrams, then no more.
	Lose int
}

// line is the controller's network connection.
type line struct {
	socket *net.UDPConn

	mu   sync.Mutex
	deaf bool
	lose int
	// last lets one more answer out before the line goes dead.
	last bool
}

// ReadFrom returns the next datagram that was not lost.
func (l *line) ReadFrom(buffer []byte) (int, net.Addr, error) {
	for {
		n, from, err := l.socket.ReadFromUDP(buffer)
		if err != nil {
			return 0, nil, err
		}
		if !l.lost() {
			return n, from, nil
		}
	}
}

// WriteTo sends an answer, unless the line went dead meanwhile.
func (l *line) WriteTo(data []byte, to net.Addr) (int, error) {
	if l.silent() {
		return len(data), nil
	}
	return l.socket.WriteTo(data, to)
}

// silent reports whether an answer is dropped.
func (l *line) silent() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last {
		l.last = false
		return false
	}
	return l.deaf
}

// dieAfterAnswer makes the answer under way the last one.
func (l *line) dieAfterAnswer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf, l.last = true, true
}

// Close ends the connection.
func (l *line) Close() error { return l.socket.Close() }

func (l *line) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose > 0 {
		l.lose--
		return true
	}
	return l.deaf
}

func (l *line) setFaults(faults Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf, l.lose, l.last = faults.Deaf, faults.Lose, false
}
