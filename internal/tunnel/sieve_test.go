package tunnel

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

const guest9 = "11111111-2222-3333-4444-555555555555"

// call is a call of libvirt's protocol, as its client sends it.
func call(program, procedure uint32, arguments []byte) []byte {
	return message(program, procedure, messageCall, 0, arguments)
}

func message(program, procedure, kind, status uint32, body []byte) []byte {
	var text []byte
	for _, word := range []uint32{uint32(frameHead + len(body)), program, 1, procedure, kind, 7, status} {
		text = binary.BigEndian.AppendUint32(text, word)
	}
	return append(text, body...)
}

func uuidOf(t testing.TB, text string) []byte {
	t.Helper()
	uuid, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	return uuid
}

// domain is how a call names its guest: name, UUID, id.
func domain(t testing.TB, name, uuid string) []byte {
	text := binary.BigEndian.AppendUint32(nil, uint32(len(name)))
	text = append(append(text, name...), make([]byte, (4-len(name)%4)%4)...)
	return append(append(text, uuidOf(t, uuid)...), 0xff, 0xff, 0xff, 0xff)
}

const otherGuest = "99999999-2222-3333-4444-555555555555"

// TestWhatPassesToLibvirt is the table of who may ask what through the tunnel.
func TestWhatPassesToLibvirt(t *testing.T) {
	const qemu = 0x20008087
	for name, c := range map[string]struct {
		message []byte
		passes  bool
		ends    bool
	}{
		"the ways to log in":          {hello9, true, false},
		"open":                        {call(programRemote, 1, opening(ownURI, 0)), true, false},
		"open, to look":               {call(programRemote, 1, opening(ownURI, readOnly)), true, false},
		"open what the host has":      {call(programRemote, 1, make([]byte, 8)), true, false},
		"open without a name":         {call(programRemote, 1, opening("", 0)), true, false},
		"a sign of life":              {message(programKeepalive, 1, messageNotice, 0, nil), true, false},
		"a look for the guest":        {call(programRemote, 24, uuidOf(t, guest9)), true, false},
		"a look for another guest":    {call(programRemote, 24, uuidOf(t, otherGuest)), false, false},
		"its state":                   {call(programRemote, 212, domain(t, "web", guest9)), true, false},
		"resume":                      {call(programRemote, 28, domain(t, "a name", guest9)), true, false},
		"suspend":                     {call(programRemote, 34, domain(t, "", guest9)), true, false},
		"destroy":                     {call(programRemote, 12, domain(t, "web", guest9)), true, false},
		"destroy another":             {call(programRemote, 12, domain(t, "web", otherGuest)), false, false},
		"destroy nobody":              {call(programRemote, 12, nil), false, false},
		"destroy with a false length": {call(programRemote, 12, bytes.Repeat([]byte{0xff}, 40)), false, false},
		"prepare the arrival":         {preparing(guest9, "web"), true, false},
		"prepare it without a text":   {call(programRemote, callPrepare, make([]byte, 9000)), false, false},
		"finish what was not begun":   {finishing("web"), false, false},
		"create from a definition":    {call(programRemote, 10, []byte("<domain/>")), false, false},
		"define":                      {call(programRemote, 350, []byte("<domain/>")), false, false},
		"list what runs":              {call(programRemote, 273, nil), false, false},
		"a new storage pool":          {call(programRemote, 76, []byte("<pool/>")), false, false},
		"read a file of root's":       {call(programRemote, 209, make([]byte, 3000)), false, false},
		"the value of a secret":       {call(programRemote, 145, nil), false, false},
		"QEMU's monitor":              {call(qemu, 1, domain(t, "web", guest9)), false, false},
		"what libvirt adds one day":   {call(programRemote, 9999, nil), false, false},
		"another protocol's version":  {append(bytes.Clone(hello9[:11]), append([]byte{2}, hello9[12:]...)...), false, false},
		"a stream of data":            {message(programRemote, 208, 3, 2, []byte("data")), false, true},
		"a call with open files":      {message(programRemote, 309, 4, 0, nil), false, true},
		"a sign of life with a load":  {message(programKeepalive, 1, messageNotice, 0, []byte("data")), false, true},
		"too short":                   {append([]byte{0, 0, 0, 4}, hello9[4:]...), false, true},
		"too long":                    {append([]byte{0x7f}, hello9[1:]...), false, true},
	} {
		t.Run(name, func(t *testing.T) { passing(t, c.message, c.passes, c.ends) })
	}
}

