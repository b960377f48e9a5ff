package daemon

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/sleep"
	"github.com/clusterd/clusterd/internal/systemd"
)

// An address comes late: a bond, a bridge, a DHCP server, a switch that learns. That is no
// failure of this daemon, and nothing gets better by its end.
const (
	addressPause   = 500 * time.Millisecond
	addressToldFor = time.Minute
)

// patiently opens a socket of this node, and waits for the address as long as this host
// does not have it.
func patiently[T any](ctx context.Context, d *Daemon, what string, open func() (T, error)) (T, error) {
	var told time.Time
	for {
		opened, err := open()
		if !comesLate(err) {
			if err == nil && !told.IsZero() {
				d.logger.Info("this host has its address now", "node", d.name, "address", d.options.Node.Address, "for", what)
			}
			return opened, err
		}
		if time.Since(told) >= addressToldFor {
			told = time.Now()
			// A boot does not wait for it, and a daemon that waits has not failed.
			systemd.Tell("READY=1", "STATUS=waits for the address "+d.options.Node.Address)
			d.logger.Warn("this host does not have the address of this node yet; clusterd waits for it. Look at the "+
				"network, or correct address in "+nodefile.Path, "node", d.name, "address", d.options.Node.Address, "for", what,
				"why", err)
		}
		if !sleep.For(ctx, addressPause) {
			return opened, ctx.Err()
		}
	}
}

// comesLate reports whether an address may still come that this host cannot listen at: the host
// does not have it, or it is a name and no name server answers yet.
func comesLate(err error) bool {
	var unresolved *net.DNSError
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.As(err, &unresolved)
}
