//go:build cgo

package vm

import (
	"context"
	"fmt"
	"sync"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
)

const (
	// lingerTime is how long a look waits for a QEMU process whose VM libvirt
	// has just dropped: its exit takes some milliseconds.
	lingerTime  = 500 * time.Millisecond
	lingerEvery = 5 * time.Millisecond
)

// look answers for one VM, Absent only with the proof of law L1.
func (a *Agent) look(ctx context.Context, uuid string) agents.Observation {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s, err := a.current()
	if err != nil {
		return a.unknown(uuid, "connection to the hypervisor was lost")
	}
	return a.lookOn(ctx, s, uuid)
}

// lookOn is look on a given local session.
func (a *Agent) lookOn(ctx context.Context, s *session, uuid string) agents.Observation {
	// The journal is read first: a call that ends between reading it and asking
	// libvirt shows in libvirt's answer, the other way round it would be missed.
	a.journal.DropDead(uuid, a.table.Alive)
	open := a.journal.Open(uuid)
	seen, exists, err := find(ctx, s, uuid)
	switch {
	case err != nil:
		return a.unknown(uuid, fmt.Sprintf("the hypervisor gave no answer: %v", plain(err)))
	case seen.Condition != agents.Absent:
		a.complete(&seen)
		return seen
	case len(open) > 0 && exists:
		a.journal.Seen(uuid)
	case len(open) > 0 && queueMoves(ctx, s):
		a.journal.Quiet(uuid, time.Now(), quietTime)
	}
	// Only a create can bring up a VM that libvirt and the kernel do not have; a
	// migrate or destroy that comes late finds nothing.
	for _, left := range open {
		if left.Kind == proof.Create && !a.journal.Ended(uuid, left.Number) {
			return a.unknown(uuid, fmt.Sprintf(
				"libvirt has no such VM, but an earlier create (sent %s to %s) may still take effect",
				left.At.Format(time.TimeOnly), left.Server))
		}
	}
	return a.prove(ctx, s, uuid, seen)
}

// queueMoves asks libvirtd something that waits in the same queue as a create.
// Looking a VM up does not: libvirtd answers that beside the queue, also when
// every ordinary worker hangs and a create has not even been taken up.
func queueMoves(ctx context.Context, s *session) bool {
	_, err := ask(ctx, s, (*libvirt.Connect).GetCapabilities, nil)
	return err == nil
}

// find asks libvirt for a VM; exists tells that it knows it, active or not.
func find(ctx context.Context, s *session, uuid string) (seen agents.Observation, exists bool, err error) {
	seen, err = onDomain(ctx, s, uuid, observe)
	if noDomain(err) {
		return agents.Observation{UUID: uuid, Condition: agents.Absent}, false, nil
	}
	return seen, err == nil, err
}

// prove waits for the QEMU process of a VM that libvirt no longer has.
func (a *Agent) prove(ctx context.Context, s *session, uuid string, seen agents.Observation) agents.Observation {
	for deadline := time.Now().Add(lingerTime); ; {
		left, blurred, running, err := a.table.QEMU(uuid)
		switch {
		case err != nil:
			return a.unknown(uuid, err.Error())
		case !running:
			return a.absent(uuid, s.server, seen.Title)
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			why := fmt.Sprintf("libvirt has no such VM, but its QEMU %s still exists", left)
			if blurred {
				why = fmt.Sprintf("libvirt has no such VM, but a dying QEMU %s has threads left and nobody can tell whose it is",
					left)
			}
			return a.unknown(uuid, why)
		}
		pause(ctx, lingerEvery)
	}
}

func (a *Agent) absent(uuid string, server proof.Process, title string) agents.Observation {
	a.mu.Lock()
	defer a.mu.Unlock()
	vm := a.rememberLocked(uuid, "")
	if title == "" {
		title = vm.last.Title
	}
	seen := agents.Observation{
		Service: vm.service, UUID: uuid, Title: title, Condition: agents.Absent, Reason: vm.ending, Explained: vm.explained,
		Evidence: fmt.Sprintf("libvirtd (%s) on %s has no such VM, no QEMU process carries its UUID and no create is open",
			server, a.options.Node),
	}
	vm.last = seen
	return seen
}

func (a *Agent) unknown(uuid, why string) agents.Observation {
	a.mu.Lock()
	defer a.mu.Unlock()
	vm := a.rememberLocked(uuid, "")
	seen := agents.Observation{
		Service: vm.service, UUID: uuid, Title: vm.last.Title, Condition: agents.Unknown, Reason: why, Disks: vm.last.Disks,
		Evidence: why,
	}
	vm.last = seen
	return seen
}

// pause waits a bounded while, or until ctx ends.
func pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// heard keeps how a VM ended, for the Absent that follows.
func (a *Agent) heard(uuid string, event *libvirt.DomainEventLifecycle) {
	a.mu.Lock()
	defer a.mu.Unlock()
	vm := a.rememberLocked(uuid, "")
	switch event.Event {
	case libvirt.DOMAIN_EVENT_STOPPED:
		end := endings[libvirt.DomainEventStoppedDetailType(event.Detail)]
		vm.ending, vm.explained = end.word, end.explained
	case libvirt.DOMAIN_EVENT_STARTED:
		vm.ending, vm.explained = "", false
	}
	now := time.Now()
	for watcher := range a.watchers[uuid] {
		select {
		case watcher <- lifecycle{event.Event, event.Detail, now}:
		default: // A full watcher still looks by its own poll.
		}
	}
}

// watch hears the lifecycle events of one VM until forget is called.
func (a *Agent) watch(uuid string) (events <-chan lifecycle, forget func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	watcher := make(chan lifecycle, 32)
	if a.watchers[uuid] == nil {
		a.watchers[uuid] = map[chan lifecycle]struct{}{}
	}
	a.watchers[uuid][watcher] = struct{}{}
	return watcher, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.watchers[uuid], watcher)
		if len(a.watchers[uuid]) == 0 {
			delete(a.watchers, uuid)
		}
	}
}

// maxTouched bounds the VMs that wait to be looked at.
const maxTouched = 4096

// touched collects the VMs that events named, each once.
type touched struct {
	mu     sync.Mutex
	uuids  map[string]struct{}
	signal chan struct{}
}

func newTouched() *touched {
	return &touched{uuids: map[string]struct{}{}, signal: make(chan struct{}, 1)}
}

func (t *touched) add(uuid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.uuids) < maxTouched {
		t.uuids[uuid] = struct{}{}
	}
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

func (t *touched) take() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]string, 0, len(t.uuids))
	for uuid := range t.uuids {
		list = append(list, uuid)
	}
	t.uuids = map[string]struct{}{}
	return list
}
