package pki

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestMuxSeparatesProtocols(t *testing.T) {
	ca := newTestCA(t, testCluster)
	trust := Trust{Now: at(noon), Standing: everyone}
	mux := serve(t, NewStore(newMember(t, ca, "node1", noon), trust), Limits{})
	raft, api := echo(open(t, mux, "clusterd-raft")), echo(open(t, mux, "clusterd-api", ChannelLook, ChannelJoin))
	store := NewStore(newMember(t, ca, "node2", noon), trust)
	for protocol, came := range map[string]<-chan Peer{"clusterd-raft": raft, "clusterd-api": api} {
		connection, err := Dial(t.Context(), store, mux.listener.Addr().String(), "node1", protocol, ChannelRaft)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if peer := <-came; peer != store.Identity().Self {
			t.Errorf("%s: %+v came, want %+v", protocol, peer, store.Identity().Self)
		}
		if peer, err := PeerOf(connection.ConnectionState()); err != nil || peer.Name != "node1" {
			t.Errorf("%s: the client is connected to %+v, %v", protocol, peer, err)
		}
		wantEcho(t, connection)
	}
	_, err := Dial(t.Context(), store, mux.listener.Addr().String(), "node1", "clusterd-tunnel", ChannelRaft)
	if err == nil || !strings.Contains(err.Error(), "does not serve clusterd-tunnel") {
		t.Errorf("a protocol that is not served ended with %v", err)
	}
	_, err = Dial(t.Context(), store, mux.listener.Addr().String(), "node3", "clusterd-raft", ChannelRaft)
	wantError(t, err, ErrWrongNode)
}

func wantEcho(t *testing.T, connection net.Conn) {
	t.Helper()
	if _, err := io.WriteString(connection, "hello"); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 5)
	if _, err := io.ReadFull(connection, answer); err != nil || string(answer) != "hello" {
		t.Fatalf("the echo is %q, %v", answer, err)
	}
}

func TestMuxWithoutProtocolsSaysSo(t *testing.T) {
	ca := newTestCA(t, testCluster)
	mux := serve(t, NewStore(newMember(t, ca, "node1", noon), Trust{Now: at(noon), Standing: everyone}), Limits{})
	_, err := dialRaft(t, NewStore(newMember(t, ca, "node2", noon), Trust{Now: at(noon), Standing: everyone}), mux)
	if err == nil || !strings.Contains(err.Error(), "does not serve clusterd-raft") {
		t.Errorf("a node that is still starting ended with %v", err)
	}
}

func TestProtocolIsOpenedOnceAndAgainAfterClose(t *testing.T) {
	ca := newTestCA(t, testCluster)
	mux := serve(t, NewStore(newMember(t, ca, "node1", noon), Trust{Now: at(noon), Standing: everyone}), Limits{})
	first := open(t, mux, "clusterd-raft")
	_, err := mux.Protocol("clusterd-raft")
	wantError(t, err, ErrProtocolTaken)
	first.Close()
	_, err = first.Accept()
	wantError(t, err, net.ErrClosed)
	second := open(t, mux, "clusterd-raft")
	first.Close() // Closing the old one again must not close the new one.
	came := echo(second)
	store := NewStore(newMember(t, ca, "node2", noon), Trust{Now: at(noon), Standing: everyone})
	connection, err := dialRaft(t, store, mux)
	if err != nil {
		t.Fatal(err)
	}
	connection.Close()
	<-came
}

// The refused node reads the reason itself: that is what the greeting is for.
func TestRefusalsReachTheOtherEndInWords(t *testing.T) {
	ca := newTestCA(t, testCluster)
	removed := newMember(t, ca, "node3", noon)
	expired := at(noon.Add(NodeValidity + time.Hour))
	server := NewStore(newMember(t, ca, "node1", noon), Trust{Now: expired, Standing: func(peer Peer) Standing {
		if peer.Fingerprint == removed.Self.Fingerprint {
			return Standing{Kind: StandingRemoved, RemovedAt: noon}
		}
		return Standing{}
	}})
	mux := serve(t, server, Limits{})
	echo(open(t, mux, "clusterd-raft"))
	for name, test := range map[string]struct {
		store *Store
		is    error
		says  string
	}{
		"removed": {NewStore(removed, Trust{Now: at(noon), Standing: everyone}), ErrRemoved,
			"node node3 was removed from the cluster on 2026-03-01"},
		"client on a protocol for nodes": {
			NewStore(newClient(t, ca, "alice", RoleAdmin), Trust{Now: at(noon), Standing: everyone}), ErrRefused,
			"admin alice may not use channel raft"},
		"unknown key and expired": {
			NewStore(newMember(t, ca, "node4", noon), Trust{Now: at(noon), Standing: everyone}), ErrRefused,
			"set the clocks of both machines"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dialRaft(t, test.store, mux)
			wantError(t, err, ErrRefused)
			wantError(t, err, test.is)
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error %q does not say %q", err, test.says)
			}
		})
	}
}

