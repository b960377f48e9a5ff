package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// localDial opens the local end of a stream that another node asked for.
type localDial func(ctx context.Context, kind, act string) (net.Conn, error)

// serve answers one connection of another node: header, local end, copy.
func serve(ctx context.Context, conn net.Conn, carried *streams, dial localDial) error {
	_ = conn.SetDeadline(time.Now().Add(headerTimeout))
	var head header
	if err := readLine(conn, headerLimit, &head); err != nil {
		_ = conn.Close()
		return err
	}
	local, err := openLocal(ctx, head, dial)
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
	return carried.carry(conn, local, head.Act)
}

func openLocal(ctx context.Context, head header, dial localDial) (net.Conn, error) {
	if err := head.check(); err != nil {
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
