package watchdog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"
)

// A UNIX socket where a watchdog's device is looked for is a simulated watchdog,
// for machines that are pretended themselves: what listens there ends the machine
// when it is petted no more. It does what a device does with magic close: it is
// armed with a timeout that it says back, each pet begins the timeout anew, and a
// connection that ends without a word disarms nothing.
//
// The talk is one line of JSON each way: {"do":"arm","seconds":5} is answered by
// {"identity":"...","seconds":5}, {"do":"pet"} and {"do":"disarm"} by {}; an answer
// with a problem has not done it.
type simulatedWord struct {
	Do      string `json:"do"`
	Seconds int    `json:"seconds,omitempty"`
}

type simulatedAnswer struct {
	Identity string `json:"identity,omitempty"`
	Seconds  int    `json:"seconds,omitempty"`
	Problem  string `json:"problem,omitempty"`
}

// simulatedPatience bounds each word, so that a silent listener does not hold the
// keeper up for longer than a pet may take.
const simulatedPatience = 500 * time.Millisecond

// Simulated reports whether a watchdog's path is a simulated one's.
func Simulated(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Type() == fs.ModeSocket
}

type simulatedTimer struct {
	conn   net.Conn
	answer *bufio.Reader
	told   Info
}

func armSimulated(path string, timeout time.Duration, noWayOut bool) (timer, error) {
	switch {
	case timeout < time.Second || timeout%time.Second != 0:
		return nil, fmt.Errorf("%w: a timeout of %v is not a whole number of seconds", ErrNotAsAsked, timeout)
	case noWayOut:
		return nil, fmt.Errorf("%w: %s is simulated, and is never set to nowayout", ErrNotAsAsked, path)
	}
	conn, err := net.DialTimeout("unix", path, simulatedPatience)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotAsAsked, err)
	}
	d := &simulatedTimer{conn: conn, answer: bufio.NewReaderSize(conn, 512), told: Info{Device: path, MagicClose: true}}
	seconds := int(timeout / time.Second)
	answer, err := d.ask(simulatedWord{Do: "arm", Seconds: seconds})
	if err == nil && answer.Seconds != seconds {
		err = fmt.Errorf("it says its timeout is %d s, and %d s was asked for", answer.Seconds, seconds)
	}
	if err != nil {
		_, disarming := d.ask(simulatedWord{Do: "disarm"})
		_ = conn.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrNotAsAsked, path, errors.Join(err, disarming))
	}
	d.told.Identity, d.told.Timeout = "simulated: "+answer.Identity, timeout
	return d, nil
}

func (d *simulatedTimer) ask(w simulatedWord) (simulatedAnswer, error) {
	var answer simulatedAnswer
	_ = d.conn.SetDeadline(time.Now().Add(simulatedPatience))
	if err := json.NewEncoder(d.conn).Encode(w); err != nil {
		return answer, err
	}
	line, err := d.answer.ReadSlice('\n')
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(line, &answer); err != nil {
		return answer, fmt.Errorf("it answers %q: %w", line, err)
	}
	if answer.Problem != "" {
		return answer, errors.New(answer.Problem)
	}
	return answer, nil
}

func (d *simulatedTimer) info() Info { return d.told }

func (d *simulatedTimer) pet() error {
	_, err := d.ask(simulatedWord{Do: "pet"})
	return err
}

func (d *simulatedTimer) disarm() error {
	_, err := d.ask(simulatedWord{Do: "disarm"})
	return errors.Join(err, d.conn.Close())
}

// SimulatedWatchdog is the listener's side: one watchdog of a pretended machine.
type SimulatedWatchdog struct {
	// Reset ends the machine. It is called once, when an armed watchdog was not petted
	// for its timeout.
	Reset func()

	mu    sync.Mutex
	timer *time.Timer
	wait  time.Duration
}

// mostSimulated bounds the lines of one connection by their length.
const mostSimulated = 512

// Serve takes connections, one after the other as the device can be opened once,
// until the listener is closed.
func (s *SimulatedWatchdog) Serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.talk(conn)
	}
}

// Stop ends the counting: the machine has lost its power otherwise.
func (s *SimulatedWatchdog) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.timer.Stop()
	}
}

func (s *SimulatedWatchdog) talk(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	scanner := bufio.NewScanner(conn)
	scanner.Buffer(make([]byte, mostSimulated), mostSimulated)
	for scanner.Scan() {
		var w simulatedWord
		answer := simulatedAnswer{}
		if err := json.Unmarshal(scanner.Bytes(), &w); err != nil {
			answer.Problem = err.Error()
		} else {
			answer = s.obey(w)
		}
		if json.NewEncoder(conn).Encode(answer) != nil {
			return
		}
	}
}

func (s *SimulatedWatchdog) obey(w simulatedWord) simulatedAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case w.Do == "arm" && w.Seconds > 0 && w.Seconds <= 3600:
		s.wait = time.Duration(w.Seconds) * time.Second
		if s.timer == nil {
			s.timer = time.AfterFunc(s.wait, s.Reset)
		} else {
			s.timer.Reset(s.wait)
		}
		return simulatedAnswer{Identity: "a pretended machine's", Seconds: w.Seconds}
	case w.Do == "pet" && s.timer != nil:
		s.timer.Reset(s.wait)
		return simulatedAnswer{}
	case w.Do == "disarm" && s.timer != nil:
		s.timer.Stop()
		return simulatedAnswer{}
	}
	return simulatedAnswer{Problem: fmt.Sprintf("it cannot %q now", w.Do)}
}
