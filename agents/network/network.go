package network

import (
	"errors"
	"net/netip"

	"github.com/clusterd/clusterd/resources"
)

// Wish is a network as this host is to have it.
type Wish struct {
	resources.Network
	// Local is this host's address on the way to the others.
	Local netip.Addr
	// Peers are the addresses of the other hosts where it is used.
	Peers []netip.Addr
}

// Driver makes networks of one kind. Its methods are not called at the same time.
type Driver interface {
	// Look begins a round: what was seen of the host before counts no longer.
	Look()
	// Check says what would keep Ensure from making it. It changes nothing.
	Check(wish Wish) error
	// Ensure makes what is missing and changes what differs, in what is ours. Done twice it changes
	// nothing. ErrForeign is returned where something else has a name that is required, and ErrInUse
	// where something is attached to what the network, or another one, had before.
	Ensure(wish Wish) error
	// Clear takes away what is left of the network as it was before, with another bridge or number.
	// What anything is attached to stays.
	Clear(wish Wish) error
	// Present names the networks of which something of ours is here.
	Present() ([]string, error)
	// Remove takes away what is ours of a network. ErrInUse is returned, and nothing is done, where
	// anybody else has something at its bridge.
	Remove(network string) error
}

var (
	// ErrForeign tells that a name is taken by what clusterd did not make.
	ErrForeign = errors.New("it was not made by clusterd")
	// ErrInUse tells that somebody else has something at the bridge of a network.
	ErrInUse = errors.New("it is in use")
	// ErrUnknown tells that no network of the document is called so.
	ErrUnknown = errors.New("the document has no such network")
)
