package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	probeInterval   = 5 * time.Millisecond
	probePatience   = 20 * time.Millisecond
	probeRunsLimit  = 256
	guestEchoPort   = 7
	guestOrderPort  = 8
	guestMACPattern = "52:54:00:77:00:%02x"
)

// GuestRun is one run of a guest as seen from outside: the same nonce is the same run, also on
// another host.
type GuestRun struct {
	Nonce     string
	FirstSeen time.Time
	LastSeen  time.Time
	FirstTick uint64
	LastTick  uint64
}

// ProbeReport is what a probe has seen since its start or since its last [Probe.Reset].
type ProbeReport struct {
	Sent, Received uint64
	// LongestSilence is the longest time without an answer, the one that is going on included.
	LongestSilence time.Duration
	// SilentFor is how long the guest has been silent now.
	SilentFor time.Duration
	// LastTick and LastNonce come from the newest answer.
	LastTick  uint64
	LastNonce string
	// Runs are the guest's runs in the order of their first answers.
	Runs []GuestRun
	// TickWentBack counts answers of the same run with a lower tick than an answer to an earlier
	// question: a copy.
	TickWentBack uint64
}

// Probe asks a guest for its state each five milliseconds, from the hub.
type Probe struct {
	socket net.PacketConn
	target *net.UDPAddr
	stop   chan struct{}
	ended  sync.WaitGroup

	mu       sync.Mutex
	report   ProbeReport
	lastSeen time.Time // Of the last answer, or of the start: silence is counted from here.
	newest   uint64    // The sequence number of the newest answered question.
}

// ProbeGuest starts to probe the guest with this address. Stop it with [Probe.Stop].
func (l *Lab) ProbeGuest(address string) (*Probe, error) {
	target, err := l.knowGuest(address)
	if err != nil {
		return nil, err
	}
	socket, err := l.ListenPacketInHub(":0")
	if err != nil {
		return nil, err
	}
	target.Port = guestEchoPort
	p := &Probe{socket: socket, target: target, stop: make(chan struct{}), lastSeen: time.Now()}
	p.ended.Go(p.ask)
	p.ended.Go(p.listen)
	return p, nil
}

// knowGuest writes the guest's MAC into the hub's neighbour table, because a search for a
// neighbour that was away takes up to a second and would be measured as the guest's silence.
func (l *Lab) knowGuest(address string) (*net.UDPAddr, error) {
	ip := net.ParseIP(address).To4()
	if ip == nil {
		return nil, fmt.Errorf("%q is not an IPv4 address", address)
	}
	line := fmt.Sprintf("neigh replace %s lladdr "+guestMACPattern+" nud permanent dev %s", ip, ip[3],
		l.bridgeName(Guests))
	return &net.UDPAddr{IP: ip}, l.ipInHub(context.Background(), line)
}

func (p *Probe) ask() {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	var sequence uint64
	for {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
		}
		sequence++
		// An error here (no route, no buffer) is just one more question without an answer.
		_, _ = p.socket.WriteTo(strconv.AppendUint(nil, sequence, 10), p.target)
		p.mu.Lock()
		p.report.Sent++
		p.mu.Unlock()
	}
}

func (p *Probe) listen() {
	buffer := make([]byte, 512)
	for {
		count, _, err := p.socket.ReadFrom(buffer)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.hear(string(buffer[:count]), time.Now())
		}
	}
}

// hear takes in one answer: "SEQUENCE|NONCE|TICK|MS".
func (p *Probe) hear(answer string, now time.Time) {
	fields := strings.Split(answer, "|")
	if len(fields) != 4 {
		return
	}
	sequence, sequenceError := strconv.ParseUint(fields[0], 10, 64)
	tick, tickError := strconv.ParseUint(fields[2], 10, 64)
	if sequenceError != nil || tickError != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	report := &p.report
	report.Received++
	report.LongestSilence = max(report.LongestSilence, now.Sub(p.lastSeen))
	p.lastSeen = now
	run := report.runOf(fields[1], tick, now)
	if run == nil {
		return
	}
	if tick < run.LastTick && sequence > p.newest {
		report.TickWentBack++
	}
	p.newest = max(p.newest, sequence)
	run.LastSeen, run.LastTick = now, max(run.LastTick, tick)
	report.LastTick, report.LastNonce = tick, fields[1]
}

// runOf finds or adds the run of a nonce; nil when there are too many to remember.
func (r *ProbeReport) runOf(nonce string, tick uint64, now time.Time) *GuestRun {
	for index := range r.Runs {
		if r.Runs[index].Nonce == nonce {
			return &r.Runs[index]
		}
	}
	if len(r.Runs) >= probeRunsLimit {
		return nil
	}
	r.Runs = append(r.Runs, GuestRun{Nonce: nonce, FirstSeen: now, FirstTick: tick})
	return &r.Runs[len(r.Runs)-1]
}

// Report tells what was seen so far.
func (p *Probe) Report() ProbeReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	report := p.report
	report.Runs = append([]GuestRun(nil), p.report.Runs...)
	report.SilentFor = time.Since(p.lastSeen)
	report.LongestSilence = max(report.LongestSilence, report.SilentFor)
	return report
}

// Reset forgets what was seen; silence is counted anew from now.
func (p *Probe) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report, p.lastSeen = ProbeReport{}, time.Now()
}

// WaitForAnswer waits until the guest has answered after the probe's start or last [Probe.Reset].
func (p *Probe) WaitForAnswer(ctx context.Context) error {
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		if report := p.Report(); report.Received > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the guest at %s does not answer: %w", p.target.IP, ctx.Err())
		case <-ticker.C:
		}
	}
}

// Stop ends the probe and gives its last report. It may be called twice.
func (p *Probe) Stop() ProbeReport {
	p.mu.Lock()
	select {
	case <-p.stop:
	default:
		close(p.stop)
		_ = p.socket.Close()
	}
	p.mu.Unlock()
	p.ended.Wait()
	return p.Report()
}

// OrderGuest sends a guest an order: "dirty KIB_PER_SECOND", "poweroff", "reset" or "hang". It
// returns an error when no confirmation comes; for poweroff and reset none can come, and nil is
// returned.
func (l *Lab) OrderGuest(ctx context.Context, address, order string) error {
	target, err := l.knowGuest(address)
	if err != nil {
		return err
	}
	target.Port = guestOrderPort
	socket, err := l.ListenPacketInHub(":0")
	if err != nil {
		return err
	}
	defer socket.Close()
	if order == "poweroff" || order == "reset" {
		_, err = socket.WriteTo([]byte(order), target)
		return err
	}
	for range 50 {
		_, _ = socket.WriteTo([]byte(order), target)
		_ = socket.SetReadDeadline(time.Now().Add(probePatience))
		if _, _, err = socket.ReadFrom(make([]byte, 64)); err == nil {
			return nil
		}
		if ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	return fmt.Errorf("the guest at %s does not confirm %q: %w", address, order, errors.Join(err, ctx.Err()))
}
