package pki

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestJoinersCannotTakeTheRoomOfNodes(t *testing.T) {
	ca := newTestCA(t, testCluster)
	node := newMember(t, ca, "node1", time.Now())
	mux := serve(t, NewStore(node, Trust{Standing: everyone}), Limits{Joiners: 2, Nodes: 1})
	came := echo(open(t, mux, "clusterd-api", ChannelLook, ChannelJoin))
	token, _, err := NewToken(testCluster, ca.Pin(), []string{mux.listener.Addr().String()}, time.Now(), TokenLife)
	if err != nil {
		t.Fatal(err)
	}
	var joiners []net.Conn
	for range 3 {
		connection, err := DialJoin(t.Context(), token, "clusterd-api")
		if err != nil {
			t.Fatalf("a newer joiner found no room: %v", err)
		}
		defer connection.Close()
		<-came
		joiners = append(joiners, connection)
	}
	if _, err := joiners[0].Read(make([]byte, 1)); err == nil {
		t.Error("the oldest joiner is still connected")
	}
	wantEcho(t, joiners[2])
	store := NewStore(newMember(t, ca, "node2", time.Now()), Trust{Standing: everyone})
	connection, err := dialTools(t, store, mux)
	if err != nil {
		t.Fatalf("a node found no room: %v", err)
	}
	defer connection.Close()
	<-came
	_, err = dialTools(t, store, mux)
	wantError(t, err, ErrBusy)
	if open := mux.Disconnect(func(peer Peer) bool { return peer.Kind == KindJoiner }); open != 2 {
		t.Errorf("%d joiners were open, want 2", open)
	}
}

// A viewer opens connections without end. A node, an administrator and the viewer's own newest
// find room all the same.
func TestACrowdOfOneViewerLocksNobodyOut(t *testing.T) {
	ca := newTestCA(t, testCluster)
	trust := Trust{Now: at(noon), Standing: everyone}
	mux := serve(t, NewStore(newMember(t, ca, "node1", noon), trust), Limits{Clients: 6, PerClient: 4})
	came := echo(open(t, mux, "clusterd-api", ChannelLook))
	dial := func(identity *Identity) net.Conn {
		t.Helper()
		connection, err := dialTools(t, NewStore(identity, trust), mux)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { connection.Close() })
		<-came
		return connection
	}
	admin := dial(newClient(t, ca, "alice", RoleAdmin))
	viewer := newClient(t, ca, "mallory", RoleViewer)
	var newest net.Conn
	for range 40 {
		newest = dial(viewer)
	}
	wantEcho(t, admin)
	wantEcho(t, newest)
	wantEcho(t, dial(newMember(t, ca, "node2", noon)))
	wantEcho(t, dial(newClient(t, ca, "bob", RoleViewer)))
	if open := mux.Disconnect(func(peer Peer) bool { return peer.Name == "mallory" }); open != 4 {
		t.Errorf("one certificate has %d connections, want 4", open)
	}
}

func TestAFloodDoesNotFillTheLog(t *testing.T) {
	ca := newTestCA(t, testCluster)
	var logged bytes.Buffer
	listener := newPipeListener()
	store := NewStore(newMember(t, ca, "node1", noon), Trust{Now: at(noon), Standing: everyone})
	mux := NewMux(listener, store, Limits{}, slog.New(slog.NewTextHandler(&logged, nil)))
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- mux.Run(ctx) }()
	for range 500 {
		stranger := listener.connect()
		go io.WriteString(stranger, "GET / HTTP/1.1\r\n\r\n")
		io.Copy(io.Discard, stranger)
		stranger.Close()
	}
	cancel()
	<-ended
	if lines := strings.Count(logged.String(), "\n"); lines == 0 || lines > strangerLines*10 {
		t.Errorf("500 strangers left %d lines", lines)
	}
}

// A stranger that dials again and again costs a handshake each time, until it is told off without
// one; some time later it may come again.
func TestStrangersBeginOnlySoManyHandshakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPort(t, everyone)
		viewer := newClient(t, p.ca, "mallory", RoleViewer)
		welcome := func() (count int) {
			for range strangersBurst + 40 {
				if p.dials(viewer, "10.0.0.9") == nil {
					count++
				}
			}
			return count
		}
		if count := welcome(); count != strangersBurst+1 {
			t.Errorf("%d of %d handshakes were made, want %d", count, strangersBurst+40, strangersBurst+1)
		}
		time.Sleep(time.Second)
		if count := welcome(); count != strangersRate {
			t.Errorf("a second later %d handshakes were made, want %d", count, strangersRate)
		}
	})
}
