package tunnel

import (
	"io"
	"net"
	"net/netip"
	"testing"
)

// TestStrangersKeepNoMemberFromItsMove: whoever makes handshakes without end at a member's address,
// as any user of that host may, keeps the member out of nothing. At an address that is no member's
// the next one is not begun.
func TestStrangersKeepNoMemberFromItsMove(t *testing.T) {
	for address, member := range map[string]bool{"127.0.0.1": true, "127.0.0.9": false} {
		w, _, roster := attacked(t)
		roster.Addresses = []netip.Addr{netip.MustParseAddr(address)}
		w.tell("node1", roster)
		w.tell("node2", roster)
		listener, err := w.security("node1").Listen(t.Context(), freeAddress(t), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		crowdAt(t, listener.Addr().String())
		conn, err := w.security("node2").Dial(t.Context(), "node1", listener.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		if (err == nil) != member {
			t.Errorf("members are at %s, and one that comes from 127.0.0.1 ended with %v", address, err)
		}
	}
}

// crowdAt has so many handshakes fail at once that strangers begin none for seconds: 64 are under
// way, and those that there was no place for have used up what may be begun.
func crowdAt(t *testing.T, address string) {
	t.Helper()
	var crowd []net.Conn
	for range 200 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		crowd = append(crowd, conn)
	}
	for _, conn := range crowd {
		_, _ = conn.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
		_, _ = io.Copy(io.Discard, conn)
	}
}
