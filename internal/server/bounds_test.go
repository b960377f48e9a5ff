package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
)

// once is a listener that has one connection.
type once struct{ conns chan net.Conn }

func (o once) Accept() (net.Conn, error) {
	conn, open := <-o.conns
	if !open {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (o once) Close() error   { return nil }
func (o once) Addr() net.Addr { return &net.UnixAddr{Name: "once"} }

// TestABodyHasItsTime: who begins a body and does not end it holds his place for so long, a machine
// without a certificate for less.
func TestABodyHasItsTime(t *testing.T) {
	for _, c := range []struct {
		who      Caller
		path     string
		patience time.Duration
	}{{joiner, api.PathJoin, joinPatience}, {rootUser, api.PathLock, bodyPatience}} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			listener := once{make(chan net.Conn, 1)}
			listener.conns <- theirs
			server := &http.Server{Handler: newFake().serve().Handler(),
				BaseContext: func(net.Listener) context.Context { return WithCaller(context.Background(), c.who) }}
			ended := make(chan error)
			go func() { ended <- server.Serve(listener) }()
			began := time.Now()
			_ = ours.SetDeadline(began.Add(2 * bodyPatience))
			fmt.Fprintf(ours, "POST %s HTTP/1.1\r\nHost: node1\r\nContent-Length: 100\r\n\r\n{", c.path)
			answer, err := http.ReadResponse(bufio.NewReader(ours), nil)
			if took := time.Since(began); err != nil || answer.StatusCode != http.StatusRequestTimeout || took != c.patience {
				t.Errorf("%s: after %s %v, %v", c.path, took, answer, err)
			}
			_ = ours.Close()
			close(listener.conns)
			_ = server.Close()
			<-ended
		})
	}
}

// TestABodyHasItsSize: what is larger is refused by what it says, and by what it is where it says
// nothing.
func TestABodyHasItsSize(t *testing.T) {
	handler := newFake().serve().Handler()
	for _, told := range []int64{joinBody + 1, -1} {
		request := httptest.NewRequestWithContext(WithCaller(t.Context(), joiner), "POST", api.PathJoin,
			bytes.NewReader([]byte(`{"node":"`+strings.Repeat("x", joinBody)+`"}`)))
		request.ContentLength = told
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, request)
		if w.Code != http.StatusRequestEntityTooLarge || w.Header().Get("Connection") != "close" {
			t.Errorf("a body that says it has %d bytes: %d %s", told, w.Code, w.Body)
		}
	}
}

// TestBodiesTakeSoMuchMemory: bodies of one kind of caller take no more at once, and leave the
// others theirs. A body that does not say how large it is counts as the largest.
func TestBodiesTakeSoMuchMemory(t *testing.T) {
	s := newShares()
	node := Caller{Name: "node node2", Kind: pki.KindNode, Reserved: true}
	give, err := s.take(operator, bodiesOfKind)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.take(viewer, 1); err == nil {
		t.Error("users have more memory than theirs")
	}
	for _, who := range []Caller{rootUser, node} {
		if _, err := s.take(who, bodiesOfKind); err != nil {
			t.Errorf("users leave %s no memory: %v", who.Name, err)
		}
	}
	give()
	if _, err := s.take(viewer, bodiesOfKind); err != nil {
		t.Errorf("memory that was given back is not there: %v", err)
	}
	server := newFake().serve()
	server.shares.bodies["user"] = bodiesOfKind - joinBody + 1
	request := httptest.NewRequestWithContext(WithCaller(t.Context(), joiner), "POST", api.PathJoin,
		bytes.NewReader([]byte("{}")))
	request.ContentLength = -1
	w := httptest.NewRecorder()
	server.Handler().ServeHTTP(w, request)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("a body of an unknown size was read: %d %s", w.Code, w.Body)
	}
}

