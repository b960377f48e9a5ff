package power

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// maxCalls bounds the calls under way, hung ones included.
const maxCalls = 64

// errTooManyCalls says that so many calls hang that no more are begun.
var errTooManyCalls = errors.New(
	"too many calls to BMCs hang; restart clusterd on this node (VMs keep running) and look at its network")

// calls runs library calls on goroutines of their own, so that the caller's
// deadline holds although a library ignores it. A call that outlives its
// caller is abandoned: its result is dropped, and it counts against the limit
// until it returns.
type calls struct {
	slots chan struct{}
	log   *slog.Logger
}

func newCalls(log *slog.Logger) *calls {
	return &calls{slots: make(chan struct{}, maxCalls), log: log}
}

// bounded runs f and returns no later than the context's end. A panic inside
// the library, over a malformed answer for example, is an error of this call.
func bounded[T any](ctx context.Context, c *calls, what string, f func(context.Context) (T, error)) (T, error) {
	type outcome struct {
		value T
		err   error
	}
	var nothing T
	if err := ctx.Err(); err != nil {
		return nothing, err
	}
	select {
	case c.slots <- struct{}{}:
	default:
		return nothing, errTooManyCalls
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-c.slots }()
		defer func() {
			if r := recover(); r != nil {
				done <- outcome{err: fmt.Errorf("%s: the BMC's answer broke its parser: %v", what, r)}
			}
		}()
		value, err := f(ctx)
		done <- outcome{value: value, err: err}
	}()
	select {
	case o := <-done:
		return o.value, o.err
	case <-ctx.Done():
		c.log.Debug("a call to a BMC outlived its deadline", "call", what)
		return nothing, ctx.Err()
	}
}
