package server

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/internal/pki"
)

// Caller is who asks.
type Caller struct {
	// Name goes into the timeline: "root", "alice as root", "node node2", "admin alice from 10.0.0.7".
	Name string
	Kind pki.Kind
	// Role is what it may do; empty is nothing.
	Role pki.Role
	// Socket: it came by the node's own socket.
	Socket bool
	// Reserved is set for callers that have places of their own: nodes, and root on this host.
	Reserved bool
	// Holder is whose share of places and requests it uses.
	Holder string
	// From is where it came from, for the audit trail.
	From string
	// peer is who showed a certificate; nil on the socket, and in tests.
	peer *pki.Peer
	// told is what is being done, in words, for the audit trail; nil where nobody writes one.
	told *string
}

type callerKey struct{}

// WithCaller is the context of a request from a caller.
func WithCaller(ctx context.Context, who Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, who)
}

// longestName bounds what a node says of who asked.
const longestName = 200

// by is the name of who asked: a node's word for it where a node passes a request on, and nobody
// else's.
func (c Caller) by(passedOn string) string {
	if c.Kind == pki.KindNode && passedOn != "" && len(passedOn) <= longestName {
		return passedOn
	}
	return c.Name
}

// behind is for whom a node asks, in the audit trail.
func (c Caller) behind(passedOn string) string {
	if by := c.by(passedOn); by != c.Name {
		return fmt.Sprintf(" for %.80q", by)
	}
	return ""
}

// about says what is being done, for the audit trail.
func (c Caller) about(format string, arguments ...any) {
	if c.told != nil {
		*c.told = fmt.Sprintf(format, arguments...)
	}
}

// callerOf says who is at the other end: by the kernel's word on the socket, by
// the certificate on the TLS port.
func callerOf(c net.Conn) Caller {
	switch conn := c.(type) {
	case *localConn:
		return conn.who
	case *pki.Conn:
		return remoteCaller(conn.Peer(), conn.RemoteAddr())
	}
	return Caller{}
}

func remoteCaller(peer pki.Peer, remote net.Addr) Caller {
	host, _, err := net.SplitHostPort(remote.String())
	if err != nil {
		host = remote.String()
	}
	who := Caller{Name: peer.String(), Kind: peer.Kind, Role: peer.Role, From: host, peer: &peer}
	who.Holder = "certificate " + peer.Fingerprint
	switch peer.Kind {
	case pki.KindNode:
		who.Role, who.Reserved = pki.RoleAdmin, true
	case pki.KindClient:
		who.Name += " from " + host
	default:
		who.Holder = "address " + host
	}
	return who
}

// Visitor is a person at the page, from an address.
func Visitor(peer pki.Peer, from string) Caller {
	return Caller{Name: peer.String() + " from " + from, Kind: peer.Kind, Role: peer.Role, From: from,
		Holder: "visitor " + peer.Name, peer: &peer}
}

// localCaller is who the kernel says is at the other end of the socket. Root may do everything,
// anybody else who can open the socket what its group may.
func localCaller(conn *net.UnixConn, others pki.Role) Caller {
	who := Caller{Name: "somebody", Kind: pki.KindClient, Socket: true, From: "socket", Holder: "nobody known"}
	raw, err := conn.SyscallConn()
	if err != nil {
		return who
	}
	var credentials *unix.Ucred
	if raw.Control(func(fd uintptr) {
		credentials, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}) != nil || err != nil {
		return who
	}
	who.Role, who.Holder = others, "uid "+strconv.FormatUint(uint64(credentials.Uid), 10)
	who.Name = Person(credentials.Pid, credentials.Uid)
	if credentials.Uid == 0 || int(credentials.Uid) == os.Geteuid() {
		who.Role, who.Reserved = pki.RoleAdmin, true
	}
	return who
}

// Person names who is behind a process of a user: "root", "alice as root".
func Person(pid int32, uid uint32) string {
	name := userName(uid)
	if login := loginOf(pid, uid); login != "" && login != name {
		return login + " as " + name
	}
	return name
}

func userName(uid uint32) string {
	number := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(number); err == nil {
		return u.Username
	}
	return "uid " + number
}

// noLogin is what the kernel says of a process that no login began.
const noLogin = 1<<32 - 1

// loginOf is the name with which the person behind a process logged in: by the kernel's audit
// number, which su and sudo do not change, or by sudo's word where it made somebody root. Root
// could forge both, and may do everything anyway; anybody else writes into the environment of his
// own processes what he likes. It is empty where nothing is known.
func loginOf(pid int32, uid uint32) string {
	folder := "/proc/" + strconv.Itoa(int(pid)) + "/"
	if text, err := os.ReadFile(folder + "loginuid"); err == nil {
		if uid, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32); err == nil && uid != noLogin && uid != 0 {
			return userName(uint32(uid))
		}
	}
	if uid != 0 {
		return ""
	}
	environment, err := os.ReadFile(folder + "environ")
	if err != nil {
		return ""
	}
	for line := range bytes.SplitSeq(environment, []byte{0}) {
		if name, is := strings.CutPrefix(string(line), "SUDO_USER="); is && goodLogin(name) {
			return name
		}
	}
	return ""
}

// goodLogin keeps what a process says of itself from spoiling the timeline.
func goodLogin(name string) bool {
	return name != "" && len(name) <= 64 && strings.IndexFunc(name, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '\''
	}) < 0
}
