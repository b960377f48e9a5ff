package tunnel

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"
)

// TestAStreamEndsWithItsMigration: at once, unless its guest is just arriving, and then not for
// good.
func TestAStreamEndsWithItsMigration(t *testing.T) {
	for name, c := range map[string]struct {
		said  []byte
		after time.Duration
	}{
		"of whoever looks on":          {hello9, time.Second},
		"whose guest is arriving":      {preparing(guest9, "web"), 10*time.Minute + time.Second},
		"whose guest's memory arrives": {nil, 10*time.Minute + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			carried := newStreams(4, time.Minute)
			carry := func(calls bool) net.Conn {
				near, a := net.Pipe()
				b, far := net.Pipe()
				go func() { _, _ = io.Copy(io.Discard, far) }()
				var from net.Conn = a
				if calls {
					from = newSieve(a, guest9, slog.New(slog.DiscardHandler))
				}
				go func() { _ = carried.carry(from, b, about{act: "1"}) }()
				return near
			}
			api := carry(true)
			open, said := 1, c.said
			if said == nil {
				carry(false)
				open, said = 2, preparing(guest9, "web")
			}
			if _, err := api.Write(append(bytes.Clone(said), hello9...)); err != nil { // read whole when the next has begun
				t.Fatal(err)
			}
			until(t, "they are carried", func() bool { return carried.count("") == open })
			over, wanted := func(about) error { return ErrNotExpected }, func(about) error { return nil }
			now := time.Now()
			for _, step := range []struct {
				at    time.Duration
				admit func(about) error
				ends  int
			}{{0, over, 0}, {c.after / 4, over, 0}, {c.after / 3, wanted, 0}, {c.after, over, 0}, {2 * c.after, over, open}} {
				if closed := carried.recheck(now.Add(step.at), step.admit, 10*time.Minute); closed != step.ends {
					t.Fatalf("after %s %d streams were closed, want %d", step.at, closed, step.ends)
				}
			}
			if _, err := api.Write([]byte("x")); err == nil {
				t.Error("it is still open")
			}
		})
	}
}
