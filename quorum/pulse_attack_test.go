package quorum

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Attacks on heartbeats, by somebody who hears all packets, sends any, and has been a member.

// forge makes a beat in a node's name with some key.
func forge(from, to string, key []byte, session, sequence uint64) []byte {
	made := packet{from: from, to: to, session: session, sequence: sequence, challenge: 7, generation: 1, incarnation: 7}
	return made.encode(key)
}

func TestAFormerMemberForgesNoBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b", "c")
		defer p.close()
		var seen packet
		p.network.Tap(func(to string, bytes []byte) {
			if to == "a" {
				if beat, err := decodePacket(bytes, pairKey); err == nil && beat.from == "b" {
					seen = beat
				}
			}
		})
		time.Sleep(time.Second)
		p.closeNode("b")
		before := p.nodes["a"].Heard()["b"]
		// All that c ever knew, and session and sequence as they stand in the clear.
		for _, key := range [][]byte{pairKey("a", "c"), pairKey("b", "c"), pairKey("c", "c"), nil, {}} {
			for step := range uint64(10) {
				p.network.Inject(forge("b", "a", key, seen.session, seen.sequence+1+step), "a")
				p.network.Inject(packet{from: "b", to: "a", session: 9, sequence: step, echo: seen.challenge}.encode(key), "a")
			}
		}
		time.Sleep(time.Second)
		if after := p.nodes["a"].Heard()["b"]; after != before {
			t.Errorf("a dead node was heard by forged beats: %+v, then %+v", before, after)
		}
	})
}

func TestARemovedPeerIsNotHeardAnyLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b", "c")
		defer p.close()
		time.Sleep(time.Second)
		peers := []Peer{{ID: "b", Beats: []string{"b"}, Wire: "b", Key: pairKey("a", "b")}}
		if err := p.nodes["a"].SetPeers(peers); err != nil {
			t.Fatal(err)
		}
		refused := p.nodes["a"].Refused()
		time.Sleep(time.Second)
		heard := p.nodes["a"].Heard()
		if _, known := heard["c"]; known || p.nodes["a"].Refused() < refused+5 {
			t.Errorf("c was removed and is heard: %+v, %d beats refused", heard, p.nodes["a"].Refused()-refused)
		}
		// The same name with another key is another machine, and the old one's beats are nothing.
		count := heard["b"].Count
		peers[0].Key = []byte("the key of a machine that takes b's place")
		if err := p.nodes["a"].SetPeers(peers); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if after := p.nodes["a"].Heard()["b"].Count; after != count {
			t.Errorf("the machine that was replaced counts as alive: %d beats, then %d", count, after)
		}
	})
}

func TestALeapOfTheSequenceDoesNotMuteANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b")
		defer p.close()
		time.Sleep(time.Second)
		p.nodes["a"].mu.Lock()
		session := p.nodes["a"].peers["b"].session
		p.nodes["a"].mu.Unlock()
		before := p.nodes["a"].Heard()["b"].Count
		for _, sequence := range []uint64{math.MaxUint64, math.MaxUint64 - 1, 1 << 32, stepMax * 2} {
			p.network.Inject(forge("b", "a", pairKey("a", "b"), session, sequence), "a")
		}
		time.Sleep(time.Second)
		if after := p.nodes["a"].Heard()["b"].Count; after < before+5 {
			t.Errorf("the living node was muted: %d beats, %d a second later", before, after)
		}
	})
}

func TestALongPartitionEndsInBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b")
		defer p.close()
		time.Sleep(time.Second)
		b := p.nodes["b"]
		b.mu.Lock()
		b.peers["a"].sentSequence += 10 * stepMax // hours without a link
		b.mu.Unlock()
		before := p.nodes["a"].Heard()["b"].Count
		time.Sleep(time.Second)
		if after := p.nodes["a"].Heard()["b"].Count; after < before+5 {
			t.Errorf("b is not heard after a partition: %d beats, then %d", before, after)
		}
	})
}

