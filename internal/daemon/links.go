package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// Links are a node's ways to the others in a simulated network. With them no
// port is opened and nobody is authenticated: there is no TLS, no gossip, and
// the tools' interface is reached by its handler alone. For tests.
type Links struct {
	Streams quorum.Streams
	Packets quorum.Packets
	// Secured: the streams carry TLS after all, and a peer is who its key says. The tools' interface
	// is not served on them either.
	Secured bool
	// LogInMemory keeps the log in memory: it is lost when the daemon ends.
	LogInMemory bool
	// Ask carries a question to another daemon's interface; nil where none is carried.
	Ask func(ctx context.Context, node, method, path string, body, into any) error
}

// linked are simulated streams that know what moved, as real ones do.
type linked struct {
	quorum.Streams
	daemon *Daemon
}

// Dial implements quorum.Streams.
func (l linked) Dial(ctx context.Context, address string) (net.Conn, error) {
	return l.Streams.Dial(ctx, l.daemon.book.Now(address))
}

// errNoInterface is returned where a simulated network carries no questions
// from daemon to daemon.
var errNoInterface = errors.New("the simulated network does not carry the tools' interface")

// openWire opens the way of the log and, unless the network is simulated, the
// TLS port, whose listener for the tools it returns.
func (d *Daemon) openWire(ctx context.Context) (tools net.Listener, err error) {
	links := d.options.Links
	if links != nil && !links.Secured {
		d.wire = quorum.NewWire(linked{links.Streams, d}, d.logger)
		return nil, nil
	}
	listener, err := patiently(ctx, d, "the other nodes", func() (net.Listener, error) {
		if links != nil {
			d.store.Reach = links.Streams.Dial
			return links.Streams, nil
		}
		return net.Listen("tcp", d.options.Node.Listen(d.options.Node.Port))
	})
	if err != nil {
		return nil, fmt.Errorf("listen for the other nodes: %w", err)
	}
	d.mux = pki.NewMux(listener, d.store, pki.Limits{}, d.logger)
	d.mux.Refused, d.mux.Known = d.register.RefusedPeer, d.homes.Has
	if links != nil {
		d.mux.Known = func(netip.Addr) bool { return true } // its connections have no addresses
	} else {
		d.work.Go(func() { d.homes.Run(ctx) })
	}
	// The others of its channels are stricter; which is meant comes with the first byte.
	members, err := d.mux.Protocol(pki.ProtocolQuorum, pki.ChannelRaft)
	if err == nil && links == nil {
		tools, err = d.mux.Protocol(pki.ProtocolAPI, pki.ChannelLook, pki.ChannelJoin)
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	d.work.Go(func() {
		if err := d.mux.Run(ctx); err != nil && ctx.Err() == nil {
			d.fatal("the TLS port failed: " + err.Error())
		}
	})
	d.wire = quorum.NewWire(&streams{Listener: members, daemon: d}, d.logger)
	return tools, nil
}

func (d *Daemon) listenPackets() (quorum.Packets, error) {
	if links := d.options.Links; links != nil {
		return links.Packets, nil
	}
	packets, err := quorum.ListenPackets(d.options.Node.Listen(d.options.Node.HeartbeatPort))
	if err != nil {
		return nil, fmt.Errorf("listen for heartbeats: %w", err)
	}
	return packets, nil
}

// logDir is where the log lies; empty for a log in memory, as one is that takes no part.
func (d *Daemon) logDir() string {
	if d.book.Lost() != nil || d.options.Links != nil && d.options.Links.LogInMemory {
		return ""
	}
	return d.options.Folder.LogDir()
}

// streams gives the log its authenticated connections.
type streams struct {
	net.Listener
	daemon *Daemon
}

// Dial implements quorum.Streams: whoever answers must be the member that is
// known to live there.
func (s *streams) Dial(ctx context.Context, address string) (net.Conn, error) {
	want, address := pki.AnyNode, s.daemon.book.Now(address)
	for node, known := range s.daemon.peers() {
		if known == address {
			want = node
		}
	}
	return pki.Dial(ctx, s.daemon.store, address, want, pki.ProtocolQuorum, pki.ChannelRaft)
}

// ask puts a question to another node's interface.
func (d *Daemon) ask(ctx context.Context, node, address, method, path string, body, into any) error {
	if links := d.options.Links; links != nil && links.Ask != nil {
		return links.Ask(ctx, node, method, path, body, into)
	} else if links != nil {
		return errNoInterface
	}
	transport := &http.Transport{DisableKeepAlives: true,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return pki.Dial(ctx, d.store, address, node, pki.ProtocolAPI, pki.ChannelCommand)
		}}
	return api.Exchange(ctx, transport, method, path, body, into)
}

// logWire is what the log is opened on. One whose node has decided to go on alone
// is shut: it reaches nobody, and nobody reaches it, from the first moment on. So is that of a node
// which does not hold what it acknowledged.
func (d *Daemon) logWire() (*quorum.Wire, error) {
	parting, err := membership.ReadOptional[cluster.Parting](d.options.Folder, membership.PartingFile)
	if d.book.Lost() == nil && (err != nil || parting == nil || parting.Result != nil) {
		return d.wire, err
	}
	d.shutWire = quorum.NewWire(&nobody{closed: make(chan struct{})}, d.logger)
	d.onClose("the log's shut wire", d.shutWire.Close)
	return d.shutWire, nil
}

// nobody is a network without anybody in it.
type nobody struct {
	once   sync.Once
	closed chan struct{}
}

// Accept waits for the end.
func (n *nobody) Accept() (net.Conn, error) {
	<-n.closed
	return nil, net.ErrClosed
}

// Close ends it.
func (n *nobody) Close() error {
	n.once.Do(func() { close(n.closed) })
	return nil
}

// Addr is nowhere.
func (n *nobody) Addr() net.Addr { return &net.TCPAddr{} }

// Dial reaches nobody.
func (n *nobody) Dial(context.Context, string) (net.Conn, error) {
	return nil, errors.New("the log is shut: this node goes on alone, or has lost its log")
}
