package executor

import (
	"context"
	"errors"
	"sync"

	"github.com/clusterd/clusterd/fence"
)

// errGaveWay ends a check of a device that is required for a fence.
var errGaveWay = errors.New("a fence needs the device")

// gates hold the limit that some fence devices have: so many calls at once from
// one node to one address. A fence waits for another fence; a check waits for
// nobody and gives way to a fence.
type gates struct {
	mu sync.Mutex
	at map[string]*gate
}

type gate struct {
	busy   int
	next   int
	checks map[int]context.CancelCauseFunc
	freed  chan struct{}
}

// enter takes a place at a device; leave gives it back. It is false when a check
// finds no place, or when the context ends before a fence has one.
func (g *gates) enter(ctx context.Context, device fence.Device, urgent bool) (_ context.Context, leave func(),
	entered bool) {
	if device.Limits.AtOnce == 0 {
		return ctx, func() {}, true
	}
	key := device.Driver + " " + device.Address
	for {
		g.mu.Lock()
		at := g.gate(key)
		if at.busy < device.Limits.AtOnce {
			ctx, leave = g.take(ctx, key, at, urgent)
			g.mu.Unlock()
			return ctx, leave, true
		}
		freed := at.freed
		if urgent {
			for _, cancel := range at.checks {
				cancel(errGaveWay)
			}
		}
		g.mu.Unlock()
		if !urgent {
			return ctx, nil, false
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return ctx, nil, false
		}
	}
}

func (g *gates) gate(key string) *gate {
	if g.at == nil {
		g.at = map[string]*gate{}
	}
	if g.at[key] == nil {
		g.at[key] = &gate{checks: map[int]context.CancelCauseFunc{}, freed: make(chan struct{})}
	}
	return g.at[key]
}

func (g *gates) take(ctx context.Context, key string, at *gate, urgent bool) (context.Context, func()) {
	at.busy++
	at.next++
	place := at.next
	cancel := func(error) {}
	if !urgent {
		ctx, cancel = context.WithCancelCause(ctx)
		at.checks[place] = cancel
	}
	return ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		cancel(nil)
		delete(at.checks, place)
		at.busy--
		close(at.freed)
		at.freed = make(chan struct{})
		if at.busy == 0 {
			delete(g.at, key) // who waits holds freed and comes back to a new gate
		}
	}
}
