package quorum

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// FuzzForwardedRequest reads what a peer may send on the channel of proposals: no crash, no memory
// for what did not come.
func FuzzForwardedRequest(f *testing.F) {
	f.Add([]byte{kindPropose, 0, 0, 0, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Add([]byte{kindReadIndex, 0, 0, 0, 0})
	f.Add([]byte{kindPropose, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		kind, body, err := readRequest(bytes.NewReader(data))
		if err == nil && (len(body)+requestHeadBytes > len(data) || kind != data[0]) {
			t.Errorf("kind %d with %d bytes of %d", kind, len(body), len(data))
		}
	})
}

// FuzzAnswer reads what a leader may answer.
func FuzzAnswer(f *testing.F) {
	f.Add(encodeAnswer(7, nil))
	f.Add(encodeAnswer(0, ErrUnfit))
	f.Fuzz(func(_ *testing.T, data []byte) {
		_, _ = readAnswer(bytes.NewReader(data))
	})
}

// pipes are Streams that bring what the test sends, and a Gate that lets two channels through.
type pipes struct {
	brought chan net.Conn
	once    sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	conn, open := <-p.brought
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.brought) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

func (p *pipes) Dial(context.Context, string) (net.Conn, error) { return nil, net.ErrClosed }

func (p *pipes) Admit(_ net.Conn, channel string, dialed bool) error {
	if channel == "question" || channel == "peer test" || dialed || channel == "" {
		return errors.New("not this one")
	}
	return nil
}

// FuzzChannel sends what a connection between nodes may begin with. Only the handler of its first
// byte gets the rest, only where the gate lets that channel through, and every other connection
// ends.
func FuzzChannel(f *testing.F) {
	for tag := range byte(6) {
		f.Add([]byte{tag, 1, 2, 3})
	}
	f.Add([]byte{200})
	f.Add([]byte{})
	streams := &pipes{brought: make(chan net.Conn)}
	wire := NewWire(streams, nil)
	f.Cleanup(func() { _ = wire.Close() })
	type heard struct {
		channel byte
		rest    []byte
	}
	taken := make(chan heard, 1)
	for channel := range channelNames {
		if err := wire.handle(channel, func(conn net.Conn) {
			rest, _ := io.ReadAll(conn) // a pipe ends when its other end does
			taken <- heard{channel, rest}
			_ = conn.Close()
		}); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		ours, theirs := net.Pipe()
		streams.brought <- theirs
		var wrote int
		for wrote < len(data) {
			n, err := ours.Write(data[wrote:])
			if wrote += n; err != nil {
				break
			}
		}
		_ = ours.Close()
		if len(data) > 0 && (data[0] == channelRaft || data[0] == channelForward) {
			if got := <-taken; got.channel != data[0] || !slices.Equal(got.rest, data[1:]) {
				t.Errorf("channel %d got %d bytes of what channel %d was sent", got.channel, len(got.rest), data[0])
			}
			return
		}
		if wrote > 1 {
			t.Errorf("%d bytes were taken after a first byte that opens nothing", wrote-1)
		}
		select {
		case got := <-taken:
			t.Errorf("channel %d got a connection that %v began", got.channel, data[:1])
		default:
		}
	})
}
