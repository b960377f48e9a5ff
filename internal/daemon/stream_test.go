package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/server"
)

// eventStream asks for the timeline as a stream.
const eventStream = "text/event-stream"

// reader is a client of the stream.
type reader struct {
	mu     sync.Mutex
	header http.Header
	text   bytes.Buffer
}

func (r *reader) Header() http.Header { return r.header }
func (r *reader) WriteHeader(int)     {}
func (r *reader) Flush()              {}
func (r *reader) Write(text []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(text)
}

// ids are the events that came, in order.
func (r *reader) ids() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for line := range strings.SplitSeq(r.text.String(), "\n") {
		if id, is := strings.CutPrefix(line, "id: "); is {
			ids = append(ids, id)
		}
	}
	return ids
}

// listen opens a stream; ended is closed when the handler has returned.
func (s *site) listen(at, query, last string) (r *reader, stop func(), ended chan struct{}) {
	r, ended = &reader{header: http.Header{}}, make(chan struct{})
	ctx, stop := context.WithCancel(server.WithCaller(context.Background(), anybody))
	request := httptest.NewRequestWithContext(ctx, "GET", api.PathEvents+query, nil)
	request.Header.Set("Accept", eventStream)
	if last != "" {
		request.Header.Set("Last-Event-ID", last)
	}
	go func() {
		defer close(ended)
		s.members[at].handler.ServeHTTP(r, request)
	}()
	synctest.Wait()
	return r, stop, ended
}

func TestTheTimelineStreamsAndGoesOnWhereAReaderStopped(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:web": "node1"})
		leader := s.leader()
		all := func() []string {
			var ids []string
			for _, e := range s.members[leader].daemon.replica.Root().Timeline {
				ids = append(ids, fmt.Sprintf("%d.%d", e.Index, e.Ordinal))
			}
			return ids
		}
		first, stop, ended := s.listen(leader, "", "")
		s.carriedOut(leader, "disable")
		time.Sleep(20 * time.Second)
		synctest.Wait()
		want := all()
		if got := first.ids(); fmt.Sprint(got) != fmt.Sprint(want) || first.header.Get("Content-Type") != eventStream {
			t.Errorf("streamed %v, want %v", got, want)
		}
		if !strings.Contains(first.text.String(), ": nothing happened\n\n") {
			t.Error("a silent stream gives no sign of life")
		}
		stop()
		<-ended
		s.carriedOut(leader, "enable")
		// In the middle of an entry, at another node.
		other := s.followers()[0]
		from := len(want) - 3
		second, stop, ended := s.listen(other, "", want[from])
		time.Sleep(time.Second)
		synctest.Wait()
		if got := second.ids(); fmt.Sprint(got) != fmt.Sprint(all()[from+1:]) {
			t.Errorf("went on with %v, want %v", got, all()[from+1:])
		}
		stop()
		<-ended
		only, stop, ended := s.listen(other, "?service=vm:web", "")
		stop()
		<-ended
		for line := range strings.SplitSeq(only.text.String(), "\n") {
			data, is := strings.CutPrefix(line, "data: ")
			var e cluster.Event
			if is && (json.Unmarshal([]byte(data), &e) != nil || e.Subject != "vm:web") {
				t.Errorf("a stream about vm:web has %s", line)
			}
		}
	})
}
