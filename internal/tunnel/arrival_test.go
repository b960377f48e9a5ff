package tunnel

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// typed is a typed parameter; its value is written as it is, but for a text.
type typed struct {
	field string
	kind  uint32
	value string
}

// arriving is what the calls carry that prepare and finish an arrival.
func arriving(procedure uint32, of ...typed) []byte { return arrivingWith(procedure, 3, of...) }

func arrivingWith(procedure, flags uint32, of ...typed) []byte {
	body := binary.BigEndian.AppendUint32(nil, uint32(len(of)))
	for _, parameter := range of {
		body = binary.BigEndian.AppendUint32(xdrText(body, parameter.field), parameter.kind)
		if parameter.kind == 7 {
			body = xdrText(body, parameter.value)
		} else {
			body = append(body, parameter.value...)
		}
	}
	body = binary.BigEndian.AppendUint32(xdrText(body, "<qemu-migration/>"), flags)
	if procedure == callFinish {
		body = append(body, 0, 0, 0, 0)
	}
	return call(programRemote, procedure, body)
}

// definition is what libvirt sends of a guest, in short.
func definition(uuid, name string) string {
	return "<domain type='kvm' id='3'>\n  <name>" + name + "</name>\n  <uuid>" + uuid + "</uuid>\n" +
		"  <devices><disk type='file'><source file='/srv/" + name + "'/></disk></devices>\n</domain>\n"
}

func preparing(uuid, name string) []byte {
	return arriving(callPrepare, typed{parameterXML, 7, definition(uuid, name)},
		typed{parameterURI, 7, "unix:///run/data/1.sock"}, typed{"bandwidth", 4, "\x00\x00\x00\x00\x00\x00\x00\x09"})
}

func finishing(name string) []byte { return arriving(callFinish, typed{parameterName, 7, name}) }

// TestNoGuestArrivesButTheOneThatMoves: a definition of the sender's own is a guest with whatever
// it likes of the target.
func TestNoGuestArrivesButTheOneThatMoves(t *testing.T) {
	ours := typed{parameterXML, 7, definition(guest9, "web")}
	for name, c := range map[string]struct {
		message []byte
		passes  bool
	}{
		"the guest":               {preparing(guest9, "web"), true},
		"under its own name":      {arriving(callPrepare, ours, typed{parameterName, 7, "web"}), true},
		"by post-copy":            {arrivingWith(callPrepare, 1<<19|1<<15|3, ours), true},
		"a guest that is made up": {preparing(otherGuest, "web"), false},
		"under another's name":    {arriving(callPrepare, ours, typed{parameterName, 7, "db"}), false},
		"with no definition":      {arriving(callPrepare, typed{parameterName, 7, "web"}), false},
		"with two definitions": {
			arriving(callPrepare, ours, typed{parameterXML, 7, definition(otherGuest, "x")}),
			false,
		},
		"with a number for it": {
			arriving(callPrepare, typed{parameterXML, 1, "\x00\x00\x00\x09"}),
			false,
		},
		"with another for good": {
			arriving(callPrepare, ours, typed{"persistent_xml", 7, definition(otherGuest, "x")}),
			false,
		},
		"and copies its disks": {arriving(callPrepare, ours, typed{"migrate_disks", 7, "vda"}), false},
		"at another place": {
			arriving(callPrepare, ours, typed{parameterURI, 7, "tcp://0.0.0.0:4444"}),
			false,
		},
		"to stay for good":        {arrivingWith(callPrepare, 3|1<<3, ours), false},
		"without its memory":      {arrivingWith(callPrepare, 3|1<<10, ours), false},
		"with a false end":        {append(preparing(guest9, "web"), 0), false},
		"with a value of no kind": {arriving(callPrepare, ours, typed{"bandwidth", 9, ""}), false},
	} {
		t.Run(name, func(t *testing.T) { prepares(t, c.message, c.passes) })
	}
}

// TestADefinitionIsReadAsLibvirtReadsIt: what it could read in another way is not passed on.
func TestADefinitionIsReadAsLibvirtReadsIt(t *testing.T) {
	with := func(old, new string) []byte {
		text := strings.Replace(definition(guest9, "web"), old, new, 1)
		return arriving(callPrepare, typed{parameterXML, 7, text})
	}
	t.Run("in capitals", func(t *testing.T) { prepares(t, with(guest9, strings.ToUpper(guest9)), true) })
	deep := strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100)
	for name, message := range map[string][]byte{
		"with two UUIDs":                     with("<uuid>", "<uuid>"+otherGuest+"</uuid><uuid>"),
		"with a UUID elsewhere":              with("<uuid>"+guest9+"</uuid>", "<x><uuid>"+guest9+"</uuid></x>"),
		"with a UUID of another space":       with("<uuid>", "<uuid xmlns='x'>"),
		"with a nested UUID":                 with("<uuid>", "<uuid><x/>"),
		"with another's name beside its own": with("<name>", "<name>db</name><name>"),
		"of another space":                   with("<domain", "<domain xmlns='x'"),
		"with a type of its own":             with("<domain", "<!DOCTYPE domain [<!ENTITY a 'b'>]><domain"),
		"with an entity":                     with(guest9, "&a;"),
		"with an instruction":                with("<name>", "<?x y?><name>"),
		"and another behind it":              with("</domain>", "</domain>"+definition(otherGuest, "x")),
		"and an end within":                  with("<domain", definition(otherGuest, "x")+"\x00<domain"),
		"of no XML":                          with("<domain", "domain"),
		"as deep as it goes":                 with("<devices>", "<devices>"+deep),
		"longer than any":                    with("<devices>", "<devices>"+strings.Repeat(" ", heldLimit)),
	} {
		t.Run(name, func(t *testing.T) { prepares(t, message, false) })
	}
}

