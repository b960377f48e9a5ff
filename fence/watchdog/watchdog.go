// Package watchdog is the hand that makes a host reset itself: a small process,
// the keeper, that holds the watchdog and pets it only on the daemon's word; and
// the poison pill, a message on a shared disk in sbd's own format, on which the
// keeper stops petting.
//
// A caller owes this:
//   - The keeper is started by Start and outlives the daemon. It arms the
//     watchdog with the first word. A node is admitted only after Lease or Free
//     was answered without an error, so that whatever runs on it runs under an
//     armed watchdog.
//   - Free is said only while the node holds nothing. Before the first start
//     after that, Lease is said and answered.
//   - A lease is counted from the instant its request was sent, on Now.
//   - A fencer that waits the node out waits WaitOut by its own stopwatch, or
//     uses the Driver, which waits what the disk's header says.
//   - Whoever judges a node by the pill knows that its boot armed the keeper with
//     the same disks (Options.Armed). Nothing on the disk proves that.
//
// A host that is itself a virtual machine, or that suspends, is not protected
// by this: its watchdog stops with it. Use power or reservations there.
package watchdog

import (
	"errors"
	"time"

	"github.com/clusterd/clusterd/fence"
)

var (
	// ErrNotAsAsked is returned when the watchdog cannot be armed as asked: no
	// device, another timeout, no nowayout, no magic close.
	ErrNotAsAsked = errors.New("the watchdog cannot be armed as asked")
	// ErrHolding is returned by Stop while the last word was a lease.
	ErrHolding = errors.New("the node may hold services, so the watchdog stays armed")
	// ErrNoWayOut is returned by Stop when the watchdog cannot be disarmed; the
	// keeper stays and pets.
	ErrNoWayOut = errors.New(
		"the watchdog is set never to be disarmed (nowayout); its keeper stays until the host goes down")
	// ErrStalePill is returned when a message of an earlier fence is still on the
	// disk: it must be cleared before this node may run anything.
	ErrStalePill = errors.New("a fence message for this node is still on the disk")
	// ErrPilled is returned for every word after a pill was found.
	ErrPilled = errors.New("this node was told to reset itself")
	// ErrYielded is returned for every word after Yield.
	ErrYielded = errors.New("this boot has to end, its watchdog is petted no more")
)

// Info is how a watchdog is armed, as it was read back from it.
type Info struct {
	Device   string        `json:"device"`
	Identity string        `json:"identity"`
	Timeout  time.Duration `json:"timeout"`
	// NoWayOut: nothing but a reset ends it.
	NoWayOut bool `json:"noWayOut"`
	// MagicClose: a death of the keeper does not stop it.
	MagicClose bool `json:"magicClose"`
}

// WaitOut returns how long a leader waits, by its own stopwatch and from the
// moment it last received the node's request for a lease, until a node with an
// armed watchdog is surely reset: the lease and one percent for two clocks that
// run differently, the watchdog, and what hardware may be late by.
func WaitOut(lease, timeout time.Duration) time.Duration {
	return fence.WaitOut(lease, timeout)
}
