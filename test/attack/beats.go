package main

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// beaters are the attacks on signs of life, by who has been a member and has its key.
var beaters = []attack{
	{"the removed node goes on sending signs of life", removedBeats},
	{"forged beats in a member's name mute it", mutedBeats},
	{"forged beats, and repeated ones, keep a dead member alive", aliveBeats},
}

const (
	// heartbeats is where the keys of beats are kept apart from others of a pair of nodes.
	heartbeats = "heartbeats"
	// silence is how long a member that is dead is unheard of, and one that lives never.
	silence = 2 * time.Second
	// beating is how long the attacker sends.
	beating = 3 * time.Second
)

// beat is a sign of life as it stands on the wire.
type beat struct {
	from, to string
	answer   bool
	// numbers are challenge, echo, session, sequence, generation, incarnation, applied, and what is
	// told of the log.
	numbers [11]uint64
}

func (b beat) encode(key []byte) []byte {
	text := []byte("clusterd-beat-2\x00")
	if b.answer {
		text = []byte("clusterd-echo-2\x00")
	}
	for _, number := range b.numbers {
		text = binary.BigEndian.AppendUint64(text, number)
	}
	for _, name := range []string{b.from, b.to} {
		text = append(append(text, byte(len(name))), name...)
	}
	code := hmac.New(sha256.New, key)
	code.Write(text)
	return code.Sum(text)
}

// pairKey is the key of beats between two machines, from the private key of one.
func (s *site) pairKey(own *pki.NodeKey, other string) ([]byte, error) {
	theirs, err := pki.LoadIdentity(s.world.DataFolder(other)) // of which only the public half is used
	if err != nil {
		return nil, err
	}
	return own.PairKey(theirs.Key.PublicKey(), s.disk.ClusterID, heartbeats)
}

// shower is beats to one node with so long a pause between two handfuls of them.
type shower struct {
	// From is the pretended sender, and At the target's port for the others.
	From, To, At string
	Keys         [][]byte
	Pause        time.Duration
}

// send goes on until the context ends, from an address that is the pretended sender's; each beat
// comes again and again, with sequence numbers that grow, leap and fall back.
func (s shower) send(ctx context.Context) error {
	target, err := heartbeatPort(s.At)
	if err != nil {
		return err
	}
	own := &net.UDPAddr{IP: net.IPv4(127, 0, 0, strings.TrimPrefix(s.From, "node")[0]-'0')}
	conn, err := net.DialUDP("udp", own, target)
	if err != nil {
		return err
	}
	defer conn.Close()
	for step := uint64(1); ctx.Err() == nil; step++ {
		for _, key := range s.Keys {
			for _, sequence := range []uint64{step, step << 32, math.MaxUint64 - step, 1} {
				for _, answer := range []bool{false, true} {
					made := beat{from: s.From, to: s.To, answer: answer,
						numbers: [11]uint64{7, step, 1 + step%3, sequence, 1, math.MaxUint64, math.MaxUint64}}
					_, _ = conn.Write(made.encode(key)) // a port that is closed for a moment says so
				}
			}
		}
		rest(ctx, s.Pause)
	}
	return nil
}

// heartbeatPort is where a node hears beats whose port for the others is known.
func heartbeatPort(address string) (*net.UDPAddr, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, err
	}
	return &net.UDPAddr{IP: net.ParseIP(host), Port: port + 2}, nil
}

// lastHeard is how long ago the victim heard each other node, by its own metrics.
func (s *site) lastHeard(ctx context.Context) (map[string]time.Duration, error) {
	answer, err := overSocket(ctx, s.world.Socket(victim), api.PathMetrics)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	heard := map[string]time.Duration{}
	for lines := bufio.NewScanner(io.LimitReader(answer.Body, 1<<20)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		node, is := strings.CutPrefix(name, `clusterd_node_last_heard_seconds{node="`)
		if seconds, err := strconv.ParseFloat(value, 64); is && err == nil {
			heard[strings.TrimSuffix(node, `"}`)] = time.Duration(seconds * float64(time.Second))
		}
	}
	return heard, nil
}

