package quorum

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/quorum/quorumtest"
)

// pulses is some nodes with heartbeats and peer tests. A host's kernel answers while it is not
// listed as dead.
type pulses struct {
	t       *testing.T
	network *quorumtest.Network
	wires   map[string]*Wire
	nodes   map[string]*Pulse

	mu        sync.Mutex
	dead      map[string]bool
	unaskable map[string]bool
}

var testKey = []byte("a key of the tests, long enough")

// pairKey is what two nodes have in common, and nobody else.
func pairKey(one, other string) []byte {
	return fmt.Appendf(nil, "a key of the tests for %s and %s", min(one, other), max(one, other))
}

func anyPair(from, to string) []byte { return testKey }

func newPulses(t *testing.T, ids ...string) *pulses {
	t.Helper()
	p := &pulses{
		t: t, network: quorumtest.New(), wires: map[string]*Wire{}, nodes: map[string]*Pulse{},
		dead: map[string]bool{}, unaskable: map[string]bool{},
	}
	for _, id := range ids {
		p.open(id, ids)
	}
	return p
}

func (p *pulses) open(id string, ids []string) {
	p.t.Helper()
	p.wires[id] = NewWire(p.network.Listen(id), nil)
	pulse, err := OpenPulse(PulseOptions{
		ID: id, Packets: p.network.ListenPackets(id), Wire: p.wires[id],
		State:       func() Beat { return Beat{Incarnation: 7, Generation: 1, Applied: 42} },
		ProbeKernel: func(ctx context.Context, peer Peer) (Answer, string) { return p.probe(ctx, id, peer) },
	})
	if err != nil {
		p.t.Fatal(err)
	}
	var peers []Peer
	for _, other := range ids {
		peers = append(peers, Peer{ID: other, Beats: []string{other}, Wire: other, Key: pairKey(id, other)})
	}
	if err := pulse.SetPeers(peers); err != nil {
		p.t.Fatal(err)
	}
	p.nodes[id] = pulse
}

func (p *pulses) probe(ctx context.Context, from string, peer Peer) (Answer, string) {
	p.mu.Lock()
	dead, unaskable := p.dead[peer.ID], p.unaskable[from]
	p.mu.Unlock()
	switch {
	case unaskable:
		return Unknown, "network is down here"
	case dead:
		<-ctx.Done()
		return Silent, "no answer"
	default:
		return Answers, "ping answered"
	}
}

// cutDaemon silences a node's daemon, and with kernel also its host.
func (p *pulses) cutDaemon(id string, kernel bool) {
	p.mu.Lock()
	p.dead[id] = kernel
	p.mu.Unlock()
	p.network.Isolate(id)
}

func (p *pulses) closeNode(id string) {
	p.t.Helper()
	if err := p.nodes[id].Close(); err != nil {
		p.t.Error(err)
	}
	if err := p.wires[id].Close(); err != nil {
		p.t.Error(err)
	}
	delete(p.nodes, id)
}

func (p *pulses) close() {
	p.t.Helper()
	for id := range p.nodes {
		p.closeNode(id)
	}
}

func TestBeatsAreHeardAndSilenceIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b", "c")
		defer p.close()
		time.Sleep(2 * time.Second)
		heard := p.nodes["a"].Heard()
		// Ten of them are due; who finds whom first decides how many answers to a new session count too.
		if beat := heard["b"]; beat.Incarnation != 7 || beat.Generation != 1 || beat.Applied != 42 || beat.Count < 9 ||
			beat.Count > 16 {
			t.Errorf("in two seconds a heard of b: %+v", beat)
		}
		p.network.Mute("b", true)
		time.Sleep(time.Millisecond)
		before := p.nodes["a"].Heard()
		time.Sleep(time.Second)
		after := p.nodes["a"].Heard()
		if after["b"] != before["b"] || after["c"].Count < before["c"].Count+5 {
			t.Errorf("before %v, after a second of silence of b %v", before, after)
		}
		p.network.Mute("b", false)
		time.Sleep(time.Second)
		if p.nodes["a"].Heard()["b"].Count <= after["b"].Count {
			t.Error("b is not heard again")
		}
	})
}

func TestARestartedDaemonIsHeardAndOldBeatsAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b")
		defer p.close()
		var replayed [][]byte
		p.network.Tap(func(to string, bytes []byte) {
			if to == "a" {
				replayed = append(replayed, bytes)
			}
		})
		time.Sleep(time.Second)
		p.closeNode("b")
		p.open("b", []string{"a", "b"})
		time.Sleep(time.Second)
		count := p.nodes["a"].Heard()["b"].Count
		if count < 8 {
			t.Fatalf("the restarted daemon was not heard: %d beats", count)
		}
		p.closeNode("b")
		before := p.nodes["a"].Heard()["b"]
		for _, bytes := range replayed {
			p.network.Inject(bytes, "a")
		}
		time.Sleep(time.Second)
		if after := p.nodes["a"].Heard()["b"]; after != before {
			t.Errorf("a repeated packet counted as life: %+v, then %+v", before, after)
		}
		if p.nodes["a"].Refused() < uint64(len(replayed)/2) {
			t.Errorf("%d refusals of %d repeated packets", p.nodes["a"].Refused(), len(replayed))
		}
	})
}