// opening is what the call carries that opens a hypervisor.
func opening(uri string, flags uint32) []byte {
	return binary.BigEndian.AppendUint32(xdrText([]byte{0, 0, 0, 1}, uri), flags)
}

func xdrText(to []byte, text string) []byte {
	to = append(binary.BigEndian.AppendUint32(to, uint32(len(text))), text...)
	return append(to, make([]byte, (4-len(text)%4)%4)...)
}

// TestNoHypervisorButTheHostsOwnIsOpened: libvirtd opens as root whatever it is told, and there are
// URIs that name a program.
func TestNoHypervisorButTheHostsOwnIsOpened(t *testing.T) {
	for _, uri := range []string{
		"qemu+ext://x/system?command=/sbin/poweroff", "qemu+ssh://x/system?command=/sbin/poweroff",
		"qemu+libssh2://x/system", "qemu+tcp://10.0.0.1/system", "qemu+tls://10.0.0.1/system", "qemu://10.0.0.1/system",
		"qemu+unix:///system?socket=/tmp/s", "qemu:///session", "qemu:///system?socket=/tmp/s", "qemu:///system#x",
		"QEMU:///system", "qemu:///system\x00", " qemu:///system", "test:///default", "lxc:///", "x",
	} {
		t.Run(uri, func(t *testing.T) { passing(t, call(programRemote, 1, opening(uri, 0)), false, false) })
	}
	whole := opening(ownURI, 0)
	for name, arguments := range map[string][]byte{
		"nothing":               nil,
		"a flag of its own":     opening(ownURI, 2),
		"half of it":            whole[:len(whole)-1],
		"more than it":          append(bytes.Clone(whole), 0, 0, 0, 0),
		"a name of another way": append([]byte{0, 0, 0, 2}, whole[4:]...),
		"a false length":        append([]byte{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff}, whole[8:]...),
		"a name beyond what is read": append(bytes.Clone(whole),
			make([]byte, argumentLimit)...),
		"a name that is too long": opening(strings.Repeat("x", argumentLimit), 0),
	} {
		t.Run(name, func(t *testing.T) { passing(t, call(programRemote, 1, arguments), false, false) })
	}
}

// passing sends a message and a good one behind it, and wants the first to pass, to be refused, or
// to end the stream.
func passing(t *testing.T, message []byte, passes, ends bool) {
	t.Helper()
	near, far := net.Pipe()
	sieve := newSieve(far, guest9, slog.New(slog.DiscardHandler))
	answers := make(chan []byte, 1)
	go func() {
		answer := make([]byte, 4096)
		n, _ := near.Read(answer)
		answers <- answer[:n]
	}()
	go func() {
		_, _ = near.Write(append(bytes.Clone(message), hello9...))
		if passes || ends {
			_ = near.Close()
		}
	}()
	want := bytes.Clone(hello9)
	if passes {
		want = append(bytes.Clone(message), hello9...)
	}
	passed := make([]byte, len(want))
	read, err := io.ReadFull(sieve, passed)
	switch {
	case ends && (err == nil || errors.Is(err, io.EOF) && read == 0 || read != 0):
		t.Errorf("%d bytes passed, and it ended with %v", read, err)
	case ends:
	case err != nil:
		t.Fatal(err)
	case !bytes.Equal(passed, want):
		t.Errorf("%x passed, want %x", passed, want)
	case !passes:
		isRefusal(t, <-answers, message)
	}
}

// isRefusal holds an answer against what libvirt's client reads as an error.
func isRefusal(t *testing.T, answer, asked []byte) {
	t.Helper()
	if len(answer) < frameHead+12 {
		t.Fatalf("the answer is %x", answer)
	}
	said, err := parseFrame(answer)
	was, _ := parseFrame(asked)
	if err != nil || int(said.length) != len(answer) || len(answer)%4 != 0 || said.kind != messageReply ||
		said.procedure != was.procedure || said.program != was.program || said.serial != was.serial || said.status != 1 {
		t.Errorf("%+v answers %+v: %v", said, was, err)
	}
	if code := binary.BigEndian.Uint32(answer[frameHead:]); code != errorDenied ||
		!bytes.Contains(answer, []byte("clusterd: ")) {
		t.Errorf("code %d: %q", code, answer)
	}
}

