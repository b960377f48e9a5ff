//go:build cgo

package vm

import (
	"context"
	"time"

	"github.com/clusterd/clusterd/agents"
)

// tailTimeout bounds how long the sessions of a call are kept that libvirt does
// not end. The journal keeps the call itself, whatever happens.
const tailTimeout = 30 * time.Second

// handedOver tells that the migration has reached its end although libvirt's
// call has not returned: the target answers that the guest runs there, and the
// QEMU process on this node, which alone could run it here, has ended. libvirt
// takes some 200 ms more to see that, and nobody has to wait for it.
func (m *move) handedOver(ctx context.Context) bool {
	if m.resumedAt.IsZero() {
		return false
	}
	there, _, err := find(ctx, m.target, m.uuid)
	if err != nil || there.Condition != agents.Running {
		return false
	}
	_, blurred, running, err := m.agent.table.QEMU(m.uuid)
	return err == nil && !running && !blurred
}

// finishLater lets libvirt end the call of a migration that is over, and closes
// its sessions then.
func (a *Agent) finishLater(m *move) {
	ended := make(chan struct{})
	a.mu.Lock()
	if a.tails == nil {
		a.tails = map[string]chan struct{}{}
	}
	a.tails[m.uuid] = ended
	a.mu.Unlock()
	go func() {
		timer := time.NewTimer(tailTimeout)
		defer timer.Stop()
		select {
		case <-m.tail:
		case <-timer.C:
		}
		m.endCall()
		m.closeAll()
		a.mu.Lock()
		if a.tails[m.uuid] == ended {
			delete(a.tails, m.uuid)
		}
		a.mu.Unlock()
		close(ended)
	}()
}

// AwaitCalls waits until no call of an earlier migration of a VM is under way
// here, or until the context ends. A guest that comes straight back would find
// libvirt still busy with its departure.
func (a *Agent) AwaitCalls(ctx context.Context, uuid string) {
	a.mu.Lock()
	ended := a.tails[uuid]
	a.mu.Unlock()
	if ended == nil {
		return
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