// overSocket asks on a UNIX socket.
func overSocket(ctx context.Context, socket, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://clusterd"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: dial}
	return (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(request)
}

// under looks again and again while somebody sends beats; look says when it has seen enough.
func (s *site) under(ctx context.Context, from string, keys [][]byte, within time.Duration,
	look func(heard map[string]time.Duration) (bool, error)) error {
	ctx, stop := context.WithTimeout(ctx, within)
	ended := make(chan error, 1)
	pause := 2 * time.Millisecond
	go func() {
		ended <- shower{From: from, To: victim, At: s.address(victim), Keys: keys, Pause: pause}.send(ctx)
	}()
	var err error
	for enough := false; !enough && err == nil && ctx.Err() == nil; rest(ctx, 100*time.Millisecond) {
		var heard map[string]time.Duration
		if heard, err = s.lastHeard(ctx); err == nil {
			enough, err = look(heard)
		}
	}
	if ctx.Err() != nil {
		err = nil // what was asked when time ran out has no answer
	}
	stop()
	return errors.Join(err, <-ended)
}

// stolenKeys are all that the removed node's disk opens of beats, and keys that are none.
func (s *site) stolenKeys() ([][]byte, error) {
	keys := [][]byte{nil, make([]byte, 32)}
	for _, other := range s.members {
		key, err := s.pairKey(s.disk.Key, other)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func removedBeats(ctx context.Context, s *site) error {
	keys, err := s.stolenKeys()
	if err != nil {
		return err
	}
	return s.under(ctx, removed, keys, beating, func(heard map[string]time.Duration) (bool, error) {
		if _, known := heard[removed]; known {
			return true, fmt.Errorf("%s hears %s, which was removed", victim, removed)
		}
		return false, nil
	})
}

func mutedBeats(ctx context.Context, s *site) error {
	keys, err := s.stolenKeys()
	if err != nil {
		return err
	}
	looked := 0
	err = s.under(ctx, "node2", keys, beating, func(heard map[string]time.Duration) (bool, error) {
		looked++
		if ago, known := heard["node2"]; !known || ago > silence {
			return true, fmt.Errorf("node2 lives and was last heard %s ago (known: %v)", ago, known)
		}
		return false, nil
	})
	if err == nil && looked == 0 {
		return fmt.Errorf("%s was not looked at: %w", victim, errUntried)
	}
	return err
}

// aliveBeats ends a member's daemon and sends beats in its name: forged ones, and with its own key
// ones of a session that is over, which is what somebody has who wrote down all that it ever sent.
func aliveBeats(ctx context.Context, s *site) error {
	keys, err := s.stolenKeys()
	if err != nil {
		return err
	}
	dead, err := pki.LoadIdentity(s.world.DataFolder("node2"))
	if err != nil {
		return err
	}
	recorded, err := s.pairKey(dead.Key, victim)
	if err != nil {
		return err
	}
	if err := s.StopDaemon(ctx, "node2"); err != nil {
		return err
	}
	answered, hangUp, err := answers(s.address("node2"))
	if err != nil {
		return errors.Join(err, s.StartDaemon(ctx, "node2"))
	}
	noticed := false
	err = s.under(ctx, "node2", append(keys, recorded), 4*beating, func(heard map[string]time.Duration) (bool, error) {
		noticed = heard["node2"] > silence
		return noticed, nil
	})
	if err == nil && !noticed {
		err = fmt.Errorf("the daemon of node2 has ended, and %s goes on hearing it", victim)
	}
	hangUp()
	if read := <-answered; err == nil && !read {
		err = fmt.Errorf("%s answered none of the beats with node2's own key: %w", victim, errUntried)
	}
	return errors.Join(err, s.StartDaemon(ctx, "node2"))
}

// answers listens in the place of a dead member, at its port for the others. A beat with the right
// key that is not believed yet is answered there with what it would have to echo: so the attacker's
// beats were read.
// Once it hangs up it has heard one or none.
func answers(address string) (heard <-chan bool, hangUp func(), err error) {
	place, err := heartbeatPort(address)
	if err != nil {
		return nil, nil, err
	}
	conn, err := net.ListenUDP("udp", place)
	if err != nil {
		return nil, nil, err
	}
	found := make(chan bool, 1)
	go func() {
		packet := make([]byte, 2048)
		for {
			length, err := conn.Read(packet)
			if err != nil || strings.HasPrefix(string(packet[:length]), "clusterd-echo-2") {
				found <- err == nil
				return
			}
		}
	}()
	return found, func() { conn.Close() }, nil
}
