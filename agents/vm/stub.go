//go:build !cgo

package vm

import "github.com/clusterd/clusterd/agents"

// Agent is absent from binaries that were built without cgo.
type Agent struct{ agents.Agent }

// New returns ErrNoLibvirt.
func New(Options) (*Agent, error) { return nil, ErrNoLibvirt }
