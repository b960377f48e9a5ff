package tunnel

import (
	"bytes"
	"encoding/xml"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
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
	f.Add(preparing(guest9, "web"), message(programRemote, callFinish, messageReply, 0, nil))
	f.Add(append(preparing(guest9, "web"), finishing("web")...), []byte(nil))
	f.Add(call(programRemote, 1, opening("qemu+ext://x/system?command=/x", 0)), []byte(nil))
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
			switch head.procedure {
			case callFinish:
				t.Fatal("what nobody prepared was finished")
			case callPrepare:
				if _, err := arrivalOf(passed[frameHead:end], guest9, ""); err != nil {
					t.Fatalf("it was to be prepared: %v", err)
				}
			}
			passed = passed[end:]
		}
		if len(passed) > 0 {
			t.Fatalf("%x is left", passed)
		}
	})
}

// FuzzArrival reads the calls that prepare and finish an arrival: what is taken for the moving
// guest is its definition to another reader of XML, too.
func FuzzArrival(f *testing.F) {
	f.Add(preparing(guest9, "web")[frameHead:], false)
	f.Add(preparing(otherGuest, "web")[frameHead:], false)
	f.Add(finishing("web")[frameHead:], true)
	f.Add(arriving(callFinish, typed{"bandwidth", 4, "\x00\x00\x00\x00\x00\x00\x00\x09"})[frameHead:], true)
	f.Add(bytes.Repeat([]byte{0xff}, 60), false)
	f.Fuzz(func(t *testing.T, arguments []byte, finish bool) {
		texts, err := readArrival(arguments, finish)
		if err != nil {
			return
		}
		for field, text := range texts {
			if !parameters[field] || len(text) > len(arguments) {
				t.Fatalf("%q is %d bytes long, of %d", field, len(text), len(arguments))
			}
		}
		name, err := arrivalOf(arguments, guest9, "")
		if finish || err != nil {
			return
		}
		var domain struct {
			XMLName xml.Name `xml:"domain"`
			UUIDs   []string `xml:"uuid"`
			Names   []string `xml:"name"`
		}
		if err := xml.Unmarshal([]byte(texts[parameterXML]), &domain); err != nil {
			t.Fatal(err)
		}
		named, as := slices.Contains(domain.Names, name), texts[parameterName]
		if !slices.ContainsFunc(domain.UUIDs, isGuest9) || !named || as != "" && as != name {
			t.Fatalf("%q passed for %q", texts[parameterXML], name)
		}
	})
}

func isGuest9(text string) bool { return strings.EqualFold(strings.TrimSpace(text), guest9) }

// recorded is a connection that says what it was given and keeps what it is told.
type recorded struct {
	net.Conn
	from io.Reader
	to   bytes.Buffer
}

func (r *recorded) Read(p []byte) (int, error)  { return r.from.Read(p) }
func (r *recorded) Write(p []byte) (int, error) { return r.to.Write(p) }