func TestJoinByTokenPinsTheCluster(t *testing.T) {
	ca := newTestCA(t, testCluster)
	node := NewStore(newMember(t, ca, "node1", time.Now()), Trust{Standing: everyone})
	mux := serve(t, node, Limits{})
	came := echo(open(t, mux, "clusterd-api", ChannelLook, ChannelJoin))
	echo(open(t, mux, "clusterd-raft"))
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	address := mux.listener.Addr().String()
	token, _, err := NewToken(testCluster, ca.Pin(), []string{dead.Addr().String(), address}, time.Now(), TokenLife)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := DialJoin(t.Context(), token, "clusterd-api")
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if peer := <-came; peer != (Peer{Kind: KindJoiner}) {
		t.Errorf("%+v came, want a joiner", peer)
	}
	wantEcho(t, connection)
	_, err = DialJoin(t.Context(), token, "clusterd-raft")
	wantError(t, err, ErrRefused)

	for name, forged := range map[string]Token{
		"another authority with the same id": {ClusterID: testCluster, AuthorityPin: newTestCA(t, testCluster).Pin(),
			Addresses: []string{address}},
		"another id": {ClusterID: "another", AuthorityPin: ca.Pin(), Addresses: []string{address}},
		// The pin of a node's own key must not make it an authority.
		"a node's key as the pin": {ClusterID: testCluster, AuthorityPin: node.Identity().Self.Fingerprint,
			Addresses: []string{address}},
	} {
		if _, err := DialJoin(t.Context(), forged, "clusterd-api"); err == nil {
			t.Errorf("%s: the joiner connected", name)
		}
	}
}

func TestHTTPKnowsThePeer(t *testing.T) {
	ca := newTestCA(t, testCluster)
	trust := Trust{Now: at(noon), Standing: everyone}
	mux := serve(t, NewStore(newMember(t, ca, "node1", noon), trust), Limits{})
	handler := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		peer, err := PeerOf(*request.TLS)
		if err != nil {
			t.Error(err)
		}
		io.WriteString(writer, peer.String())
	})
	store := NewStore(newClient(t, ca, "alice", RoleAdmin), trust)
	for _, protocol := range []string{"clusterd-api", "http/1.1"} {
		server := &http.Server{Handler: handler}
		go server.Serve(open(t, mux, protocol, ChannelLook))
		t.Cleanup(func() { server.Close() })
		client := &http.Client{Transport: &http.Transport{DialTLSContext: func(ctx context.Context, _,
			address string) (net.Conn, error) {
			return Dial(ctx, store, address, AnyNode, protocol, ChannelLook)
		}}}
		response, err := client.Get("https://" + mux.listener.Addr().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		client.CloseIdleConnections()
		if string(body) != "admin alice" {
			t.Errorf("%s: the handler saw %q, want admin alice", protocol, body)
		}
	}
}

func TestDisconnectEndsOpenConnectionsOfOnePeer(t *testing.T) {
	ca := newTestCA(t, testCluster)
	trust := Trust{Now: at(noon), Standing: everyone}
	mux := serve(t, NewStore(newMember(t, ca, "node1", noon), trust), Limits{})
	came := echo(open(t, mux, "clusterd-raft"))
	connections := make(map[string]net.Conn)
	for _, node := range []string{"node2", "node3"} {
		connection, err := dialRaft(t, NewStore(newMember(t, ca, node, noon), trust), mux)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		<-came
		connections[node] = connection
	}
	if closed := mux.Disconnect(func(peer Peer) bool { return peer.Name == "node3" }); closed != 1 {
		t.Errorf("%d connections were closed, want 1", closed)
	}
	if _, err := connections["node3"].Read(make([]byte, 1)); err == nil {
		t.Error("the removed node's connection is still open")
	}
	wantEcho(t, connections["node2"])
}

