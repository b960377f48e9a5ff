package tunnel

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
)

// Members is the Security of a real forwarder: TLS with this node's certificate, to and from the
// members that the roster names, for the migrations that it names. It is made for one process and
// one Listen.
type Members struct {
	dataDir string
	roster  rosterFile
	logger  *slog.Logger

	mu    sync.Mutex
	store *pki.Store
}

// NewMembers takes the node's data folder and the roster's path.
func NewMembers(dataDir, roster string, logger *slog.Logger) *Members {
	return &Members{dataDir: dataDir, roster: rosterFile{path: roster}, logger: logger}
}

// rosterEvery is how often the roster is looked at, identityEvery the node's own certificate.
const (
	rosterEvery   = 100 * time.Millisecond
	identityEvery = time.Second
)

func (m *Members) open() (*pki.Store, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.store != nil {
		return m.store, nil
	}
	identity, err := pki.LoadIdentity(m.dataDir)
	if err != nil {
		return nil, err
	}
	m.store = pki.NewStore(identity, pki.Trust{Standing: m.standing, Authorities: m.authorities})
	return m.store, nil
}

// authorities are those that the roster names.
func (m *Members) authorities() []*x509.Certificate {
	roster, _, err := m.roster.read()
	if err != nil {
		return nil
	}
	return pki.ParseAuthorities(roster.Authorities)
}

// standing is what the roster says of a key. A missing or broken roster knows nobody.
func (m *Members) standing(peer pki.Peer) pki.Standing {
	roster, _, err := m.roster.read()
	if err != nil {
		return pki.Standing{Kind: pki.StandingUnknown}
	}
	if at, removed := roster.Removed[peer.Fingerprint]; removed {
		return pki.Standing{Kind: pki.StandingRemoved, RemovedAt: at}
	}
	if peer.Kind == pki.KindNode && roster.isKeyOf(peer.Name, peer.Fingerprint) {
		return pki.Standing{Kind: pki.StandingMember}
	}
	return pki.Standing{Kind: pki.StandingUnknown}
}

// isMembers reports whether a member is at an address.
func (m *Members) isMembers(address netip.Addr) bool {
	roster, _, err := m.roster.read()
	return err == nil && slices.Contains(roster.Addresses, address)
}

// Dial implements Security.
func (m *Members) Dial(ctx context.Context, node, address string) (net.Conn, error) {
	store, err := m.open()
	if err != nil {
		return nil, err
	}
	return pki.Dial(ctx, store, address, node, Protocol, pki.ChannelTunnelData)
}

// Admit implements Security.
func (m *Members) Admit(remote net.Conn, kind, act string, dialed bool) error {
	store, err := m.open()
	if err != nil {
		return err
	}
	secured, is := remote.(interface{ ConnectionState() tls.ConnectionState })
	if !is {
		return errors.New("a connection without TLS carries nothing")
	}
	peer, err := pki.PeerOf(secured.ConnectionState())
	if err != nil {
		return err
	}
	channel := pki.ChannelTunnelData
	if kind == kindAPI {
		channel = pki.ChannelTunnelAPI
	}
	if err := store.Admit(channel, pki.Direction(dialed), peer); err != nil {
		return err
	}
	roster, _, err := m.roster.read()
	if err != nil {
		return err
	}
	from, to := peer.Name, store.Identity().Self.Name
	if dialed {
		from, to = to, from
	}
	return roster.expects(act, from, to)
}

// Guest implements Security.
func (m *Members) Guest(act string) string {
	roster, _, err := m.roster.read()
	if err != nil {
		return ""
	}
	for _, move := range roster.Moves {
		if move.covers(act) {
			return move.Guest
		}
	}
	return ""
}

// Listen implements Security. The listener ends when the node has another key: a process with the
// new one takes its place.
func (m *Members) Listen(ctx context.Context, address string, refused func(remote string, reason error)) (
	net.Listener, error,
) {
	store, err := m.open()
	if err != nil {
		return nil, err
	}
	raw, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for migrations: %w", err)
	}
	mux := pki.NewMux(raw, store, pki.Limits{}, m.logger)
	mux.Known = m.isMembers
	if refused != nil {
		mux.Refused = func(remote, _ string, reason error) { refused(remote, reason) }
	}
	listener, err := mux.Protocol(Protocol, pki.ChannelTunnelData, pki.ChannelTunnelAPI)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		if err := mux.Run(ctx); err != nil {
			m.logger.Error("the port for migrations failed", "error", err)
		}
	}()
	go m.keep(ctx, mux, store, cancel)
	return &endingListener{Listener: listener, end: cancel}, nil
}

// endingListener frees the port when it is closed.
type endingListener struct {
	net.Listener
	end context.CancelFunc
}

func (l *endingListener) Close() error {
	l.end()
	return l.Listener.Close()
}

// keep cuts who was removed, and takes renewed certificates over.
func (m *Members) keep(ctx context.Context, mux *pki.Mux, store *pki.Store, end context.CancelFunc) {
	roster, identity := time.NewTicker(rosterEvery), time.NewTicker(identityEvery)
	defer roster.Stop()
	defer identity.Stop()
	var last Roster
	for {
		select {
		case <-ctx.Done():
			return
		case <-roster.C:
			now, _, _ := m.roster.read() // an error leaves nobody, which is what is to be
			if !sameKeys(now, last) {
				if cut := mux.Recheck(); cut > 0 {
					m.logger.Warn("connections of nodes that are no members were cut", "connections", cut)
				}
				last = now
			}
		case <-identity.C:
			if !m.renew(store) {
				m.logger.Warn("this node has another key; the forwarder ends, and the daemon starts another one")
				end()
				return
			}
		}
	}
}

func sameKeys(a, b Roster) bool {
	return maps.Equal(a.Nodes, b.Nodes) && maps.Equal(a.Next, b.Next) &&
		maps.EqualFunc(a.Removed, b.Removed, func(time.Time, time.Time) bool { return true })
}

// renew takes over a certificate that the daemon renewed. It is false when the node has become
// another one.
func (m *Members) renew(store *pki.Store) bool {
	identity, err := pki.LoadIdentity(m.dataDir)
	if err != nil {
		return !errors.Is(err, pki.ErrNoIdentity)
	}
	current := store.Identity()
	if identity.Self.Fingerprint != current.Self.Fingerprint || identity.ClusterID != current.ClusterID {
		return false
	}
	if identity.Certificate.NotAfter.After(current.Certificate.NotAfter) {
		if err := store.Replace(identity); err != nil {
			m.logger.Warn("a renewed certificate was not taken over", "error", err)
			return false
		}
	}
	return true
}