// TestARefusalWaitsForTheEndOfAnAnswer: in the middle of one it would break the connection.
func TestARefusalWaitsForTheEndOfAnAnswer(t *testing.T) {
	near, far := net.Pipe()
	sieve := newSieve(far, guest9, slog.New(slog.DiscardHandler))
	answer := message(programRemote, 14, messageReply, 0, make([]byte, 100))
	heard := make([]byte, 4096)
	told := make(chan int, 1)
	go func() {
		n, _ := io.ReadAtLeast(near, heard, len(answer)+frameHead)
		told <- n
	}()
	if _, err := sieve.Write(answer[:50]); err != nil {
		t.Fatal(err)
	}
	refused := call(programRemote, 273, nil)
	go func() { _, _ = near.Write(append(bytes.Clone(refused), hello9...)) }()
	if _, err := io.ReadFull(sieve, make([]byte, len(hello9))); err != nil {
		t.Fatal(err)
	}
	if _, err := sieve.Write(answer[50:]); err != nil {
		t.Fatal(err)
	}
	n := <-told
	if !bytes.Equal(heard[:len(answer)], answer) {
		t.Error("the answer was torn apart")
	}
	isRefusal(t, heard[len(answer):n], refused)
}

// TestAGuestArrivesUntilLibvirtSaysSo: by the answers to the calls that prepare and finish it.
func TestAGuestArrivesUntilLibvirtSaysSo(t *testing.T) {
	for name, c := range map[string]struct {
		reply    []byte
		underWay bool
	}{
		"prepared":            {message(programRemote, callPrepare, messageReply, 0, nil), true},
		"not to be prepared":  {message(programRemote, callPrepare, messageReply, 1, nil), false},
		"finished":            {message(programRemote, callFinish, messageReply, 0, nil), false},
		"finished with error": {message(programRemote, callFinish, messageReply, 1, nil), false},
		"something else":      {message(programRemote, 14, messageReply, 0, nil), true},
	} {
		for _, own := range []bool{false, true} { // at the target, and at the source
			near, far := net.Pipe()
			s := newSieve(far, guest9, slog.New(slog.DiscardHandler))
			if own {
				s = newWatch(far)
			}
			prepare := preparing(guest9, "web")
			go func() {
				_, _ = near.Write(prepare)
				_, _ = io.Copy(io.Discard, near)
			}()
			if _, err := io.ReadFull(s, make([]byte, len(prepare))); err != nil || !s.underWay.Load() {
				t.Fatalf("%s: after the call that prepares it: %v, %v", name, s.underWay.Load(), err)
			}
			for _, b := range c.reply { // in the smallest pieces
				if _, err := s.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
			if s.underWay.Load() != c.underWay {
				t.Errorf("%s, own %v: under way is %v", name, own, s.underWay.Load())
			}
			_ = near.Close()
		}
	}
}

// TestAMemberWithAMoveReachesNothingElse goes through real forwarders: the move is open, and the
// hypervisor hears of nothing but that guest.
func TestAMemberWithAMoveReachesNothingElse(t *testing.T) {
	w, target, _ := attacked(t)
	conn, err := w.reach("node2", "node1", target.Listen, "api", "1.7.0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	download := call(programRemote, 209, make([]byte, 100))
	if _, err := conn.Write(append(bytes.Clone(download), hello9...)); err != nil {
		t.Fatal(err)
	}
	heard := make([]byte, 4096)
	n := 0
	for !bytes.HasSuffix(heard[:n], hello9) && err == nil { // our libvirt answers with what it hears
		var more int
		more, err = conn.Read(heard[n:])
		n += more
	}
	if err != nil || os.IsTimeout(err) {
		t.Fatalf("after %x: %v", heard[:n], err)
	}
	isRefusal(t, heard[:n-len(hello9)], download)
}
