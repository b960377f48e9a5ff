package quorum

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

var echoSequence atomic.Uint32

// probeKernel looks whether a host's kernel answers on any of the peer's networks: to an ICMP
// echo, or to a TCP connection to the daemon's port, where being refused is an answer too.
func probeKernel(ctx context.Context, peer Peer) (Answer, string) {
	hosts := hostsOf(append(slices.Clone(peer.Beats), peer.Wire))
	type report struct {
		answer Answer
		detail string
	}
	reports := make(chan report, len(hosts)+1)
	for _, host := range hosts {
		go func() {
			answer, detail := echo(ctx, host)
			reports <- report{answer, detail}
		}()
	}
	go func() {
		answer, detail := connect(ctx, peer.Wire)
		reports <- report{answer, detail}
	}()
	verdict := Unknown
	var details []string
	for range len(hosts) + 1 {
		got := <-reports
		if got.answer == Answers {
			return Answers, got.detail // one sign of life is enough
		}
		verdict = stronger(verdict, got.answer)
		details = append(details, got.detail)
	}
	slices.Sort(details)
	return verdict, strings.Join(details, ", ")
}

func hostsOf(addresses []string) []netip.Addr {
	var hosts []netip.Addr
	for _, address := range addresses {
		if target, err := netip.ParseAddrPort(address); err == nil && !slices.Contains(hosts, target.Addr()) {
			hosts = append(hosts, target.Addr())
		}
	}
	return hosts
}

// connect sorts the errors of a TCP connection: a reset comes from the host's kernel; "no route
// to host" at once means that nobody answered to ARP; anything that failed before a packet left
// is no question at all.
func connect(ctx context.Context, address string) (Answer, string) {
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address)
	switch {
	case err == nil:
		connection.Close()
		return Answers, "tcp " + address + " accepted"
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET):
		return Answers, "tcp " + address + " refused by the host"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return Silent, "tcp " + address + ": no answer to address resolution"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.ETIMEDOUT):
		return Silent, "tcp " + address + ": no answer"
	default:
		return Unknown, fmt.Sprintf("tcp %s could not be tried: %v", address, err)
	}
}

// echo sends one ICMP echo request and waits for its reply. An unprivileged ping socket serves
// where a raw one is refused.
func echo(ctx context.Context, host netip.Addr) (Answer, string) {
	connection, target, err := listenEcho(host)
	if err != nil {
		return Unknown, fmt.Sprintf("ping %s could not be tried: %v", host, err)
	}
	defer connection.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(testTimeoutDefault)
	}
	connection.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()

	sequence := int(echoSequence.Add(1) & 0xffff)
	payload := fmt.Sprintf("clusterd %d %d", os.Getpid(), time.Now().UnixNano())
	var kind icmp.Type = ipv4.ICMPTypeEcho
	protocol := 1
	if host.Is6() && !host.Is4In6() {
		kind, protocol = ipv6.ICMPTypeEchoRequest, 58
	}
	request := icmp.Message{Type: kind, Body: &icmp.Echo{ID: os.Getpid() & 0xffff, Seq: sequence, Data: []byte(payload)}}
	bytes, err := request.Marshal(nil)
	if err != nil {
		return Unknown, err.Error()
	}
	if _, err := connection.WriteTo(bytes, target); err != nil {
		if errors.Is(err, syscall.EHOSTUNREACH) {
			return Silent, fmt.Sprintf("ping %s: no answer to address resolution", host)
		}
		return Unknown, fmt.Sprintf("ping %s could not be sent: %v", host, err)
	}
	return awaitEcho(connection, host, protocol, payload)
}

// awaitEcho knows the reply by its payload: a raw socket hears the replies to everybody's pings.
func awaitEcho(connection *icmp.PacketConn, host netip.Addr, protocol int, payload string) (Answer, string) {
	buffer := make([]byte, 512)
	for {
		n, _, err := connection.ReadFrom(buffer)
		if err != nil {
			return Silent, fmt.Sprintf("ping %s: no answer", host)
		}
		reply, err := icmp.ParseMessage(protocol, buffer[:n])
		if err != nil || (reply.Type != ipv4.ICMPTypeEchoReply && reply.Type != ipv6.ICMPTypeEchoReply) {
			continue
		}
		if body, ok := reply.Body.(*icmp.Echo); ok && string(body.Data) == payload {
			return Answers, fmt.Sprintf("ping %s answered", host)
		}
	}
}

func listenEcho(host netip.Addr) (*icmp.PacketConn, net.Addr, error) {
	raw, ping, any := "ip4:icmp", "udp4", "0.0.0.0"
	if host.Is6() && !host.Is4In6() {
		raw, ping, any = "ip6:ipv6-icmp", "udp6", "::"
	}
	ip := net.IP(host.Unmap().AsSlice())
	if connection, err := icmp.ListenPacket(raw, any); err == nil {
		return connection, &net.IPAddr{IP: ip, Zone: host.Zone()}, nil
	}
	connection, err := icmp.ListenPacket(ping, any)
	return connection, &net.UDPAddr{IP: ip, Zone: host.Zone()}, err
}