// TestAReplayDelaysNoRestartedDaemon repeats everything that was ever sent, in both directions and
// faster than any beat, over a restart.
func TestAReplayDelaysNoRestartedDaemon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b")
		defer p.close()
		var recorded [][]byte
		var to []string
		var recording atomic.Bool
		var packets atomic.Int64
		recording.Store(true)
		p.network.Tap(func(target string, bytes []byte) {
			packets.Add(1)
			if recording.Load() {
				recorded, to = append(recorded, bytes), append(to, target)
			}
		})
		for range 5 { // sessions to repeat
			time.Sleep(time.Second)
			p.closeNode("b")
			p.open("b", []string{"a", "b"})
		}
		time.Sleep(time.Second)
		p.closeNode("b")
		recording.Store(false)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				for i, bytes := range recorded {
					p.network.Inject(bytes, to[i])
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		time.Sleep(time.Second)
		before := p.nodes["a"].Heard()["b"].Count
		p.open("b", []string{"a", "b"})
		time.Sleep(time.Second)
		forward, backward := p.nodes["a"].Heard()["b"].Count-before, p.nodes["b"].Heard()["a"].Count
		if forward < 5 || backward < 5 {
			t.Errorf("under a replay of %d packets every 5 ms: in a second a heard b %d times, b heard a %d times",
				len(recorded), forward, backward)
		}
		stop()
		<-done
		packets.Store(0)
		time.Sleep(time.Second)
		if count := packets.Load(); count > 20 {
			t.Errorf("%d packets in a second after the attack: answers are answered", count)
		}
	})
}

func TestAnAnswerIsNotAnswered(t *testing.T) {
	peer := newPulsePeer(nil)
	peer.Peer = Peer{ID: "b", Beats: []string{"b"}, Key: pairKey("a", "b")}
	p := &Pulse{options: PulseOptions{ID: "a"}, peers: map[string]*pulsePeer{"b": peer}}
	unproven := packet{from: "b", to: "a", session: 9, sequence: 1, challenge: 5}
	heard, answers := p.take(unproven.encode(peer.Key), Beat{})
	if heard || len(answers) != 1 {
		t.Fatalf("an unproven beat: heard %v, %d answers", heard, len(answers))
	}
	if answer, err := decodePacket(answers[0].bytes, pairKey); err != nil || !answer.answer || answer.echo != 5 {
		t.Errorf("the answer is %+v, %v", answer, err)
	}
	if _, again := p.take(unproven.encode(peer.Key), Beat{}); len(again) != 0 {
		t.Error("the same challenge was answered twice between two beats")
	}
	unproven.answer, unproven.challenge = true, 6
	if _, again := p.take(unproven.encode(peer.Key), Beat{}); len(again) != 0 {
		t.Error("an answer was answered")
	}
}

func TestOneBadPeerDoesNotSilenceTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulses(t, "a", "b")
		defer p.close()
		peers := []Peer{
			{ID: fmt.Sprintf("%0300d", 1), Wire: "x"}, {ID: ""}, {ID: "d", Key: []byte("short")},
			{ID: "b", Beats: []string{"b"}, Wire: "b", Key: pairKey("a", "b")},
		}
		if err := p.nodes["a"].SetPeers(peers); err == nil {
			t.Error("three bad peers were taken without a word")
		}
		time.Sleep(time.Second)
		if count := p.nodes["b"].Heard()["a"].Count; count < 5 {
			t.Errorf("b heard a %d times in a second", count)
		}
	})
}

// FuzzBeats sends whatever there is to a node that hears a living peer.
func FuzzBeats(f *testing.F) {
	f.Add(forge("b", "a", pairKey("a", "b"), 5, 9), uint64(3))
	f.Add(packet{answer: true, from: "b", to: "a"}.encode(pairKey("a", "b")), uint64(0))
	f.Fuzz(func(t *testing.T, bytes []byte, echo uint64) {
		peer := newPulsePeer(nil)
		peer.Peer = Peer{ID: "b", Beats: []string{"b"}, Key: pairKey("a", "b")}
		p := &Pulse{options: PulseOptions{ID: "a"}, peers: map[string]*pulsePeer{"b": peer}}
		bytes = append(bytes, authenticate(peer.Key, bytes)...)
		for range 3 {
			heard, answers := p.take(bytes, Beat{})
			if heard && peer.beat.Count != 1 {
				t.Fatalf("the same packet was heard %d times", peer.beat.Count)
			}
			if len(answers) > 1 || len(answers) == 1 && len(answers[0].bytes) > packetMax {
				t.Fatalf("%d answers", len(answers))
			}
		}
	})
}
