package pki

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// noon is when every test cluster is made; tests move the clocks of single nodes away from it.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const testCluster = "7d4f0c1e"

func at(instant time.Time) func() time.Time { return func() time.Time { return instant } }

func newTestCA(t *testing.T, clusterID string) *CA {
	t.Helper()
	ca, err := NewCA("test", clusterID, noon)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newMember(t *testing.T, ca *CA, node string, now time.Time) *Identity {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return signMember(t, ca, key, node, now)
}

func signMember(t *testing.T, ca *CA, key *NodeKey, node string, now time.Time) *Identity {
	t.Helper()
	request, err := NewRequest(key, node)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.SignNode(request, node, []string{"127.0.0.1:7500", "::1"}, now, NodeValidity)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := NewIdentity(key, chain)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func newClient(t *testing.T, ca *CA, user string, role Role) *Identity {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := NewRequest(key, "ignored")
	if err != nil {
		t.Fatal(err)
	}
	chain, err := ca.SignClient(request, user, role, noon, ClientValidity)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := NewIdentity(key, chain)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// recorded makes the Standing of a state that holds exactly these members.
func recorded(members ...*Identity) func(Peer) Standing {
	fingerprints := make(map[string]string)
	for _, member := range members {
		fingerprints[member.Self.Name] = member.Self.Fingerprint
	}
	return func(peer Peer) Standing {
		if fingerprint, known := fingerprints[peer.Name]; known && peer.Kind == KindNode && fingerprint == peer.Fingerprint {
			return Standing{Kind: StandingMember}
		}
		return Standing{Kind: StandingUnknown}
	}
}

// everyone is the Standing of a state that holds whoever comes.
func everyone(Peer) Standing { return Standing{Kind: StandingMember} }

type warnings struct {
	mutex sync.Mutex
	texts []string
}

func (heard *warnings) warn(node, reason string) {
	heard.mutex.Lock()
	defer heard.mutex.Unlock()
	heard.texts = append(heard.texts, node+": "+reason)
}

func (heard *warnings) all() []string {
	heard.mutex.Lock()
	defer heard.mutex.Unlock()
	return append([]string(nil), heard.texts...)
}

// handshake runs both ends over a pipe and returns whom the server saw and both errors.
func handshake(t *testing.T, server, client *tls.Config) (seen Peer, serverErr, clientErr error) {
	t.Helper()
	serverEnd, clientEnd := net.Pipe()
	defer serverEnd.Close()
	defer clientEnd.Close()
	result := make(chan error, 1)
	secured := tls.Server(serverEnd, server)
	go func() {
		err := secured.Handshake()
		serverEnd.SetDeadline(time.Now().Add(time.Second))
		if err == nil {
			_, err = secured.Write([]byte("k"))
		}
		serverEnd.Close()
		result <- err
	}()
	connection := tls.Client(clientEnd, client)
	if clientErr = connection.Handshake(); clientErr == nil {
		// The server's verdict about the client arrives with the first byte.
		_, clientErr = io.ReadFull(connection, make([]byte, 1))
	}
	clientEnd.Close()
	serverErr = <-result
	if serverErr == nil {
		var err error
		if seen, err = PeerOf(secured.ConnectionState()); err != nil {
			t.Fatal(err)
		}
	}
	return seen, serverErr, clientErr
}

// serve runs a Mux on loopback until the test ends.
func serve(t *testing.T, store *Store, limits Limits) *Mux {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mux := NewMux(listener, store, limits, nil)
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan error, 1)
	go func() { finished <- mux.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-finished; err != nil {
			t.Errorf("Run ended with %v, want nil after its context ended", err)
		}
	})
	return mux
}

func open(t *testing.T, mux *Mux, protocol string, channels ...Channel) net.Listener {
	t.Helper()
	if len(channels) == 0 {
		channels = []Channel{ChannelRaft}
	}
	listener, err := mux.Protocol(protocol, channels...)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// echo answers every connection with what it sends, and tells who came.
func echo(listener net.Listener) <-chan Peer {
	came := make(chan Peer, 16)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				close(came)
				return
			}
			came <- connection.(*Conn).Peer()
			go func() {
				io.Copy(connection, connection)
				connection.Close()
			}()
		}
	}()
	return came
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("the error is %v, want one that is %v", err, want)
	}
}

// withoutVerification is a client that shows its certificate and accepts any server.
func withoutVerification(identity *Identity) *tls.Config {
	config := NewStore(identity, Trust{}).ClientConfig(AnyNode)
	config.VerifyConnection = nil
	return config
}

// pipeListener is a listener in memory, so that the timing tests can run in virtual time.
type pipeListener struct {
	incoming chan net.Conn
	done     chan struct{}
	once     sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{incoming: make(chan net.Conn), done: make(chan struct{})}
}

func (listener *pipeListener) Accept() (net.Conn, error) {
	select {
	case connection := <-listener.incoming:
		return connection, nil
	case <-listener.done:
		return nil, net.ErrClosed
	}
}

func (listener *pipeListener) Close() error {
	listener.once.Do(func() { close(listener.done) })
	return nil
}

func (listener *pipeListener) Addr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7500}
}

func (listener *pipeListener) connect() net.Conn {
	near, far := net.Pipe()
	listener.incoming <- far
	return near
}

// failingListener fails a number of times before it is closed.
type failingListener struct {
	pipeListener
	failures int
}

func (listener *failingListener) Accept() (net.Conn, error) {
	if listener.failures == 0 {
		return listener.pipeListener.Accept()
	}
	listener.failures--
	return nil, errors.New("too many open files")
}

// state is a Standing that can change.
type state struct {
	mutex sync.Mutex
	kind  StandingKind
}

func (s *state) set(kind StandingKind) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.kind = kind
}

func (s *state) standing(Peer) Standing {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return Standing{Kind: s.kind}
}

func dialRaft(t *testing.T, store *Store, mux *Mux) (*tls.Conn, error) {
	t.Helper()
	return Dial(t.Context(), store, mux.listener.Addr().String(), "node1", "clusterd-raft", ChannelRaft)
}

func dialTools(t *testing.T, store *Store, mux *Mux) (*tls.Conn, error) {
	t.Helper()
	return Dial(t.Context(), store, mux.listener.Addr().String(), "node1", "clusterd-api", ChannelLook)
}