// prepares sends a call that prepares an arrival, and wants it to pass or to be refused.
func prepares(t *testing.T, message []byte, passes bool) {
	t.Helper()
	binary.BigEndian.PutUint32(message, uint32(len(message)))
	s := newSieve(&recorded{from: bytes.NewReader(append(bytes.Clone(message), hello9...))}, guest9,
		slog.New(slog.DiscardHandler))
	s.data = "/run/data/1.sock"
	passed, err := io.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(passed) > len(hello9); got != passes || !bytes.HasSuffix(passed, hello9) {
		t.Errorf("%d of %d bytes passed", len(passed), len(message)+len(hello9))
	}
	if !passes {
		isRefusal(t, s.Conn.(*recorded).to.Bytes(), message)
	}
}

// TestAnArrivalIsFinishedByWhoPreparedIt: the end of another one's arrival would kill its guest.
func TestAnArrivalIsFinishedByWhoPreparedIt(t *testing.T) {
	good, bad := message(programRemote, callPrepare, messageReply, 0, nil),
		message(programRemote, callPrepare, messageReply, 1, nil)
	done := message(programRemote, callFinish, messageReply, 0, nil)
	for name, c := range map[string]struct {
		// steps are calls, and answers of libvirtd.
		steps [][]byte
		// passes says of the last call.
		passes bool
	}{
		"as it should be":       {[][]byte{preparing(guest9, "web"), good, finishing("web")}, true},
		"of another":            {[][]byte{preparing(guest9, "web"), good, finishing("db")}, false},
		"without a name":        {[][]byte{preparing(guest9, "web"), good, arriving(callFinish)}, false},
		"before it is prepared": {[][]byte{preparing(guest9, "web"), finishing("web")}, false},
		"that failed":           {[][]byte{preparing(guest9, "db"), bad, finishing("db")}, false},
		"that is over": {
			[][]byte{preparing(guest9, "web"), good, finishing("web"), done, finishing("web")},
			false,
		},
		"two are prepared":       {[][]byte{preparing(guest9, "web"), preparing(guest9, "web")}, false},
		"another one behind it":  {[][]byte{preparing(guest9, "web"), good, preparing(guest9, "db")}, false},
		"again, when one failed": {[][]byte{preparing(guest9, "web"), bad, preparing(guest9, "web")}, true},
		"after one that is over": {
			[][]byte{preparing(guest9, "web"), good, finishing("web"), done, preparing(guest9, "web")},
			true,
		},
		"with a flag to stay": {
			[][]byte{preparing(guest9, "web"), good, arrivingWith(callFinish, 8, typed{parameterName, 7,
				"web"})},
			false,
		},
		"cut off": {
			[][]byte{preparing(guest9, "web"), good, call(programRemote, callFinish,
				finishing("web")[frameHead:60])},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			from := &bytes.Buffer{}
			s := newSieve(&recorded{from: from}, guest9, slog.New(slog.DiscardHandler))
			passed := 0
			for _, step := range c.steps {
				if f, err := parseFrame(step); err != nil || f.kind == messageReply {
					if _, err := s.Write(step); err != nil {
						t.Fatal(err)
					}
					continue
				}
				from.Write(step)
				got, err := io.ReadAll(s)
				if passed = len(got); err != nil || passed != 0 && passed != len(step) {
					t.Fatalf("%d bytes passed: %v", passed, err)
				}
			}
			if (passed > 0) != c.passes {
				t.Errorf("the last call passed: %v", passed > 0)
			}
		})
	}
}

// TestAfterItsMigrationAGuestIsLeftAlone: who prepares its arrival and never finishes it keeps the
// stream for some minutes.
func TestAfterItsMigrationAGuestIsLeftAlone(t *testing.T) {
	over, wanted := func(about) error { return ErrNotExpected }, func(about) error { return nil }
	for procedure, acts := range map[uint32]bool{12: true, 28: true, 34: true,
		164: true, 234: true, 212: false, 14: false} {
		from := &bytes.Buffer{}
		s := newSieve(&recorded{from: from}, guest9, slog.New(slog.DiscardHandler))
		near, far := net.Pipe()
		_ = near.Close()
		open := newStreams(4, 0)
		open.open[&stream{a: s, b: far, about: about{act: "1"}}] = struct{}{}
		s.underWay.Store(true)
		for _, step := range []struct {
			admit  func(about) error
			passes bool
		}{{wanted, true}, {over, !acts}, {wanted, true}} {
			if closed := open.recheck(time.Now(), step.admit, overMoment); closed > 0 {
				t.Fatal("it was closed")
			}
			from.Write(call(programRemote, procedure, domain(t, "web", guest9)))
			got, err := io.ReadAll(s)
			if err != nil || (len(got) > 0) != step.passes {
				t.Errorf("call %d: %d bytes passed: %v", procedure, len(got), err)
			}
		}
		from.Write(preparing(guest9, "web"))
		s.over.Store(true)
		if got, err := io.ReadAll(s); err != nil || len(got) > 0 {
			t.Errorf("a guest was prepared: %d bytes, %v", len(got), err)
		}
	}
}
