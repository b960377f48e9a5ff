//go:build cgo

package vm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// Between attempts to connect.
const (
	reconnectFirst = 100 * time.Millisecond
	reconnectLast  = 2 * time.Second
)

// run keeps the connection and turns events into observations until ctx ends.
func (a *Agent) run(ctx context.Context) {
	defer close(a.stopped)
	defer a.changes.Close()
	wait, complained := reconnectFirst, false
	for ctx.Err() == nil {
		s, err := a.connect(ctx)
		if err != nil {
			if !complained {
				a.log.Warn("cannot reach the hypervisor; trying on", "node", a.options.Node, "uri", a.options.URI, "error", err)
				complained = true
			}
			pause(ctx, wait)
			wait = min(2*wait, reconnectLast)
			continue
		}
		wait, complained = reconnectFirst, false
		a.log.Info("connected to the hypervisor", "node", a.options.Node, "uri", a.options.URI, "server", s.server.String())
		a.attend(ctx, s)
		a.disconnected(s)
	}
}

// connect opens the main session, registers for events, and only then lists,
// so that nothing falls between the list and the first event.
func (a *Agent) connect(ctx context.Context) (*session, error) {
	s, err := a.dial(ctx, a.options.URI)
	if err != nil {
		return nil, err
	}
	registering, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if err := do(registering, s, a.register); err != nil {
		s.close()
		return nil, fmt.Errorf("register for events: %w", plain(err))
	}
	a.mu.Lock()
	a.main = s
	a.mu.Unlock()
	return s, nil
}

// register asks for the events. The callbacks run on libvirt's event loop and
// must not call libvirt back (names and UUIDs are in the handle already).
func (a *Agent) register(conn *libvirt.Connect) error {
	touch := func(domain *libvirt.Domain) (string, bool) {
		uuid, err := domain.GetUUIDString()
		uuid = strings.ToLower(uuid)
		if err != nil {
			return "", false
		}
		a.touched.add(uuid)
		return uuid, true
	}
	_, err := conn.DomainEventLifecycleRegister(nil,
		func(_ *libvirt.Connect, d *libvirt.Domain, e *libvirt.DomainEventLifecycle) {
			if uuid, err := d.GetUUIDString(); err == nil {
				a.heard(strings.ToLower(uuid), e)
			}
			touch(d)
		})
	if err != nil {
		return err
	}
	if _, err := conn.DomainEventRebootRegister(nil,
		func(_ *libvirt.Connect, d *libvirt.Domain) { touch(d) }); err != nil {
		return err
	}
	_, err = conn.DomainEventIOErrorReasonRegister(nil,
		func(_ *libvirt.Connect, d *libvirt.Domain, e *libvirt.DomainEventIOErrorReason) {
			if uuid, ok := touch(d); ok {
				a.log.Warn("a guest's disk reported an error", "node", a.options.Node, "uuid", uuid, "disk", e.SrcPath, "reason",
					e.Reason)
			}
		})
	if err != nil {
		return err
	}
	_, err = conn.DomainEventJobCompletedRegister(
		nil, func(_ *libvirt.Connect, d *libvirt.Domain, _ *libvirt.DomainEventJobCompleted) { touch(d) })
	return err
}

// attend serves one connection until it is lost.
func (a *Agent) attend(ctx context.Context, s *session) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	a.sweep(ctx, s, true)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.lost:
			return
		case <-a.touched.signal:
			for _, uuid := range a.touched.take() {
				a.changes.Put(a.lookWithin(ctx, s, uuid))
			}
		case <-poll.C:
			a.sweep(ctx, s, false)
		}
	}
}

func (a *Agent) lookWithin(ctx context.Context, s *session, uuid string) agents.Observation {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return a.lookOn(ctx, s, uuid)
}

// sweep lists all VMs and delivers what changed, or everything after a new
// connection, because events in the gap are lost.
func (a *Agent) sweep(ctx context.Context, s *session, everything bool) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	before := a.remembered()
	found, err := ask(ctx, s, observeAll, nil)
	if err != nil {
		a.log.Warn("cannot list the VMs", "node", a.options.Node, "error", plain(err))
		return
	}
	for i := range found {
		uuid := strings.ToLower(found[i].UUID)
		a.complete(&found[i])
		if everything || differs(before[uuid], found[i]) {
			a.changes.Put(found[i])
		}
		delete(before, uuid)
	}
	for uuid, last := range before {
		if last.Condition == agents.Absent && !everything {
			continue
		}
		seen := a.lookOn(ctx, s, uuid)
		if everything || differs(last, seen) {
			a.changes.Put(seen)
		}
	}
}

func differs(a, b agents.Observation) bool {
	return a.Condition != b.Condition || a.Reason != b.Reason || a.Explained != b.Explained ||
		(len(b.Disks) > 0 && !resources.SameDisks(a.Disks, b.Disks)) || !slices.Equal(a.Devices, b.Devices)
}

func (a *Agent) remembered() map[string]agents.Observation {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make(map[string]agents.Observation, len(a.known))
	for uuid, vm := range a.known {
		list[uuid] = vm.last
	}
	return list
}

// disconnected tells that nothing is known from now on of the VMs that were here.
// What is said to end from here on happens unheard, so older endings go.
func (a *Agent) disconnected(s *session) {
	a.mu.Lock()
	if a.main == s {
		a.main = nil
	}
	for uuid, vm := range a.known {
		vm.ending, vm.explained = "", false
		if vm.service == "" && vm.last.Condition == agents.Absent {
			delete(a.known, uuid)
		}
	}
	a.mu.Unlock()
	s.close()
	for uuid, last := range a.remembered() {
		if last.Condition != agents.Absent {
			a.changes.Put(a.unknown(uuid, "connection to the hypervisor was lost"))
		}
	}
}
