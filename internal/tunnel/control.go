package tunnel

import (
	"net"
	"os"
	"time"
)

// Version of the control protocol; a daemon that speaks another one, or has another address,
// retires the running forwarder and starts its own: an older one, from oldestKept on, when it
// carries nothing. Those open and release ways as this one does.
const (
	Version    = 3
	oldestKept = 2
)

const controlLimit = 16 << 10

// request is one line of the daemon; reply is the forwarder's answer.
type request struct {
	Op      string `json:"op"` // hello, open, release, refusals, retire
	Version int    `json:"version,omitempty"`
	Act     string `json:"act,omitempty"`
	Node    string `json:"node,omitempty"`
	Address string `json:"address,omitempty"`
}

type reply struct {
	Error   string `json:"error,omitempty"`
	Version int    `json:"version,omitempty"`
	Route   Route  `json:"route"`
	Status  Status `json:"status"`
	// Refusals are the oldest of those that wait; they wait no longer then.
	Refusals []Refusal `json:"refusals,omitempty"`
}

// Status is what a forwarder tells of itself.
type Status struct {
	PID     int    `json:"pid"`
	Listen  string `json:"listen"`
	Streams int    `json:"streams"`
	Routes  int    `json:"routes"`
}

// maxDaemons bounds the control connections: one daemon, and a hand or two.
const maxDaemons = 8

func (f *forwarder) acceptDaemons(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if !f.daemonCame() {
			_ = conn.Close()
			continue
		}
		go func() {
			defer f.daemonLeft()
			defer conn.Close()
			f.talk(conn)
		}()
	}
}

func (f *forwarder) daemonCame() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.daemons >= maxDaemons {
		return false
	}
	f.daemons++
	return true
}

func (f *forwarder) daemonLeft() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.daemons--
	f.alone = time.Now()
}

func (f *forwarder) talk(conn net.Conn) {
	stop := make(chan struct{})
	defer close(stop)
	go func() { // A retired forwarder hangs up, so that daemons look for its successor.
		select {
		case <-f.retire:
			_ = conn.SetReadDeadline(time.Now())
		case <-stop:
		}
	}()
	for {
		var asked request
		if err := readLine(conn, controlLimit, &asked); err != nil {
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(headerTimeout))
		if err := writeLine(conn, f.answer(asked)); err != nil {
			return
		}
	}
}

func (f *forwarder) answer(asked request) reply {
	switch asked.Op {
	case "hello":
		return reply{Version: Version, Status: f.status()}
	case "open":
		route, err := f.openRoute(asked.Act, asked.Node, asked.Address)
		if err != nil {
			return reply{Error: err.Error()}
		}
		return reply{Route: route}
	case "release":
		f.releaseRoute(asked.Act)
		return reply{}
	case "refusals":
		return reply{Refusals: f.refusals.take()}
	case "retire":
		f.retired.Do(func() { close(f.retire) })
		return reply{}
	}
	return reply{Error: "unknown request " + asked.Op}
}

func (f *forwarder) status() Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Status{PID: os.Getpid(), Listen: f.config.Listen, Streams: f.carried.count(""), Routes: len(f.routes)}
}
