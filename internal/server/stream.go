package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

const (
	// streamType asks for the timeline as a stream that does not end.
	streamType = "text/event-stream"
	// streamsOfKind bounds how many are open on one node at the same time by callers of one kind, and
	// streamsOfOne how many by one of them who is not root.
	streamsOfKind = 64
	streamsOfOne  = 16
	// streamBeat is how often a silent stream says that it is there.
	streamBeat = 15 * time.Second
	// streamPatience is how long a reader may keep a write waiting.
	streamPatience = 10 * time.Second
)

// stream sends events as they are applied, as server-sent events. Each has the id
// INDEX.ORDINAL; a reader whose connection broke gives the last one it had as
// Last-Event-ID (or ?after=) and misses nothing that is still kept. What is
// no longer kept is told as an event of the type "gap".
func (s *Server) stream(w http.ResponseWriter, r *http.Request, who Caller) error {
	after, err := streamAfter(r)
	if err != nil {
		return err
	}
	leave, err := s.shares.read(&who, s.name)
	if err != nil {
		return err
	}
	defer leave()
	w.Header().Set("Content-Type", streamType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	out := streamWriter{w: w, control: http.NewResponseController(w)}
	choice := choiceOf(r)
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	// The answer has begun: from here on a write that fails is the reader's end.
	for {
		changed := s.daemon.Changed()
		root := s.daemon.Root()
		if !out.gap(root, after) {
			return nil
		}
		for _, e := range root.Timeline {
			if !after.Before(e) {
				continue
			}
			after.Index, after.Ordinal = e.Index, e.Ordinal
			if choice.Has(e) && !out.event(root, e) {
				return nil
			}
		}
		select {
		case <-changed:
		case <-beat.C:
			if !out.send(": nothing happened\n\n") {
				return nil
			}
		case <-r.Context().Done():
			return nil
		}
	}
}

// read takes a place for a stream.
func (s *shares) read(who *Caller, node string) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pot := s.readers[who.Share()]
	if _, room := pot.Enter(who.Holder, who); !room {
		return nil, busy("%d event streams may be open on %s for callers like %s, %d of them for one, and no more are free; "+
			"end some, or ask another node", pot.Most, node, who.Name, pot.Each)
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		pot.Leave(who.Holder, who)
	}, nil
}

// streamAfter reads where a stream goes on: behind INDEX or INDEX.ORDINAL.
func streamAfter(r *http.Request) (cluster.Cursor, error) {
	word := r.Header.Get("Last-Event-ID")
	if word == "" {
		word = r.URL.Query().Get("after")
	}
	if word == "" {
		return cluster.Cursor{}, nil
	}
	index, ordinal, precise := strings.Cut(word, ".")
	number, err := strconv.ParseUint(index, 10, 64)
	within := lastOrdinal
	if err == nil && precise {
		within, err = strconv.Atoi(ordinal)
	}
	if err != nil {
		return cluster.Cursor{}, Refuse(http.StatusBadRequest, "bad_request",
			"%q is not the id of an event, such as 4711.0", word)
	}
	return cluster.Cursor{Index: number, Ordinal: within}, nil
}

// lastOrdinal lies behind every event of an entry.
const lastOrdinal = 1 << 30

// streamWriter writes to one reader; it returns false when that is gone.
type streamWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	told    bool
}

func (o *streamWriter) event(root *cluster.State, e cluster.Event) bool {
	data, err := json.Marshal(e)
	if err != nil {
		return false
	}
	kind := root.KindOf(e)
	if kind == "" {
		kind = "alert"
	}
	return o.send(fmt.Sprintf("id: %d.%d\nevent: %s\ndata: %s\n\n", e.Index, e.Ordinal, kind, message.Show(data)))
}

// gap tells, at the beginning, that events behind the reader's last one are lost.
func (o *streamWriter) gap(root *cluster.State, after cluster.Cursor) bool {
	first := !o.told
	o.told = true
	if !first || after.Index == 0 || len(root.Timeline) == 0 || after.Index >= root.Forgotten {
		return o.send("")
	}
	return o.send(fmt.Sprintf("event: gap\ndata: {\"after\":%d,\"oldest\":%d}\n\n", after.Index, root.Timeline[0].Index))
}

func (o *streamWriter) send(text string) bool {
	// Not every connection has deadlines; without one the context ends the write.
	_ = o.control.SetWriteDeadline(time.Now().Add(streamPatience))
	if _, err := o.w.Write([]byte(text)); err != nil {
		return false
	}
	return o.control.Flush() == nil
}