func TestForgedAndStrayPacketsAreRefused(t *testing.T) {
	good := packet{from: "b", to: "a", session: 3, sequence: 1}
	encoded := good.encode(testKey)
	if decoded, err := decodePacket(encoded, anyPair); err != nil || decoded != good {
		t.Errorf("decoded %+v, %v", decoded, err)
	}
	for i := range encoded {
		changed := slices.Clone(encoded)
		changed[i] ^= 1
		if _, err := decodePacket(changed, anyPair); err == nil {
			t.Fatalf("a packet with byte %d changed was accepted", i)
		}
		if _, err := decodePacket(encoded[:i], anyPair); err == nil {
			t.Fatalf("a packet cut to %d bytes was accepted", i)
		}
	}
}

func FuzzDecodePacket(f *testing.F) {
	f.Add(packet{from: "b", to: "a"}.encode(testKey))
	f.Fuzz(func(t *testing.T, body []byte) {
		// With a right code, so that what lies behind the check is reached too.
		decoded, err := decodePacket(append(body, authenticate(testKey, body)...), anyPair)
		if err == nil && len(decoded.from)+len(decoded.to) > len(body) {
			t.Errorf("%d bytes made the names %q and %q", len(body), decoded.from, decoded.to)
		}
	})
}

func TestPeerTestTellsKernelFromDaemon(t *testing.T) {
	for _, story := range []struct {
		name           string
		arrange        func(*pulses)
		kernel, daemon Answer
		seen           []string
	}{
		{"alive", func(*pulses) {}, Answers, Answers,
			[]string{"a answers/answers", "c answers/answers", "d answers/answers"}},
		{"host lost power", func(p *pulses) { p.cutDaemon("b", true) }, Silent, Silent,
			[]string{"a silent/silent", "c silent/silent", "d silent/silent"}},
		{"daemon stopped", func(p *pulses) { p.cutDaemon("b", false) }, Answers, Silent,
			[]string{"a answers/silent", "c answers/silent", "d answers/silent"}},
		{"only the link from here is broken", func(p *pulses) {
			p.network.Cut("a", "b")
			p.mu.Lock()
			p.unaskable["a"] = true
			p.mu.Unlock()
		}, Answers, Answers, []string{"a unknown/silent", "c answers/answers", "d answers/answers"}},
		{"nobody can be asked", func(p *pulses) {
			p.cutDaemon("b", true)
			p.network.Isolate("a")
			p.mu.Lock()
			p.unaskable["a"] = true
			p.mu.Unlock()
		}, Unknown, Silent, []string{"a unknown/silent", "c unknown/unknown", "d unknown/unknown"}},
	} {
		t.Run(story.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPulses(t, "a", "b", "c", "d")
				defer p.close()
				time.Sleep(time.Second)
				story.arrange(p)
				time.Sleep(time.Second)
				started := time.Now()
				verdict := p.nodes["a"].Test(t.Context(), "b")
				if took := time.Since(started); took > testTimeoutDefault {
					t.Errorf("the test took %s", took)
				}
				if verdict.Kernel != story.kernel || verdict.Daemon != story.daemon {
					t.Errorf("kernel %s, daemon %s; want %s, %s", verdict.Kernel, verdict.Daemon, story.kernel, story.daemon)
				}
				var seen []string
				for _, witness := range verdict.SeenBy {
					seen = append(seen, fmt.Sprintf("%s %s/%s", witness.Peer, witness.Kernel, witness.Daemon))
				}
				if !slices.Equal(seen, story.seen) {
					t.Errorf("seen by %q, want %q: %+v", seen, story.seen, verdict.SeenBy)
				}
			})
		})
	}
}

func TestRealKernelAnswersOnLoopback(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skip("no TCP on loopback here: ", err)
	}
	address := listener.Addr().String()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if answer, detail := connect(ctx, address); answer != Answers || !strings.Contains(detail, "accepted") {
		t.Errorf("an open port: %s, %s", answer, detail)
	}
	listener.Close()
	if answer, detail := connect(ctx, address); answer != Answers || !strings.Contains(detail, "refused") {
		t.Errorf("a closed port: %s, %s", answer, detail)
	}
	answer, detail := echo(ctx, hostsOf([]string{address})[0])
	if answer == Unknown {
		t.Skip("ICMP needs root or net.ipv4.ping_group_range: ", detail)
	}
	if answer != Answers {
		t.Errorf("ping: %s, %s", answer, detail)
	}
}

func TestUDPPacketsArrive(t *testing.T) {
	a, err := ListenPackets("127.0.0.1:0")
	if err != nil {
		t.Skip("no UDP on loopback here: ", err)
	}
	defer a.Close()
	address := a.(udpPackets).connection.LocalAddr().String()
	if err := a.Send([]byte("beat"), address); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 16)
	if n, err := a.Receive(buffer); err != nil || string(buffer[:n]) != "beat" {
		t.Errorf("received %q, %v", buffer[:n], err)
	}
}
