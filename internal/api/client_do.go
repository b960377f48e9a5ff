package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// ErrOutcomeUnknown is returned by Do when the request may have been taken in and nobody could
// be asked for its end. The same request with the same ID may be repeated; it is not done twice.
var ErrOutcomeUnknown = errors.New("outcome unknown")

const (
	// questionWait is how long the daemon is asked to keep one question for the end open. It is
	// short enough that progress is seen to move.
	questionWait = time.Second
	// firstPause and longestPause are what is waited between tries when the daemon cannot be reached.
	firstPause   = 100 * time.Millisecond
	longestPause = 2 * time.Second
	// lostFor bounds how long an accepted request is asked for in vain before its outcome is called
	// unknown, when the caller set no deadline.
	lostFor = 2 * time.Minute
	// busyFor bounds how long "no leader yet" is waited out before anything was taken in.
	busyFor = 10 * time.Second
)

// NewRequestID makes an id that no other request has.
func NewRequestID() string {
	var id [16]byte
	rand.Read(id[:]) // It never fails: crypto/rand ends the process instead.
	return hex.EncodeToString(id[:])
}

// Do sends a request and waits for its end until the context ends. The request gets an ID when
// it has none, and is repeated under the same ID while nobody knows whether it was taken in.
// progress hears each reply on the way; it may be nil.
//
// Without a Reply that is Done: a Failure when the cluster refused it; an error that wraps
// ErrNoDaemon when nothing was sent; the context's error when it ended while the request is
// known to be under way; ErrOutcomeUnknown otherwise.
func (c *Client) Do(ctx context.Context, request Request, progress func(Reply)) (Reply, error) {
	if request.ID == "" {
		request.ID = NewRequestID()
	}
	if progress == nil {
		progress = func(Reply) {}
	}
	d := doer{client: c, request: request, progress: progress}
	reply, err := d.submit(ctx)
	if err != nil || reply.Done {
		return reply, err
	}
	return d.await(ctx, reply)
}

// Submit hands a request in and does not wait for its end. Errors are those of Do.
func (c *Client) Submit(ctx context.Context, request Request) (Reply, error) {
	if request.ID == "" {
		request.ID = NewRequestID()
	}
	d := doer{client: c, request: request, progress: func(Reply) {}}
	return d.submit(ctx)
}

// Ask asks once for the end of a request, waiting up to the given time for it.
func (c *Client) Ask(ctx context.Context, id string, wait time.Duration) (Reply, error) {
	var reply Reply
	err := c.Get(ctx, PathRequests+"/"+url.PathEscape(id), url.Values{"wait": {wait.String()}}, &reply)
	return reply, err
}

// doer carries one request to its end.
type doer struct {
	client   *Client
	request  Request
	progress func(Reply)
	// perhaps is set once a try may have been taken in.
	perhaps bool
	last    error
}

// submit posts until the request is known to be taken in or refused.
func (d *doer) submit(ctx context.Context) (Reply, error) {
	began := time.Now()
	for wait := firstPause; ; wait = min(2*wait, longestPause) {
		var reply Reply
		err := d.client.Post(ctx, PathRequests, d.request, &reply)
		if err == nil {
			reply.ID = d.request.ID
			d.progress(reply)
			return reply, nil
		}
		d.last = err
		limit := lostFor
		var failure Failure
		switch {
		case errors.Is(err, ErrNoDaemon) && !d.perhaps:
			return Reply{}, err
		case errors.Is(err, ErrNoDaemon):
		case errors.As(err, &failure) && failure.Code == "no_leader" && !d.perhaps:
			limit = busyFor
		case errors.As(err, &failure) && passing(failure):
			d.perhaps = d.perhaps || failure.Code == "outcome_unknown"
		case errors.As(err, &failure):
			// A refusal is the request's end, also after tries that broke off: had one of them been taken
			// in, the answer under the same ID would be its state.
			return Reply{}, err
		default:
			// The connection broke off, or the answer did not come: it may have been taken in.
			d.perhaps = true
		}
		if time.Since(began) > limit || !pause(ctx, wait) {
			return Reply{}, d.unknown(ctx)
		}
	}
}

// passing reports whether a failure is one of the moment, after which the same request may be
// posted again.
func passing(failure Failure) bool {
	switch failure.Code {
	case "no_leader", "outcome_unknown", "busy", "starting":
		return true
	}
	return false
}

// unknown is the error of a request that was never known to be taken in.
func (d *doer) unknown(ctx context.Context) error {
	var failure Failure
	if !d.perhaps && errors.As(d.last, &failure) {
		return failure
	}
	if !d.perhaps && ctx.Err() != nil {
		return fmt.Errorf("%w before the cluster took the request in (%v)", ctx.Err(), d.last)
	}
	return fmt.Errorf("%w: %v", ErrOutcomeUnknown, d.last)
}

// await asks for the end of a request that was taken in.
func (d *doer) await(ctx context.Context, reply Reply) (Reply, error) {
	answered := time.Now()
	for wait := firstPause; !reply.Done; {
		asked := time.Now()
		next, err := d.client.Ask(ctx, d.request.ID, questionWait)
		if err == nil {
			next.ID = d.request.ID
			answered, wait, reply = time.Now(), firstPause, next
			d.progress(reply)
			if !reply.Done && time.Since(asked) < firstPause && !pause(ctx, firstPause) {
				return reply, ctx.Err()
			}
			continue
		}
		if ctx.Err() != nil {
			return reply, ctx.Err()
		}
		var failure Failure
		if errors.As(err, &failure) && !passing(failure) {
			return reply, fmt.Errorf("%w: %s", ErrOutcomeUnknown, failure.Message)
		}
		if time.Since(answered) > lostFor {
			return reply, fmt.Errorf("%w: %v", ErrOutcomeUnknown, err)
		}
		if !pause(ctx, wait) {
			return reply, ctx.Err()
		}
		wait = min(2*wait, longestPause)
	}
	return reply, nil
}
