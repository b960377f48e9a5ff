package web

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// reader reads a stream of a node that is served over the network.
type reader struct {
	t    *testing.T
	text *bufio.Scanner
	stop context.CancelFunc
}

func (n *node) read(t *testing.T, server *httptest.Server, cookie, last string) *reader {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(stop)
	r, err := http.NewRequestWithContext(ctx, "GET", server.URL+pathStream, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: cookieName, Value: cookie})
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return &reader{t: t, text: bufio.NewScanner(answer.Body), stop: stop}
}

// next is the next event that is no beat.
func (r *reader) next() (id, kind, data string) {
	r.t.Helper()
	for r.text.Scan() {
		line := r.text.Text()
		if word, is := strings.CutPrefix(line, "id: "); is {
			id = word
		}
		if word, is := strings.CutPrefix(line, "event: "); is {
			kind = word
		}
		if word, is := strings.CutPrefix(line, "data: "); is && kind != "beat" {
			return id, kind, word
		}
	}
	r.t.Fatalf("the stream ended: %v", r.text.Err())
	return "", "", ""
}

func served1(t *testing.T) (*node, *httptest.Server, string) {
	t.Helper()
	n := newNode()
	cookie, _ := n.logIn(t, alice)
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		n.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	return n, server, cookie
}

// TestTheStreamGoesOnWhereItBroke: the whole first, then what changed and nothing else; a reader
// that comes back is told what it missed, and one of another start of the daemon the whole.
func TestTheStreamGoesOnWhereItBroke(t *testing.T) {
	n, server, cookie := served1(t)
	first := n.read(t, server, cookie, "")
	id, kind, data := first.next()
	if kind != "whole" || !strings.Contains(data, `"service/vm:a"`) || !strings.Contains(data, `"cluster":"alpha"`) {
		t.Fatalf("it begins with %s %s", kind, data)
	}
	n.is(strings.Replace(quiet, `{"name":"vm:a"}`, `{"name":"vm:a","owner":"node1"}`, 1), `{"index":1,"subject":"vm:a"}`)
	changed, kind, data := first.next()
	if kind != "change" || strings.Contains(data, "node/node1") || strings.Contains(data, "head") ||
		!strings.Contains(data, `"owner":"node1"`) || !strings.Contains(data, `"subject":"vm:a"`) {
		t.Errorf("a change is told as %s %s", kind, data)
	}
	n.is(strings.Replace(quiet, `{"name":"vm:a"}`, "", 1))
	if _, _, data := first.next(); !strings.Contains(data, `"gone":["service/vm:a"]`) {
		t.Errorf("a service that is gone is told as %s", data)
	}
	first.stop()

	again := n.read(t, server, cookie, id)
	if at, kind, _ := again.next(); kind != "change" || at != changed {
		t.Errorf("who comes back after %s begins with %s %s, want %s", id, kind, at, changed)
	}
	other := n.read(t, server, cookie, "another-7")
	if _, kind, data := other.next(); kind != "whole" || strings.Contains(data, "vm:a\":{") {
		t.Errorf("after another start: %s %s", kind, data)
	}
}

func TestTheStreamSaysWhenTheNodeCannotBeAsked(t *testing.T) {
	n, server, cookie := served1(t)
	r := n.read(t, server, cookie, "")
	r.next()
	n.is(`{"nodes":`)
	if _, _, data := r.next(); !strings.Contains(data, `"problem":"unexpected end`) || strings.Contains(data, "gone") {
		t.Errorf("it is told as %s", data)
	}
	n.is(quiet)
	if _, _, data := r.next(); !strings.Contains(data, `"problem":""`) {
		t.Errorf("that it can again is told as %s", data)
	}
}

func TestAStreamEndsWithItsVisit(t *testing.T) {
	n, server, cookie := served1(t)
	r := n.read(t, server, cookie, "")
	r.next()
	n.visits.leave(n.visits.of(cookie))
	if _, kind, _ := r.next(); kind != "over" {
		t.Errorf("it ends with %s", kind)
	}
	if r.text.Scan(); r.text.Text() != "" {
		t.Errorf("it goes on with %q", r.text.Text())
	}
}

// TestPagesThatAreOpenAreBounded: one visitor has his own places, those of one role theirs, and who
// may change something waits for none who may only look.
func TestPagesThatAreOpenAreBounded(t *testing.T) {
	n := newNode()
	cookie, _ := n.logIn(t, Visitor{Name: "eve", Role: pki.RoleViewer})
	take := func(count int, who Visitor) (leave func(), taken int) {
		var last func()
		for range count {
			if leave, room := n.seats.enter(&http.Request{}, &visit{Visitor: who}); room {
				taken, last = taken+1, leave
			}
		}
		return last, taken
	}
	leave, taken := take(mostStreams, Visitor{Name: "eve", Role: pki.RoleViewer})
	if taken != streamsOfOne {
		t.Errorf("one viewer has %d pages open", taken)
	}
	w := n.send(request{method: "GET", path: pathStream, cookie: cookie})
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "another node") {
		t.Errorf("a page too many: %d %s", w.Code, w.Body)
	}
	leave()
	others := 0
	for _, name := range []string{"a", "b", "c", "d"} {
		_, taken := take(streamsOfOne, Visitor{Name: name, Role: pki.RoleViewer})
		others += taken
	}
	if want := mostStreams - streamsOfOne + 1; others != want {
		t.Errorf("other viewers have %d pages open, want %d", others, want)
	}
	for _, role := range []pki.Role{pki.RoleOperator, pki.RoleAdmin} {
		if _, taken := take(1, Visitor{Name: "alice", Role: role}); taken != 1 {
			t.Errorf("viewers have taken the places of role %s", role)
		}
	}
}

// TestNobodyLooksWhileNobodyReads: a State that changes all the time costs nothing without a page
// open, and with one a look each refreshGap.
func TestNobodyLooksWhileNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks, always := atomic.Int32{}, make(chan struct{})
		close(always) // there is always a newer State
		b := newBoard(func(_ context.Context, question string) ([]byte, error) {
			if question == api.PathStatus {
				looks.Add(1)
			}
			return []byte(quiet), nil
		}, func() <-chan struct{} { return always })
		ctx, stop := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { b.run(ctx) })
		time.Sleep(time.Minute)
		if n := looks.Load(); n != 0 {
			t.Errorf("it looked %d times for nobody", n)
		}
		b.enter()
		time.Sleep(30 * time.Second)
		if n, want := looks.Load(), int32(30*time.Second/refreshGap); n < want-1 || n > want+1 {
			t.Errorf("it looked %d times in 30 s, want %d", n, want)
		}
		b.leave()
		time.Sleep(refreshGap)
		was := looks.Load()
		time.Sleep(time.Minute)
		if n := looks.Load(); n > was {
			t.Errorf("it looked %d times after the last reader left", n-was)
		}
		stop()
		done.Wait()
	})
}
