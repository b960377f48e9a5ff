package tunnel

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
)

// maxRefusals is how many refusals may wait for the end of an answer that is being sent.
const maxRefusals = 16

// sieve is the connection of another node's hypervisor to ours: what is read from it are the calls
// that the migration of one guest makes, and nothing else. Calls that are held back are answered
// with libvirt's own kind of error, between the answers that are written. On the source, where its
// own libvirtd calls, it lets everything pass and sees only whether a guest is on its way.
type sieve struct {
	net.Conn
	guest string
	// data is where the guest's memory comes in; empty where that is not known.
	data   string
	own    bool
	logger *slog.Logger
	// heldBack, if set, is told at the end of the first call that was held back, and of how many were.
	heldBack func(first error, count int)
	// underWay: a guest's arrival was prepared and has not been finished.
	underWay atomic.Bool
	// over: the migration is over, and its guest is left alone from now on.
	over atomic.Bool

	// ready is the beginning of a message that was judged, pass what follows it unread. Only the
	// one reader has them.
	ready []byte
	pass  uint32

	mu sync.Mutex
	// asked is the name of the guest that libvirtd was last asked to prepare, prepared that of the
	// one that it did prepare and has not finished.
	asked, prepared string
	// head is the beginning of an answer, left what is missing of one whose beginning is known.
	head    []byte
	left    uint32
	waiting [][]byte
	refused int
	first   error
}

func newSieve(conn net.Conn, guest string, logger *slog.Logger) *sieve {
	return &sieve{Conn: conn, guest: guest, logger: logger}
}

// newWatch is for the connection of this node's own libvirtd to another one.
func newWatch(conn net.Conn) *sieve { return &sieve{Conn: conn, own: true} }

// CloseWrite passes the end of what libvirtd says on.
func (s *sieve) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return s.Conn.Close()
}

// Close tells how many calls were held back.
func (s *sieve) Close() error {
	err := s.Conn.Close() // first: whoever writes holds the lock until then
	s.mu.Lock()
	refused, first := s.refused, s.first
	s.refused = 0 // is told once
	s.mu.Unlock()
	if refused > 0 {
		s.logger.Warn("calls to libvirt that no migration makes were refused", "peer", s.RemoteAddr().String(), "guest",
			s.guest, "calls", refused, "first", first)
		if s.heldBack != nil {
			s.heldBack(first, refused)
		}
	}
	return err
}

func (s *sieve) Read(p []byte) (int, error) {
	for len(s.ready) == 0 && s.pass == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	if len(s.ready) > 0 {
		n := copy(p, s.ready)
		s.ready = s.ready[n:]
		return n, nil
	}
	n, err := s.Conn.Read(p[:min(uint64(len(p)), uint64(s.pass))])
	s.pass -= uint32(n)
	if errors.Is(err, io.EOF) && s.pass > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// next reads the beginning of a message, and has it ready if it may pass.
func (s *sieve) next() error {
	head := make([]byte, frameHead)
	if _, err := io.ReadFull(s.Conn, head); err != nil {
		return err // io.EOF between two messages is the ordinary end
	}
	f, err := parseFrame(head)
	if err != nil {
		return fmt.Errorf("read what is meant for libvirtd: %w", err)
	}
	rest := f.length - frameHead
	// What a call claims to be long is not given room before it comes.
	arguments, err := io.ReadAll(io.LimitReader(s.Conn, int64(min(rest, s.looksAt(f)))))
	if err == nil && uint32(len(arguments)) < min(rest, s.looksAt(f)) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("read what is meant for libvirtd: %w", err)
	}
	rest -= uint32(len(arguments))
	why := s.judge(f, arguments, rest)
	switch {
	case why == nil || s.own:
		if f.is(messageCall, callPrepare) {
			s.underWay.Store(true)
		}
		s.ready, s.pass = append(head, arguments...), rest
		return nil
	case errors.Is(why, errNoCall):
		return fmt.Errorf("read what is meant for libvirtd: %w", why)
	}
	if _, err := io.CopyN(io.Discard, s.Conn, int64(rest)); err != nil {
		return fmt.Errorf("read what is meant for libvirtd: %w", err)
	}
	return s.refuse(f, why)
}

