package gossip

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// answering is a network on which each connection is answered with the same bytes.
type answering struct {
	madeUp
	answer []byte
}

func (a answering) DialAddressTimeout(memberlist.Address, time.Duration) (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		for i := range a.answer { // in the smallest pieces
			if _, err := there.Write(a.answer[i : i+1]); err != nil {
				return
			}
		}
		_ = there.Close()
	}()
	return here, nil
}

func (a answering) DialTimeout(string, time.Duration) (net.Conn, error) {
	return a.DialAddressTimeout(memberlist.Address{}, 0)
}

// TestStreamsThatNoNodeSendsAreCut: a message in the version that pads never gets as far as its
// version, on a stream that somebody else began and on one that this node began.
func TestStreamsThatNoNodeSendsAreCut(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	sound, replayed := sealedAnswer(key, []byte("short\xff"), 1), sealedAnswer(key, []byte("short\xff"), 0)
	for _, c := range []struct {
		name   string
		sent   []byte
		passes bool
	}{
		{"as a node sends it", sound, true},
		{"with the version changed", replayed, false},
		{"of an unknown version", sealedAnswer(key, []byte("short"), 2), false},
		{"with nothing in it", sealedAnswer(key, nil, 1), false},
		{"not encrypted", append([]byte{0}, sound[1:]...), false},
		{"ended early", sound[:5], true},
	} {
		network := answering{madeUp{packets: make(chan *memberlist.Packet), streams: make(chan net.Conn)}, c.sent}
		header := labelledGossip(nil)
		guarded := guard(network, "demo", header)
		dialled, err := guarded.DialTimeout("", time.Second)
		if err != nil {
			t.Fatal(err)
		}
		expectCut(t, c.name+", as an answer", dialled, c.sent, c.passes)
		byAddress, err := guarded.DialAddressTimeout(memberlist.Address{}, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		expectCut(t, c.name+", as an answer of a node", byAddress, c.sent, c.passes)
		for _, from := range []struct {
			name   string
			header []byte
			passes bool
		}{{"", header, c.passes}, {" of another cluster", []byte("\xf4\x04blue"), false}} {
			network.answer = append(bytes.Clone(from.header), c.sent...)
			stream, _ := network.DialTimeout("", time.Second)
			network.streams <- stream
			expectCut(t, c.name+from.name, <-guarded.StreamCh(), network.answer, from.passes)
		}
		if err := guarded.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
}

func expectCut(t *testing.T, name string, stream net.Conn, sent []byte, passes bool) {
	t.Helper()
	defer stream.Close()
	got, err := io.ReadAll(stream)
	if passes && (err != nil || !bytes.Equal(got, sent)) {
		t.Errorf("%s: read %d of %d bytes: %v", name, len(got), len(sent), err)
	}
	if !passes {
		if !errors.Is(err, errFormat) || len(got) >= len(labelledGossip(nil))+headBytes {
			t.Errorf("%s: read %d of %d bytes: %v", name, len(got), len(sent), err)
		}
		if _, err := stream.Read(make([]byte, 1)); !errors.Is(err, errFormat) {
			t.Errorf("%s: reads on: %v", name, err)
		}
	}
}

// TestAReplayedStreamEndsNobody: what a node sent once comes back with another version, where it
// listens and as the answer where it calls; it goes on. And who speaks without the key is
// answered nothing that is sealed with it.
func TestAReplayedStreamEndsNobody(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	replayed := sealedAnswer(key, []byte("short\xff"), 0)
	gossip, network := gossipOn(t, key)
	network.takeStream(labelledGossip(replayed))
	expectAlone(t, gossip)
	if got := network.takeStream(labelledGossip([]byte{0, 1, 2, 3, 4, 5, 6, 7})); len(got) > 0 {
		t.Errorf("a stranger was answered with %x", got)
	}
	caller, err := Open(Options{ID: "node1", Cluster: "demo", Listen: "127.0.0.1:7443", Keys: [][]byte{key},
		Meta: []byte("meta"), transport: mirror{madeUp{}, replayed}})
	if err != nil {
		t.Fatal(err)
	}
	defer caller.Close()
	_, err = caller.list.Join([]string{"127.0.0.2:7443"})
	if err == nil || !strings.Contains(err.Error(), errFormat.Error()) {
		t.Errorf("the replayed answer is refused with %v", err)
	}
	expectAlone(t, caller)
}

// mirror answers whoever calls with a message of before.
type mirror struct {
	madeUp
	answer []byte
}

func (m mirror) DialAddressTimeout(memberlist.Address, time.Duration) (net.Conn, error) {
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		if _, err := io.ReadAtLeast(there, make([]byte, 1<<16), len(labelledGossip(nil))+1); err == nil {
			_, _ = there.Write(m.answer)
		}
	}()
	return here, nil
}

// lateListener is a network whose listener has read a packet and a stream when it is to end, and
// hands them over first; as memberlist's own does.
type lateListener struct{ madeUp }

func (l lateListener) Shutdown() error {
	here, _ := net.Pipe()
	l.packets <- &memberlist.Packet{Buf: sealedGossip(bytes.Repeat([]byte{7}, 32), []byte("late"), 1)}
	l.streams <- here
	return nil
}

// TestClosingWaitsForNothingThatComesLate: nobody takes from the guard when it closes.
func TestClosingWaitsForNothingThatComesLate(t *testing.T) {
	network := lateListener{madeUp{packets: make(chan *memberlist.Packet), streams: make(chan net.Conn)}}
	guarded := guard(network, "demo", labelledGossip(nil))
	closed := make(chan error, 1)
	go func() { closed <- guarded.Shutdown() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a packet and a stream that came late hold up the end of the daemon")
	}
}
