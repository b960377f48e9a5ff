package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/pki"
)

const (
	// mostStreams bounds how many pages are open on one node at the same time by visitors of one role,
	// and streamsOfOne how many by one of them.
	mostStreams  = 64
	streamsOfOne = 16
	// streamBeat is how often a silent stream says that it is there, and as of when its picture is.
	streamBeat = 5 * time.Second
	// streamPatience is how long a reader may keep a write waiting.
	streamPatience = 10 * time.Second
)

// stream tells a page what the cluster looks like, and then what changes, as server-sent events:
// "whole" and "change", each with the id LIFE-NUMBER, and "beat". A reader whose connection broke
// gives the last id it had as Last-Event-ID, and is told what it missed, or the whole.
func (f *Front) stream(w http.ResponseWriter, r *http.Request, v *visit) {
	leave, room := f.seats.enter(r, v)
	if !room {
		fail(w, http.StatusServiceUnavailable, "busy",
			fmt.Sprintf("too many pages are open on %s: one visitor may have %d and all of role %s %d; "+
				"close some, or use another node's", f.options.Node, streamsOfOne, v.Role, mostStreams))
		return
	}
	defer leave()
	looked := f.board.enter()
	defer f.board.leave()
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	out := writer{w: w, control: http.NewResponseController(w)}
	life, known := lastOf(r)
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		at, looks, problem, next := f.board.state()
		if looks > looked { // what it saw before this reader came is old
			var more bool
			if known, life, next, more = f.tellNews(&out, life, known); !more {
				return
			}
		}
		select {
		case <-next:
		case <-beat.C:
			if problem == "" && !out.send(fmt.Sprintf("event: beat\ndata: %s\n\n", orNull(at))) ||
				problem != "" && !out.send(": the node cannot be asked\n\n") {
				return
			}
		case <-v.gone:
			out.send("event: over\ndata: {}\n\n")
			return
		case <-r.Context().Done():
			return
		}
		if f.options.Admit(pki.ChannelLook, v.peer()) != nil {
			out.send("event: over\ndata: {}\n\n")
			return
		}
	}
}

// seats are the places of open pages.
type seats struct {
	mu     sync.Mutex
	places byRole[*http.Request]
}

func (s *seats) enter(r *http.Request, v *visit) (leave func(), room bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	places := s.places.of(v.Visitor)
	if _, room := places.Enter(v.Name, r); !room {
		return nil, false
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		places.Leave(v.Name, r)
	}, true
}

// tellNews sends what a reader does not know yet; it reports whether the reader is still there.
func (f *Front) tellNews(out *writer, life string, known uint64) (uint64, string, <-chan struct{}, bool) {
	texts, whole, at, next, err := f.board.news(life, known)
	if err != nil {
		return known, life, next, out.send(": " + errNoPicture.Error() + "\n\n")
	}
	kind := "change"
	if whole {
		kind = "whole"
	}
	for i, text := range texts {
		id := at - uint64(len(texts)-1-i)
		if !out.send(fmt.Sprintf("id: %s-%d\nevent: %s\ndata: %s\n\n", f.board.life, id, kind, text)) {
			return known, life, next, false
		}
	}
	return at, f.board.life, next, true
}

func orNull(text []byte) string {
	if len(text) == 0 {
		return "null"
	}
	return string(text)
}

// lastOf reads where a reader goes on; what cannot be read begins anew.
func lastOf(r *http.Request) (life string, known uint64) {
	word := r.Header.Get("Last-Event-ID")
	life, number, _ := strings.Cut(word, "-")
	known, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return "", 0
	}
	return life, known
}

// writer writes to one reader; it returns false when that is gone.
type writer struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

func (o *writer) send(text string) bool {
	// Not every connection has deadlines; without one the context ends the write.
	_ = o.control.SetWriteDeadline(time.Now().Add(streamPatience))
	if _, err := o.w.Write([]byte(text)); err != nil {
		return false
	}
	return o.control.Flush() == nil
}
