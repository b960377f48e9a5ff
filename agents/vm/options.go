package vm

import (
	"context"
	"errors"
	"log/slog"
)

// ErrNoLibvirt is returned by New in a binary that was built without cgo.
var ErrNoLibvirt = errors.New("this binary was built without cgo and cannot drive libvirt: build it with CGO_ENABLED=1 -tags libvirt_dlopen")

// ErrDisconnected is wrapped by every error that says that the hypervisor
// could not be asked because there is no connection to it.
var ErrDisconnected = errors.New("no connection to the hypervisor")

// Tunnel opens the way that a migration takes to another node. The daemon
// gives one that is built on package internal/tunnel.
type Tunnel interface {
	// Open makes ready for one act: apiURI reaches the target's libvirtd and
	// migrateURI carries the guest's memory. Opening an act twice is harmless.
	Open(ctx context.Context, target, act string) (apiURI, migrateURI string, err error)
	// Release ends what Open made.
	Release(act string)
}

// Options of an Agent.
type Options struct {
	// URI of the local hypervisor; empty means "qemu:///system".
	URI string
	// Node is this node's name, for sentences.
	Node string
	// StateDir keeps the journal of calls; it must outlive the daemon but not
	// the machine's boot (a tmpfs such as /run/clusterd fits).
	StateDir string
	// ProcDir is /proc where empty; tests give another.
	ProcDir string
	// Tunnel may be nil on a node that never migrates.
	Tunnel Tunnel
	// Unsafe lets VMs migrate whose disks libvirt cannot prove to be shared
	// (for example a plain file on a mount that libvirt takes to be local).
	Unsafe bool
	// Logger may be nil.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.URI == "" {
		o.URI = "qemu:///system"
	}
	if o.ProcDir == "" {
		o.ProcDir = "/proc"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
