//go:build cgo

package vm

import (
	"context"
	"fmt"
	"sync"

	"libvirt.org/go/libvirt"
)

// asker has a connection on which nothing is asked but whether libvirtd answers. The others may
// be held up by a VM whose QEMU hangs, which says nothing about libvirtd.
type asker struct {
	// open connects. However long that takes, it is tried once at a time: each try that hangs costs
	// one of maxCalls.
	open func() (*session, error)

	mu      sync.Mutex
	session *session
	opening chan struct{} // closed when a try has ended
	failed  error         // how the last try ended
	closed  bool
}

// Answers asks libvirtd something that needs no lock of a VM.
func (a *Agent) Answers(ctx context.Context) error {
	if _, err := a.current(); err != nil {
		return err
	}
	s, err := a.asker.get(ctx)
	if err != nil {
		return fmt.Errorf("connect to the hypervisor of %s: %w", a.options.Node, plain(err))
	}
	if _, err = ask(ctx, s, func(conn *libvirt.Connect) (uint32, error) { return conn.GetLibVersion() }, nil); err != nil {
		return fmt.Errorf("ask the hypervisor of %s for its version: %w", a.options.Node, plain(err))
	}
	return nil
}

// get returns the connection, opened anew where it was lost.
func (k *asker) get(ctx context.Context) (*session, error) {
	k.mu.Lock()
	if k.session != nil && k.session.alive() {
		defer k.mu.Unlock()
		return k.session, nil
	}
	if k.opening == nil {
		k.opening = make(chan struct{})
		go k.connect(k.opening)
	}
	opening := k.opening
	k.mu.Unlock()
	select {
	case <-opening:
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errNotAsked, ctx.Err())
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.session == nil {
		return nil, k.failed
	}
	return k.session, nil
}

func (k *asker) connect(ended chan struct{}) {
	s, err := k.open()
	k.mu.Lock()
	defer k.mu.Unlock()
	before := k.session
	k.session, k.failed, k.opening = s, err, nil
	if k.closed {
		before, k.session, k.failed = s, nil, ErrDisconnected
	}
	if before != nil {
		before.close()
	}
	close(ended)
}

func (k *asker) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.session != nil {
		k.session.close()
	}
}
