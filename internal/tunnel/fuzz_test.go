package tunnel

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzHeader reads the first line of a stream from another node: what is let pass names no place
// outside its folder.
func FuzzHeader(f *testing.F) {
	for _, line := range []string{
		`{"kind":"api","act":"1.7.0"}`, `{"kind":"data","act":"../../etc"}`, `{}`, `null`, "\x00", "[[[",
	} {
		f.Add([]byte(line + "\n"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var head header
		if readLine(bytes.NewReader(data), headerLimit, &head) != nil || head.check() != nil {
			return
		}
		config := Config{Dir: "/run/tunnel"}
		path := config.dataPath(head.Act)
		if filepath.Dir(path) != config.dataDir() || strings.ContainsAny(head.Act, "/\x00\n") {
			t.Errorf("act %q leads to %q", head.Act, path)
		}
		_ = Roster{Moves: []Move{{Act: "1.7.0", From: "a", To: "b"}}}.expects(head.Act, "a", "b")
	})
}

// FuzzSieve reads what another node sends to libvirtd: whatever passes is whole calls that are on
// the list, or signs of life, and of no other guest.
func FuzzSieve(f *testing.F) {
	f.Add(hello9, []byte(nil))
	f.Add(append(bytes.Clone(hello9), call(programRemote, 12, domain(f, "web", guest9))...), hello9)
	f.Add(call(programRemote, 24, uuidOf(f, otherGuest)), []byte("\x00\x00\x00"))
	f.Add(call(programRemote, callPrepare, make([]byte, 2000)), message(programRemote, callFinish, messageReply, 0, nil))
	f.Add(message(programRemote, 208, 3, 2, []byte("data")), bytes.Repeat([]byte{0xff}, 60))
	f.Fuzz(func(t *testing.T, asked, answered []byte) {
		said := &recorded{from: bytes.NewReader(asked)}
		s := newSieve(said, guest9, slog.New(slog.DiscardHandler))
		if n, err := s.Write(answered); n != len(answered) || err != nil || !bytes.Equal(said.to.Bytes(), answered) {
			t.Fatalf("of %x passed %x: %v", answered, said.to.Bytes(), err)
		}
		passed, _ := io.ReadAll(s)
		if len(passed) > len(asked) {
			t.Fatalf("%d bytes became %d", len(asked), len(passed))
		}
		for len(passed) >= frameHead {
			head, err := parseFrame(passed)
			if err != nil {
				t.Fatal(err)
			}
			end := min(int(head.length), len(passed)) // the last may be cut off, as what came was
			if err := judge(head, passed[frameHead:min(end, frameHead+argumentLimit)], guest9); err != nil {
				t.Fatalf("it passed: %v", err)
			}
			passed = passed[end:]
		}
		if len(passed) > 0 {
			t.Fatalf("%x is left", passed)
		}
	})
}

// recorded is a connection that says what it was given and keeps what it is told.
type recorded struct {
	net.Conn
	from io.Reader
	to   bytes.Buffer
}

func (r *recorded) Read(p []byte) (int, error)  { return r.from.Read(p) }
func (r *recorded) Write(p []byte) (int, error) { return r.to.Write(p) }
