package daemon

import (
	"sync"

	"github.com/clusterd/clusterd/cluster/mind"
)

// mailbox gathers what the ears heard until the next Step. Its size is bounded
// by its writers: results by the duties handed out, verdicts by the tests asked
// for, changes by the agent's own coalescing channel.
type mailbox struct {
	mu    sync.Mutex
	input mind.Input
	woken chan struct{}
}

func newMailbox() *mailbox { return &mailbox{woken: make(chan struct{}, 1)} }

// add puts something in and wakes the loop.
func (b *mailbox) add(put func(*mind.Input)) {
	b.mu.Lock()
	put(&b.input)
	b.mu.Unlock()
	b.wake()
}

func (b *mailbox) wake() {
	select {
	case b.woken <- struct{}{}:
	default:
	}
}

// drain takes everything out.
func (b *mailbox) drain() mind.Input {
	b.mu.Lock()
	defer b.mu.Unlock()
	in := b.input
	b.input = mind.Input{}
	return in
}
