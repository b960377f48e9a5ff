package server

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// reader is a client of the stream, until it breaks.
type reader struct {
	header http.Header
	status int

	mu     sync.Mutex
	text   bytes.Buffer
	broken bool
}

func (r *reader) Header() http.Header    { return r.header }
func (r *reader) WriteHeader(status int) { r.status = status }
func (r *reader) Flush()                 {}
func (r *reader) Write(text []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken {
		return 0, http.ErrHandlerTimeout
	}
	return r.text.Write(text)
}

// listen opens a stream behind an event for root; ended is closed when the handler has returned.
func listen(handler http.Handler, last string) (r *reader, stop func(), ended chan struct{}) {
	return listenAs(handler, rootUser, last)
}

func listenAs(handler http.Handler, who Caller, last string) (r *reader, stop func(), ended chan struct{}) {
	r, ended = &reader{header: http.Header{}}, make(chan struct{})
	ctx, stop := context.WithCancel(WithCaller(context.Background(), who))
	request := httptest.NewRequestWithContext(ctx, "GET", api.PathEvents, nil)
	request.Header.Set("Accept", streamType)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	go func() {
		defer close(ended)
		handler.ServeHTTP(r, request)
	}()
	synctest.Wait()
	return r, stop, ended
}

func TestStreamsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := newFake().serve().Handler()
		var ends []func()
		for range streamsOfKind {
			_, stop, ended := listen(handler, "")
			ends = append(ends, func() {
				stop()
				<-ended
			})
		}
		tooMany, stop, ended := listen(handler, "")
		<-ended
		stop()
		if tooMany.status != http.StatusServiceUnavailable {
			t.Errorf("one more stream was answered %d", tooMany.status)
		}
		for _, end := range ends {
			end()
		}
		// A reader that is gone ends its stream at the next write.
		gone, stop, ended := listen(handler, "")
		gone.mu.Lock()
		gone.broken = true
		gone.mu.Unlock()
		time.Sleep(streamBeat + time.Second)
		<-ended
		stop()
		wrong, stop, ended := listen(handler, "yesterday")
		<-ended
		stop()
		if wrong.status != http.StatusBadRequest || !strings.Contains(wrong.text.String(), "is not the id of an event") {
			t.Errorf("a wrong id was answered %d %s", wrong.status, wrong.text.String())
		}
	})
}

// TestStreamsOfOthersLeaveRootItsOwn: one viewer takes its own places, all viewers theirs, and
// neither an administrator nor root has to wait for any of them.
func TestStreamsOfOthersLeaveRootItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handler := newFake().serve().Handler()
		caller := func(name string, role pki.Role) Caller {
			return Caller{Name: name, Holder: name, Kind: pki.KindClient, Role: role}
		}
		var ends []func()
		opened := func(who Caller) bool {
			_, stop, ended := listenAs(handler, who, "")
			ends = append(ends, func() {
				stop()
				<-ended
			})
			select {
			case <-ended:
				return false
			default:
				return true
			}
		}
		for i := range streamsOfOne + 1 {
			if got, want := opened(caller("eve", pki.RoleViewer)), i < streamsOfOne; got != want {
				t.Errorf("stream %d of one viewer: %v", i+1, got)
			}
		}
		if !opened(caller("bob", pki.RoleOperator)) {
			t.Error("one viewer has taken the places of all others")
		}
		for _, name := range []string{"a", "b", "c", "d"} {
			for range streamsOfOne {
				opened(caller(name, pki.RoleViewer))
			}
		}
		if opened(caller("late", pki.RoleViewer)) {
			t.Error("there is no end of streams")
		}
		if !opened(caller("alice", pki.RoleAdmin)) || !opened(rootUser) {
			t.Error("viewers have taken the places of root or of an administrator")
		}
		for _, end := range ends {
			end()
		}
		ends = nil
		if !opened(caller("eve", pki.RoleViewer)) {
			t.Error("the places were not given back")
		}
		ends[0]()
	})
}
