package power

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bougou/go-ipmi/pkg/client"
	"github.com/bougou/go-ipmi/pkg/types"

	"github.com/clusterd/clusterd/fence"
)

// What a BMC answers by Redfish, or says in an error.
func FuzzRedfishAnswer(f *testing.F) {
	f.Add([]byte(`{"@odata.id":"/redfish/v1/Systems/1","@odata.type":"#ComputerSystem.v1_0_0.ComputerSystem",` +
		`"PowerState":"On"}`))
	f.Add([]byte(`{"error":{"message":"no","@Message.ExtendedInfo":[{"MessageId":"x","Message":"y"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var found system
		err := new(visit).learn("/redfish/v1/Systems/1", body)
		if json.Unmarshal(body, &found) == nil && err != nil {
			t.Errorf("%v, and a system all the same", err)
		}
		if words := wordsOf(body); len(words) > 2000 {
			t.Errorf("%d bytes of words", len(words))
		}
	})
}

// In no state of the login is a packet believed that is not the answer to what was sent last, and
// none inside a session that was not sealed with the password's key, or was changed behind it.
func FuzzSealedPacket(f *testing.F) {
	random := []byte(strings.Repeat("r", 16))
	old := []byte(strings.Repeat("\x06\x00\xff\x07\x06\xc0", 12))
	login := func(kind byte, size int) []byte {
		return append([]byte{6, 0, 0xff, 7, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0, byte(size), 0}, make([]byte, size)...)
	}
	f.Add(byte(payloadRAKP3), random, random, old, uint16(77))
	f.Add(byte(0), []byte(nil), []byte(nil), []byte("\x06\x00\xff\x07\x00\x00\x00\x00"), uint16(0))
	f.Add(byte(payloadOpen), []byte(nil), []byte(nil), login(payloadOpen+1, 36), uint16(40))
	f.Add(byte(payloadRAKP1), random, []byte(nil), login(payloadRAKP2, 60), uint16(41))
	f.Add(byte(payloadRAKP3), random, random, login(payloadRAKP3+1, 20), uint16(300))
	f.Fuzz(func(t *testing.T, last byte, consoleRand, bmcRand, packet []byte, turned uint16) {
		for _, suite := range []int{3, 17} {
			s := newSeal(suite, "secret")
			s.last, s.session, s.consoleRand = last, 7, consoleRand
			if len(bmcRand) > 0 {
				s.derive(bmcRand)
			}
			wantBelief(t, s, packet)
			s.derive(bmcRand)
			made := sealedBy(s, packet)
			if got := s.genuine(made); got != (last == payloadRAKP3) {
				t.Errorf("after %#x a sealed packet is believed: %v", last, got)
			}
			at := authTypeAt + int(turned/8)%(len(made)-authTypeAt)
			made[at] ^= 1 << (turned % 8)
			if last == payloadRAKP3 && s.genuine(made) {
				t.Errorf("a packet was believed of which byte %d was changed", at)
			}
		}
	})
}

// wantBelief compares what is believed of a packet that nobody sealed with what may be.
func wantBelief(t *testing.T, s *seal, packet []byte) {
	t.Helper()
	before := s.key
	believed := s.genuine(packet)
	kind, body, ok := payload(packet)
	switch {
	case !believed:
	case !ok && (s.last != 0 || packet[authTypeAt] == authTypeRMCP):
		t.Errorf("after %#x a packet in the old format was believed", s.last)
	case ok && kind == payloadIPMI:
		t.Errorf("after %#x a packet with %d bytes was believed", s.last, len(body))
	case ok && kind != s.last+1:
		t.Errorf("after %#x a login message %#x was believed", s.last, kind)
	}
	answered := believed && kind == payloadRAKP2 && s.last == payloadRAKP1 && len(body) >= 40
	if !answered && !bytes.Equal(before, s.key) {
		t.Errorf("after %#x a login message %#x changed the key", s.last, kind)
	}
}

// sealedBy is a packet of the session, as a BMC makes it that knows the password.
func sealedBy(s *seal, body []byte) []byte {
	body = append(body[:min(len(body), 1024):min(len(body), 1024)], make([]byte, 2*cipherBlock)...)
	body = body[:len(body)/cipherBlock*cipherBlock]
	packet := []byte{authTypeRMCP, 0, 0xff, 7, authTypeRMCP, payloadIPMI | flagsSealed}
	packet = binary.LittleEndian.AppendUint32(packet, s.session)
	packet = binary.LittleEndian.AppendUint32(packet, 1)
	packet = binary.LittleEndian.AppendUint16(packet, uint16(len(body)))
	packet = append(append(packet, body...), 0xff, 0xff, 2, 7)
	return append(packet, s.code(s.key, packet[authTypeAt:])[:s.codeSize]...)
}

// FuzzForgedAnswer puts two datagrams of somebody without the password before an answer of a BMC of
// which the host is on: in the login or behind it. What the seal lets through of them breaks
// nothing in the library, whose own goroutines would end the daemon, and no reading says off for
// them.
func FuzzForgedAnswer(f *testing.F) {
	login := func(kind byte, body string) []byte {
		return append([]byte{6, 0, 0xff, 7, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0, byte(len(body)), 0}, body...)
	}
	console := "\xa3\xa2\xa1\xa0"
	f.Add(byte(0), []byte{6, 0, 0xff, 7, 0}, []byte("\x06\x00\xff\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x10"+
		"\x81\x1c\x63\x20\x04\x38\x00\x01\x80\x04\x03\x00\x00\x00\x00\x1c"))
	f.Add(byte(1), []byte("\x06\x00\xff\x06"), login(payloadOpen+1, "\x00\x00\x04\x00"+console+"\x07\x00\x00\x00"+
		strings.Repeat("\x00\x00\x00\x08\x00\x00\x00\x00", 3)))
	f.Add(byte(2), []byte(nil), login(payloadRAKP2, "\x00\x00\x00\x00"+console+strings.Repeat("r", 64)))
	f.Add(byte(2), login(payloadRAKP2, "\x00\x12"), login(payloadRAKP2, "\x00\x00\x00\x00"+console))
	f.Add(byte(3), []byte{6}, login(payloadRAKP3+1, "\x00\x00\x00\x00"+console+strings.Repeat("i", 12)))
	f.Add(byte(5), login(payloadRAKP3+1, console), offForEverySequence()[3])
	f.Add(byte(4), login(payloadIPMI|flagsSealed, strings.Repeat("o", 32)), login(payloadRAKP3+1, strings.Repeat("o", 32)))
	f.Fuzz(func(t *testing.T, before byte, first, second []byte) {
		b := startBMC(t, nil)
		c, err := client.NewClient("bmc", 623, user, secret)
		if err != nil {
			t.Fatal(err)
		}
		c.WithTimeout(100 * time.Millisecond).WithRetry(0).WithMaxPrivilegeLevel(types.PrivilegeLevelAdministrator).
			WithCipherSuiteID(types.CipherSuiteID(17)).WithUDPProxy(dialer(func() (net.Conn, error) {
			conn, err := net.Dial("udp", b.Address())
			forging := &forgingConn{Conn: conn, before: int(before % 6), forged: [][]byte{first, second}}
			return &sealedConn{Conn: forging, seal: newSeal(17, secret)}, err
		}))
		hand := &pureHand{client: c}
		over, cancel := context.WithCancel(t.Context())
		if err := c.Connect(t.Context()); err != nil {
			cancel() // as connect does
		} else if word, _ := hand.PowerStateGet(t.Context()); word == "off" {
			t.Errorf("the power reads %s", word)
		}
		_ = hand.Close(over)
		cancel()
	})
}

// forgingConn has datagrams before one of its answers that its BMC did not send.
type forgingConn struct {
	net.Conn
	// before is how many answers come first.
	before int
	forged [][]byte
}

func (c *forgingConn) Read(buffer []byte) (int, error) {
	if c.before > 0 || len(c.forged) == 0 {
		c.before--
		return c.Conn.Read(buffer)
	}
	n := copy(buffer, c.forged[0])
	c.forged = c.forged[1:]
	return n, nil
}

func FuzzReadings(f *testing.F) {
	f.Add("Chassis Power is on")
	f.Fuzz(func(t *testing.T, text string) {
		if parsePower(text) == fence.PowerOff && !strings.Contains(strings.ToLower(text), "off") {
			t.Errorf("%q reads off", text)
		}
		if g, ok := parseGUID(text); !ok && g != (guid{}) {
			t.Errorf("%q is no GUID and gives %s", text, g)
		}
	})
}
