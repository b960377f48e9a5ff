package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/sleep"
)

const (
	// bodyPatience is how long a body may take to arrive, and joinPatience one of a machine that
	// nobody vouches for yet.
	bodyPatience = 30 * time.Second
	joinPatience = 5 * time.Second
	// refusedPatience is how long is waited for the rest of a body that nobody wants.
	refusedPatience = 500 * time.Millisecond
	// writePatience is how long a reader may keep an answer waiting.
	writePatience = 30 * time.Second
	// questionBody bounds a body that only a question could have, and operatorBody one with an order.
	questionBody = 4 << 10
	joinBody     = 16 << 10
	operatorBody = 64 << 10
	// pacePatience is how long a request of somebody who asks too often may be held back.
	pacePatience = 5 * time.Second
)

// access says who may ask.
type access struct {
	// least is the least role that may.
	least pki.Role
	// join is for machines that show a token, and for nodes that pass one on.
	join bool
	// local is for the socket alone.
	local bool
	// body bounds what the request may carry.
	body int64
	// kept is set where the audit trail has a line of it.
	kept bool
}

// refuses says why somebody may not; empty when he may.
func (a access) refuses(who Caller) string {
	switch {
	case a.join && (who.Kind == pki.KindJoiner || who.Kind == pki.KindNode):
		return ""
	case a.join:
		return "Permission denied: only a machine that joins, and shows its token over TLS, may do this"
	case a.local && !who.Socket:
		return "Permission denied: this is asked on the node's own socket only"
	case who.Kind == pki.KindJoiner || !who.Role.Includes(a.least):
		return notEnough(a.least).Error()
	}
	return ""
}

// channel is what the table of doors calls it.
func (a access) channel() pki.Channel {
	switch {
	case a.local:
		return pki.ChannelDoor
	case a.join:
		return pki.ChannelJoin
	case a.least == pki.RoleViewer:
		return pki.ChannelLook
	case a.least == pki.RoleOperator:
		return pki.ChannelOperate
	}
	return pki.ChannelCommand
}

// shut says why the table of doors lets somebody in no more: the State may have changed since the
// connection was let in. Empty when it does; who came by the socket is no matter of the table.
func (s *Server) shut(a access, who Caller) string {
	if who.peer == nil {
		return ""
	}
	if err := s.daemon.Admit(a.channel(), *who.peer); err != nil {
		return "Permission denied: " + err.Error()
	}
	return ""
}

// notEnough refuses somebody whose role does not reach.
func notEnough(least pki.Role) error {
	return Refuse(http.StatusForbidden, "permission_denied",
		"Permission denied: this needs root on the node, or a certificate of role %s", least)
}

// shares are what callers have of the interface, by kind: nodes, root on this host, administrators,
// and everybody else. None can use up another's.
type shares struct {
	pace limits.Pace

	mu     sync.Mutex
	bodies map[limits.Kind]int64
	posts  map[limits.Kind]*limits.Pot[*Caller]
	// thinkers wait for their turn to have something planned on paper, and turns has one at a time.
	thinkers map[limits.Kind]*limits.Pot[*Caller]
	turns    map[limits.Kind]chan struct{}
	// readers have streams of the timeline open.
	readers map[limits.Kind]*limits.Pot[*Caller]
}

// Bytes of bodies at once, and requests at once that may propose something, per kind of caller.
const (
	bodiesOfKind = 48 << 20
	postsOfKind  = 32
	postsOfOne   = 8
	// Planning on paper takes a processor for as long as it lasts: each kind of caller has one.
	thinkersOfKind = 8
	thinkersOfOne  = 2
)

func newShares() *shares {
	s := &shares{pace: limits.Pace{Rate: 20, Burst: 40, Holders: 1024, Most: 2 * pacePatience}}
	s.bodies, s.turns = map[limits.Kind]int64{}, map[limits.Kind]chan struct{}{}
	s.posts = map[limits.Kind]*limits.Pot[*Caller]{
		limits.Nodes:  {Most: 4 * postsOfKind, Each: postsOfKind, Keeps: true},
		limits.Root:   {Most: postsOfKind, Each: postsOfKind, Keeps: true},
		limits.Admins: {Most: postsOfKind, Each: postsOfOne, Keeps: true},
		limits.Users:  {Most: postsOfKind, Each: postsOfOne, Keeps: true},
	}
	s.thinkers, s.readers = map[limits.Kind]*limits.Pot[*Caller]{}, map[limits.Kind]*limits.Pot[*Caller]{}
	for kind := range s.posts {
		s.readers[kind] = &limits.Pot[*Caller]{Most: streamsOfKind, Each: streamsOfOne, Keeps: true}
		s.thinkers[kind] = &limits.Pot[*Caller]{Most: thinkersOfKind, Each: thinkersOfOne, Keeps: true}
		s.turns[kind] = make(chan struct{}, 1)
	}
	s.readers[limits.Root].Each = streamsOfKind
	return s
}