// TestACrowdLeavesNodesAndRootTheirRequests: users fill their share of requests and of the pace,
// and nodes and root are neither refused nor kept waiting.
func TestACrowdLeavesNodesAndRootTheirRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShares()
		refused := 0
		for i := range 4 * postsOfKind {
			who := Caller{Name: "eve", Kind: pki.KindClient, Holder: fmt.Sprintf("uid %d", i%8)}
			if _, err := s.enter(&who); err != nil {
				refused++
			}
			_ = s.hold(t.Context(), Caller{Name: "eve", Holder: "uid 1"})
		}
		if refused != 3*postsOfKind {
			t.Errorf("%d of %d requests of users were refused", refused, 4*postsOfKind)
		}
		began := time.Now()
		for _, who := range []Caller{rootUser, {Name: "node node2", Kind: pki.KindNode, Reserved: true, Holder: "node2"}} {
			for range postsOfKind / 2 {
				one := who
				if _, err := s.enter(&one); err != nil {
					t.Errorf("users leave %s no place: %v", who.Name, err)
				}
			}
			for range 200 {
				if err := s.hold(t.Context(), who); err != nil || time.Since(began) > 0 {
					t.Fatalf("%s is held back for %s, %v", who.Name, time.Since(began), err)
				}
			}
		}
		if s.posts["node"].Count() != postsOfKind/2 {
			t.Errorf("nodes have %d places in their own share", s.posts["node"].Count())
		}
	})
}

// stranger is a connection to the socket in the hands of a user that the test makes up.
func stranger(t *testing.T, c *crowd, who Caller) (alive func() bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	theirs, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(ours.Close(), theirs.Close()) })
	c.place(&localConn{UnixConn: ours.(*net.UnixConn), crowd: c, who: who})
	raw, err := theirs.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return func() (open bool) {
		_ = raw.Control(func(fd uintptr) { // what the kernel knows by now; nothing is waited for
			_, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			open = errors.Is(err, syscall.EAGAIN)
		})
		return open
	}
}

func alive(of []func() bool) (count int) {
	for _, one := range of {
		if one() {
			count++
		}
	}
	return count
}

// TestTheSocketHasPlacesForRoot: a crowd of users pushes out its own connections, and neither
// root's nor those of a user who has few.
func TestTheSocketHasPlacesForRoot(t *testing.T) {
	c := &crowd{log: slog.New(slog.DiscardHandler), rooms: socketRooms()}
	c.pace = limits.Pace{Rate: 1e6, Burst: 1e6, Holders: 16, Most: time.Second} // it has its own test
	var root []func() bool
	for range 2 * connectionsOfUID {
		root = append(root, stranger(t, c, rootUser))
	}
	quiet := []func() bool{stranger(t, c, Caller{Name: "bob", Holder: "uid 1001"})}
	var loud []func() bool
	for i := range 3 * userConnections {
		loud = append(loud, stranger(t, c, Caller{Name: "eve", Holder: fmt.Sprintf("uid %d", 2000+i%6)}))
	}
	if alive(root) != len(root) || alive(quiet) != 1 {
		t.Errorf("a crowd ended connections of root (%d of %d are left), or that of a quiet user (%d)", alive(root),
			len(root), alive(quiet))
	}
	if open := alive(loud); open > userConnections-1 || open < userConnections/2 {
		t.Errorf("the crowd has %d connections", open)
	}
	c = &crowd{log: c.log, rooms: socketRooms(), pace: socketPace()}
	one := []func() bool{}
	for range 2 * connectionsOfUID {
		one = append(one, stranger(t, c, Caller{Name: "mallory", Holder: "uid 3000"}))
	}
	if open := alive(one); open != connectionsOfUID {
		t.Errorf("one user has %d connections", open)
	}
}

// TestAUserConnectsOnlySoOften: who comes again and again is not even listened to; root is.
func TestAUserConnectsOnlySoOften(t *testing.T) {
	c := &crowd{log: slog.New(slog.DiscardHandler), rooms: socketRooms(), pace: socketPace()}
	var user, root []func() bool
	for range 3 * connectsBurst {
		user = append(user, stranger(t, c, Caller{Name: "eve", Holder: "uid 1000"}))
	}
	for range 3 * connectsBurst {
		root = append(root, stranger(t, c, rootUser))
	}
	if last := alive(user[len(user)-1:]); last != 0 {
		t.Error("a user's connection was taken, far above his pace")
	}
	if open := alive(root); open != len(root) {
		t.Errorf("%d of %d connections of root were taken", open, len(root))
	}
}
