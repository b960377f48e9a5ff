// Package ownkeys keeps this node's own keys and its certificate: it renews the certificate, and
// takes this node's steps to another key of its own and to another authority of the cluster. Each
// step is written down before it is told, so that a daemon which ended in between goes on with the
// same key.
package ownkeys

import (
	"context"
	"log/slog"
	"sync"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/warnings"
)

// Log is the replicated log, and the State that follows from it.
type Log interface {
	Root() *cluster.State
	// Changed is closed when there is a newer State than the one read after this call.
	Changed() <-chan struct{}
	Propose(ctx context.Context, commands ...cluster.Command) (refused []message.Text, err error)
	// Verify returns once this node has applied what was committed before the call.
	Verify(ctx context.Context) error
}

// Vault opens what only a holder of the data key may.
type Vault interface {
	Authority(root *cluster.State) (*pki.CA, error)
	DataKey(root *cluster.State) (pki.DataKey, error)
}

// Options are what the keys of a node stand on. All are required.
type Options struct {
	// Node is this node's name, and Address where the others reach it.
	Node, Address string
	Folder        membership.Folder
	Logger        *slog.Logger
	Log           Log
	Vault         Vault
	// Store holds the identity in use.
	Store *pki.Store
	// Book is where it is written down whose key is whose.
	Book *membership.KeyBook
	// Unaware waits a while until every other member says that it knows this node's new key, and
	// returns those that did not.
	Unaware  func(ctx context.Context, turn *cluster.KeyTurn) []string
	Warnings *warnings.Book
}

// Keys are this node's private keys: that of its identity in use, and those beside it.
type Keys struct {
	Options
	mu sync.Mutex
	// former is the key before, as long as the State may record it; nil where there is none.
	former *pki.NodeKey
	// left: the folder holds a key beside the node's own.
	left bool
	// steps is held by whoever takes the steps to another key.
	steps turnstile
	// identity is held while the identity is made anew: a renewal must not take a new key's place.
	identity sync.Mutex
}

// Load ends a turn that was cut short, and reads the identity in use.
func Load(folder membership.Folder) (*pki.Identity, error) {
	if err := pki.FinishTurn(string(folder)); err != nil {
		return nil, err
	}
	return pki.LoadIdentity(string(folder))
}

// New finds what keys are left beside the node's own, of which Load has read the identity.
func New(options Options) (*Keys, error) {
	k := &Keys{Options: options, steps: make(turnstile, 1)}
	former, err := pki.FormerKey(k.folder())
	k.former, k.left = former, pki.KeysLeft(k.folder())
	return k, err
}

func (k *Keys) folder() string { return string(k.Folder) }

// Pause keeps the steps to another key from being taken until the returned function is called.
func (k *Keys) Pause() (goOn func()) {
	k.steps.enter()
	return k.steps.leave
}

// Left reports whether the folder holds a key beside the node's own.
func (k *Keys) Left() bool {
	_, left := k.get()
	return left
}

func (k *Keys) set(former *pki.NodeKey, left bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.former, k.left = former, left
}

func (k *Keys) get() (former *pki.NodeKey, left bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.former, k.left
}
