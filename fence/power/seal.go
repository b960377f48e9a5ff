package power

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"net"
	"sync"
)

// Offsets and codes of IPMI 2.0, sections 13.6 and 13.17 to 13.28.
const (
	authTypeAt      = 4
	payloadTypeAt   = 5
	sessionAt       = 6
	lengthAt        = 14
	payloadAt       = 16
	authTypeRMCP    = 0x06
	payloadIPMI     = 0x00
	payloadOpen     = 0x10
	payloadRAKP1    = 0x12
	payloadRAKP2    = 0x13
	payloadRAKP3    = 0x14
	flagsSealed     = 0xc0
	maskPayload     = 0x3f
	cipherBlock     = 16
	keyMaterialSize = 20
)

// seal checks the integrity code of what a BMC says inside a session.
//
// The library checks neither that code nor whether an answer belongs to the
// session at all, and it decrypts before it looks: one forged or stale
// datagram could say "off" for a machine that runs, or end this process. So
// the seal follows the login as it passes by, derives the same key, and lets
// through only what the BMC sealed with it.
type seal struct {
	hash     func() hash.Hash
	codeSize int
	password string

	mu          sync.Mutex
	session     uint32
	consoleRand []byte
	roleAndName []byte
	key         []byte
	// last is the last login message sent; its answer has the next number.
	last byte
}

func newSeal(suite int, password string) *seal {
	if suite == 17 {
		return &seal{hash: sha256.New, codeSize: 16, password: password}
	}
	return &seal{hash: sha1.New, codeSize: 12, password: password}
}

// sent notes what the login messages of this side carry.
func (s *seal) sent(packet []byte) {
	kind, body, ok := payload(packet)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case kind == payloadOpen && len(body) >= 8:
		s.session = binary.LittleEndian.Uint32(body[4:8])
	case kind == payloadRAKP1 && len(body) >= 28 && len(body) >= 28+int(body[27]):
		s.consoleRand = bytes.Clone(body[8:24])
		s.roleAndName = append([]byte{body[24]}, body[27:28+int(body[27])]...)
	}
	if kind >= payloadOpen {
		s.last = kind
	}
}

// genuine reports whether a datagram may reach the library: the answer to the
// login message sent last, which the library verifies itself, or something
// sealed. A late answer to a repeated login message is neither, and would
// break the login.
func (s *seal) genuine(packet []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, body, ok := payload(packet)
	switch {
	case !ok:
		// Before the login the BMC answers one question in the old format.
		return s.last == 0 && len(packet) > payloadTypeAt && packet[authTypeAt] != authTypeRMCP
	case kind == payloadIPMI:
		return s.last == payloadRAKP3 && s.sealed(packet, body)
	case kind == payloadRAKP2 && kind == s.last+1 && len(body) >= 40:
		s.derive(body[8:24])
	}
	return kind == s.last+1
}

// derive computes the session integrity key and from it K1 (13.31, 13.32).
func (s *seal) derive(bmcRand []byte) {
	user := make([]byte, keyMaterialSize)
	copy(user, s.password)
	sik := s.code(user, s.consoleRand, bmcRand, s.roleAndName)
	s.key = s.code(sik, bytes.Repeat([]byte{1}, keyMaterialSize))
}

func (s *seal) code(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(s.hash, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// sealed checks an answer inside the session: encrypted, for this session,
// whole blocks, and the code over all of it right.
func (s *seal) sealed(packet, body []byte) bool {
	flags := packet[payloadTypeAt] & flagsSealed
	if flags != flagsSealed || binary.LittleEndian.Uint32(packet[sessionAt:]) != s.session || s.key == nil {
		return false
	}
	if len(body) < 2*cipherBlock || len(body)%cipherBlock != 0 {
		return false
	}
	trailer := len(packet) - s.codeSize
	if trailer < payloadAt+len(body)+2 {
		return false
	}
	want := s.code(s.key, packet[authTypeAt:trailer])[:s.codeSize]
	return hmac.Equal(want, packet[trailer:])
}

// payload splits an RMCP+ packet.
func payload(packet []byte) (kind byte, body []byte, ok bool) {
	if len(packet) < payloadAt || packet[authTypeAt] != authTypeRMCP {
		return 0, nil, false
	}
	length := int(binary.LittleEndian.Uint16(packet[lengthAt:]))
	if len(packet) < payloadAt+length {
		return 0, nil, false
	}
	return packet[payloadTypeAt] & maskPayload, packet[payloadAt : payloadAt+length], true
}

// sealedConn is the library's socket, behind the seal.
type sealedConn struct {
	net.Conn
	seal *seal
}

// Write shows the seal what goes out.
func (c *sealedConn) Write(packet []byte) (int, error) {
	c.seal.sent(packet)
	return c.Conn.Write(packet)
}

// Read returns the next genuine datagram, or the deadline's error.
func (c *sealedConn) Read(buffer []byte) (int, error) {
	for {
		n, err := c.Conn.Read(buffer)
		if err != nil || c.seal.genuine(buffer[:n]) {
			return n, err
		}
	}
}
