package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"
)

// permission waits until a stream is allowed, or says why it is not.
type permission func(ctx context.Context, what about) error

// permit asks whether a stream is allowed now. Its migration may be a moment
// away from being told here; nothing else is waited for.
func (f *forwarder) permit(ctx context.Context, what about) error {
	err := f.allows(ctx, what)
	if err != nil && !what.dialed {
		f.refused(what.remote, fmt.Sprintf("open a stream of kind %q for the move %q", what.kind, what.act), err, 1)
	}
	return err
}

func (f *forwarder) allows(ctx context.Context, what about) error {
	if !what.dialed && f.deaf() {
		return errors.New("clusterd does not run here, and nobody else knows who is expected")
	}
	ctx, cancel := context.WithTimeout(ctx, f.config.IntentWait)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := f.admit(what)
		if !errors.Is(err, ErrNotExpected) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

func (f *forwarder) admit(what about) error {
	return f.config.Security.Admit(what.remote, what.kind, what.act, what.dialed)
}

// deaf reports whether no daemon has been here for too long.
func (f *forwarder) deaf() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.daemons == 0 && time.Since(f.alone) > f.config.Deaf
}

// localDial opens the local end of a stream that another node asked for.
type localDial func(ctx context.Context, kind, act string) (net.Conn, error)

// serve answers one connection of another node: header, permission, local end, copy.
func (f *forwarder) serve(ctx context.Context, conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(headerTimeout))
	var head header
	if err := readLine(conn, headerLimit, &head); err != nil {
		_ = conn.Close()
		return err
	}
	local, err := openLocal(ctx, head, about{remote: conn, kind: head.Kind, act: head.Act}, f.permit, f.dialLocal)
	if err != nil {
		_ = writeLine(conn, answer{Error: err.Error()})
		_ = conn.Close()
		return err
	}
	if err := writeLine(conn, answer{}); err != nil {
		_ = conn.Close()
		_ = local.Close()
		return fmt.Errorf("answer the source's forwarder: %w", err)
	}
	_ = conn.SetDeadline(time.Time{})
	from := conn
	if head.Kind == kindAPI {
		calls := newSieve(conn, f.config.Security.Guest(head.Act), f.config.Logger)
		calls.data = f.config.dataPath(head.Act)
		calls.heldBack = func(first error, count int) {
			f.refused(conn, "call libvirt in the move "+strconv.Quote(head.Act), first, count)
		}
		from = calls
	}
	return f.carried.carry(from, local, about{remote: conn, kind: head.Kind, act: head.Act})
}

func openLocal(ctx context.Context, head header, what about, permit permission, dial localDial) (net.Conn, error) {
	if err := head.check(); err != nil {
		return nil, err
	}
	if err := permit(ctx, what); err != nil {
		return nil, err
	}
	return dial(ctx, head.Kind, head.Act)
}

// libvirtSockets are libvirt's own places, the modular daemon first.
var libvirtSockets = []string{"/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock"}

// dialLocal reaches libvirtd, or the socket that QEMU makes for this act.
func (f *forwarder) dialLocal(ctx context.Context, kind, act string) (net.Conn, error) {
	if kind == kindData {
		return dialWhenThere(ctx, f.config.dataPath(act), f.config.DataWait)
	}
	sockets := libvirtSockets
	if f.config.LibvirtSocket != "" {
		sockets = []string{f.config.LibvirtSocket}
	}
	var failures []error
	for _, socket := range sockets {
		conn, err := net.DialTimeout("unix", socket, headerTimeout/2)
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("reach libvirtd: %w", errors.Join(failures...))
}

// dialWhenThere waits a bounded time for a socket to appear.
func dialWhenThere(ctx context.Context, path string, wait time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
		if err == nil {
			// Its one stream is open; the name is of no more use.
			_ = os.Remove(path)
			return conn, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("QEMU did not open %s within %s: %w", path, wait, err)
		case <-ticker.C:
		}
	}
}