// looksAt is how much of a call is read before it is judged.
func (s *sieve) looksAt(f frame) uint32 {
	if !s.own && f.kind == messageCall && calls[f.procedure] == namesArrival {
		return heldLimit
	}
	return argumentLimit
}

// judge holds a call against the list, and against what came before it on this stream. rest is how
// much of it was not read.
func (s *sieve) judge(f frame, arguments []byte, rest uint32) error {
	if why := judge(f, arguments, s.guest); why != nil || s.own || f.kind != messageCall {
		return why
	}
	if s.over.Load() && acting[f.procedure] {
		return fmt.Errorf("call %d comes after the migration, which is over", f.procedure)
	}
	if calls[f.procedure] != namesArrival {
		return nil
	}
	if rest > 0 {
		return fmt.Errorf("call %d is longer than %d bytes", f.procedure, heldLimit)
	}
	if f.procedure == callFinish {
		return s.mayFinish(arguments)
	}
	name, err := arrivalOf(arguments, s.guest, s.data)
	if err != nil {
		return fmt.Errorf("no migration prepares that: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked != "" || s.prepared != "" {
		return fmt.Errorf("%.80q is being prepared, and one guest at a time arrives", s.asked+s.prepared)
	}
	s.asked = name
	return nil
}

// mayFinish says why the end of an arrival is not that of the one that was prepared here.
func (s *sieve) mayFinish(arguments []byte) error {
	texts, err := readArrival(arguments, true)
	if err != nil {
		return fmt.Errorf("no migration is finished so: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name := texts[parameterName]; s.prepared == "" || name != s.prepared {
		return fmt.Errorf("the arrival of %.80q is finished, and %.80q was prepared on this stream", name, s.prepared)
	}
	return nil
}

// answered takes in what libvirtd says of an arrival; the caller holds the lock.
func (s *sieve) answered(f frame) {
	switch {
	case f.is(messageReply, callPrepare) && f.status == 0:
		s.asked, s.prepared = "", s.asked
	case f.is(messageReply, callPrepare):
		s.asked = ""
		s.underWay.Store(false)
	case f.is(messageReply, callFinish):
		s.prepared = ""
		s.underWay.Store(false)
	}
}

func (s *sieve) refuse(f frame, why error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused++; s.first == nil {
		s.first = why
	}
	s.waiting = append(s.waiting, refusal(f, why))
	if s.left == 0 && len(s.head) == 0 {
		return s.tell()
	}
	if len(s.waiting) > maxRefusals {
		return fmt.Errorf("%d calls that no migration makes wait for their refusal", len(s.waiting))
	}
	return nil
}

// tell writes the refusals that wait, between two answers.
func (s *sieve) tell() error {
	for len(s.waiting) > 0 {
		if _, err := s.Conn.Write(s.waiting[0]); err != nil {
			return err
		}
		s.waiting = s.waiting[1:]
	}
	return nil
}

// Write passes on what libvirtd answers, and keeps count of where an answer ends.
func (s *sieve) Write(p []byte) (written int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for written < len(p) {
		part := s.part(p[written:])
		n, err := s.Conn.Write(part)
		written += n
		if err != nil {
			return written, err
		}
		if s.left == 0 && len(s.head) == 0 {
			if err := s.tell(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// part is as much of what libvirtd says as belongs to one answer.
func (s *sieve) part(p []byte) []byte {
	if s.left > 0 {
		size := min(uint64(s.left), uint64(len(p)))
		s.left -= uint32(size)
		return p[:size]
	}
	missing := min(frameHead-len(s.head), len(p))
	if s.head = append(s.head, p[:missing]...); len(s.head) < frameHead {
		return p[:missing]
	}
	f, err := parseFrame(s.head)
	s.head = s.head[:0]
	if err == nil { // what libvirtd says is believed; its length is kept count of, no more
		s.left = f.length - frameHead
		s.answered(f)
	}
	return p[:missing]
}