// Share is the kind of caller whose places and memory one uses.
func (c Caller) Share() limits.Kind {
	switch {
	case c.Kind == pki.KindNode:
		return limits.Nodes
	case c.Reserved:
		return limits.Root
	case c.Role == pki.RoleAdmin:
		return limits.Admins
	}
	return limits.Users
}

// enter takes a place for a request that may propose something.
func (s *shares) enter(who *Caller) (leave func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pot := s.posts[who.Share()]
	if _, room := pot.Enter(who.Holder, who); !room {
		return nil, busy("%d requests of %s are under way already; try again in a moment", pot.Count(), who.Name)
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		pot.Leave(who.Holder, who)
	}, nil
}

// think waits until nobody else of the caller's kind has something planned on paper. It goes on
// after its caller has left, so what bounds connections does not bound it.
func (s *shares) think(ctx context.Context, who Caller) (done func(), err error) {
	kind := who.Share()
	s.mu.Lock()
	_, room := s.thinkers[kind].Enter(who.Holder, &who)
	s.mu.Unlock()
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.thinkers[kind].Leave(who.Holder, &who)
	}
	if !room {
		return nil, busy("plans for %s are being made already; try again in a moment", who.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, pacePatience)
	defer cancel()
	select {
	case s.turns[kind] <- struct{}{}:
		return func() {
			<-s.turns[kind]
			leave()
		}, nil
	case <-ctx.Done():
		leave()
		return nil, busy("plans for others are being made; try again in a moment")
	}
}

func busy(format string, arguments ...any) error {
	return Refuse(http.StatusServiceUnavailable, "busy", format, arguments...)
}

// take reserves memory for a body before it is read.
func (s *shares) take(who Caller, bytes int64) (give func(), err error) {
	share := who.Share()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bodies[share]+bytes > bodiesOfKind {
		return nil, busy("requests are being read that have %d MiB already; try again in a moment", s.bodies[share]>>20)
	}
	s.bodies[share] += bytes
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies[share] -= bytes
	}, nil
}

// hold keeps somebody who asks too often waiting. Nodes and root are never held.
func (s *shares) hold(ctx context.Context, who Caller) error {
	if who.Reserved {
		return nil
	}
	wait := s.pace.Wait(who.Holder, time.Now())
	if wait > pacePatience {
		return busy("%s asks too often; at most %.0f requests a second are answered", who.Name, s.pace.Rate)
	}
	if wait > 0 && !sleep.For(ctx, wait) {
		return ctx.Err()
	}
	return nil
}

// guard lets a request through that its caller may make, with its body in memory.
func (s *Server) guard(a access, handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, _ := r.Context().Value(callerKey{}).(Caller)
		why := a.refuses(who)
		if why == "" {
			why = s.shut(a, who)
		}
		if why != "" {
			s.audit(who, r, a, errors.New(why))
			dropBody(w)
			answerFailure(w, http.StatusForbidden, "permission_denied", why)
			return
		}
		who.told = new(string)
		err := s.pass(w, r, who, a, handle)
		s.audit(who, r, a, err)
		if err != nil {
			s.fail(w, err)
		}
	}
}

func (s *Server) pass(w http.ResponseWriter, r *http.Request, who Caller, a access, handle handler) error {
	if err := s.shares.hold(r.Context(), who); err != nil {
		dropBody(w)
		return err
	}
	if r.Method != http.MethodGet {
		leave, err := s.shares.enter(&who)
		if err != nil {
			dropBody(w)
			return err
		}
		defer leave()
	}
	give, err := s.readBody(w, r, who, a)
	if err != nil {
		return err
	}
	defer give()
	return handle(w, r, who)
}

// readBody reads a whole body within its bounds of size, time and memory, and puts what it read in
// its place. So nothing that a handler does can wait for its caller's bytes.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, who Caller, a access) (give func(), err error) {
	most, patience := int64(cmp.Or(a.body, questionBody)), bodyPatience
	if who.Kind == pki.KindJoiner {
		patience = joinPatience
	}
	if r.ContentLength > most {
		dropBody(w)
		return nil, tooLarge(most)
	}
	expected := r.ContentLength
	if expected < 0 {
		expected = most
	}
	if give, err = s.shares.take(who, expected); err != nil {
		dropBody(w)
		return nil, err
	}
	control := http.NewResponseController(w)
	// Where there are no deadlines, as in tests, the size is bound enough.
	_ = control.SetReadDeadline(time.Now().Add(patience))
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	if err != nil {
		give()
		dropBody(w)
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, tooLarge(most)
		}
		return nil, Refuse(http.StatusRequestTimeout, "bad_request", "the request did not arrive whole: %v", err)
	}
	_ = control.SetReadDeadline(time.Time{})
	r.Body = io.NopCloser(bytes.NewReader(text))
	return give, nil
}

func tooLarge(most int64) error {
	return Refuse(http.StatusRequestEntityTooLarge, "too_large",
		"the request is larger than the %d bytes that it may have", most)
}

// dropBody ends the connection after the answer, without waiting for a body that nobody wants.
func dropBody(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedPatience))
}