// The removal is committed while the handshake is under way: Disconnect cannot see the
// connection yet, so the Mux must look again.
func TestRemovalDuringTheHandshakeIsNoticed(t *testing.T) {
	ca := newTestCA(t, testCluster)
	var looked atomic.Int32
	mux := serve(t, NewStore(newMember(t, ca, "node1", noon), Trust{Now: at(noon), Standing: func(Peer) Standing {
		if looked.Add(1) == 1 {
			return Standing{Kind: StandingMember}
		}
		return Standing{Kind: StandingRemoved}
	}}), Limits{})
	open(t, mux, "clusterd-raft")
	_, err := dialRaft(t, NewStore(newMember(t, ca, "node3", noon), Trust{Now: at(noon), Standing: everyone}), mux)
	wantError(t, err, ErrRemoved)
}

func TestQueueThatNobodyEmptiesIsBounded(t *testing.T) {
	ca := newTestCA(t, testCluster)
	trust := Trust{Now: at(noon), Standing: everyone}
	mux := serve(t, NewStore(newMember(t, ca, "node1", noon), trust), Limits{Queue: 1})
	open(t, mux, "clusterd-raft")
	store := NewStore(newMember(t, ca, "node2", noon), trust)
	// Nobody accepts, so whoever is welcomed first keeps the only place, be it still greeted or
	// already queued.
	connection, err := dialRaft(t, store, mux)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for range 3 {
		_, err := dialRaft(t, store, mux)
		wantError(t, err, ErrBusy)
	}
}

// Two clients say nothing. They hold all the room there is for handshakes; an honest third must
// get in at once all the same.
func TestSilentClientsBlockNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newTestCA(t, testCluster)
		trust := Trust{Now: at(noon), Standing: everyone}
		listener := newPipeListener()
		var logged bytes.Buffer
		mux := NewMux(listener, NewStore(newMember(t, ca, "node1", noon), trust), Limits{Handshakes: 2},
			slog.New(slog.NewTextHandler(&logged, nil)))
		came := echo(open(t, mux, "clusterd-raft"))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- mux.Run(ctx) }()

		began := time.Now()
		oldest, younger := listener.connect(), listener.connect()
		synctest.Wait()
		store := NewStore(newMember(t, ca, "node2", noon), trust)
		connection, err := secure(ctx, listener.connect(), "clusterd-raft", store.ClientConfig("node1", "clusterd-raft"))
		if err != nil {
			t.Fatal(err)
		}
		wantEcho(t, connection)
		if peer := <-came; peer.Name != "node2" || time.Since(began) != 0 {
			t.Errorf("%s came after %s, want node node2 at once", peer, time.Since(began))
		}
		if _, err := oldest.Read(make([]byte, 1)); err != io.EOF || time.Since(began) != 0 {
			t.Errorf("the oldest silent client ended with %v after %s, want the end at once", err, time.Since(began))
		}
		if _, err := younger.Read(make([]byte, 1)); err != io.EOF || time.Since(began) != 5*time.Second {
			t.Errorf("the younger silent client ended with %v after %s, want the end after 5s", err, time.Since(began))
		}
		wantEcho(t, connection) // The handshake's deadline must not outlive the handshake.
		connection.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
}

// A server that accepts and says nothing costs the client DialTimeout, or what its context allows.
func TestSilentServerEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newTestCA(t, testCluster)
		store := NewStore(newMember(t, ca, "node2", noon), Trust{Now: at(noon), Standing: everyone})
		near, far := net.Pipe()
		defer far.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		go io.Copy(io.Discard, far)
		_, err := secure(ctx, near, "clusterd-raft", store.ClientConfig("node1", "clusterd-raft"))
		wantError(t, err, context.DeadlineExceeded)
		if waited := time.Since(began); waited != 3*time.Second {
			t.Errorf("it took %s, want 3s", waited)
		}
	})
}

func TestAcceptIsTriedAgainWithALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := newTestCA(t, testCluster)
		store := NewStore(newMember(t, ca, "node1", noon), Trust{Now: at(noon), Standing: everyone})
		patient := &failingListener{pipeListener: *newPipeListener(), failures: acceptFailureLimit}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		mux := NewMux(patient, store, Limits{}, nil)
		go func() { ended <- mux.Run(ctx) }()
		time.Sleep(5 * time.Minute) // Virtual: all the failures are over.
		patient.connect().Close()   // It accepts again.
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run ended with %v", err)
		}
		hopeless := &failingListener{pipeListener: *newPipeListener(), failures: acceptFailureLimit + 1}
		if err := NewMux(hopeless, store, Limits{}, nil).Run(t.Context()); err == nil ||
			!strings.Contains(err.Error(), "too many open files") {
			t.Errorf("Run ended with %v, want the listener's error", err)
		}
	})
}
