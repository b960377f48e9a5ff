//go:build !cgo

package vm

import (
	"context"

	"github.com/clusterd/clusterd/agents"
)

// Agent is absent from binaries that were built without cgo.
type Agent struct{ agents.Agent }

// New returns ErrNoLibvirt.
func New(Options) (*Agent, error) { return nil, ErrNoLibvirt }

// DumpForImport returns ErrNoLibvirt.
func (*Agent) DumpForImport(context.Context, string) (Definition, error) {
	return Definition{}, ErrNoLibvirt
}

// Definitions returns ErrNoLibvirt.
func (*Agent) Definitions(context.Context, []string) ([]Definition, error) { return nil, ErrNoLibvirt }

// Unpersist returns ErrNoLibvirt.
func (*Agent) Unpersist(context.Context, string) error { return ErrNoLibvirt }

// Versions returns ErrNoLibvirt.
func (*Agent) Versions(context.Context) (Versions, error) { return Versions{}, ErrNoLibvirt }

// Networks returns ErrNoLibvirt.
func (*Agent) Networks(context.Context, []string) ([]string, error) { return nil, ErrNoLibvirt }

// Pools returns ErrNoLibvirt.
func (*Agent) Pools(context.Context, []string) ([]string, error) { return nil, ErrNoLibvirt }
