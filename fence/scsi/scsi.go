// Package scsi is the hand that cuts a machine off from shared storage by
// SCSI-3 persistent reservations (write exclusive, registrants only) and proves
// it (law L3). A machine that is cut off is not off: it may go on running,
// reading, and answering on its addresses. So a Confirmed of this driver says
// "this boot can no longer write to any of these devices" and nothing else.
//
// A caller owes this:
//   - It releases only services whose every writable disk, as started, is among
//     the devices cut, and only after lease and watchdog were waited out or where
//     the service allows storage-only. The boot that was cut off is never
//     admitted again.
//   - It calls Unfence when a node is admitted, once per boot, and never while a
//     fence of that node is open: nothing in SCSI stops a machine that was cut
//     off from registering again, only this rule does.
//   - It goes on calling Survey until the machine has a new boot, and calls a key
//     that came back what it is: the proof is void.
//   - A node whose own key is missing (Finding.Registered) stops its VMs.
//
// Each command to a device runs in a process of its own, because an ioctl can
// hang in the kernel where no signal reaches it; the caller's context is kept
// all the same. A driver is safe for concurrent use.
//
// Whole disks under sd and dm-multipath are tried on real kernels. NVMe goes
// through the same calls, needs a kernel of 2026 or later to read its keys, and
// is untested.
package scsi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Kind is the driver's word in a device's declaration.
const Kind = fence.DriverStorage

var (
	// ErrKind is returned by Validate when a device names another driver.
	ErrKind = errors.New("the device belongs to another fence driver")
	// ErrNoPower is returned by PowerOn: a reservation has no power switch.
	ErrNoPower = errors.New("reservations switch no power; the node comes back by rebooting and being admitted")
	// ErrNotRegistered is returned by Unfence when a device does not show this
	// node's key and a reservation of the right type afterwards.
	ErrNotRegistered = errors.New("the reservation is not as it must be")
)

const (
	// longestAttempt bounds Fence and Unfence when the caller's context does not.
	longestAttempt = 30 * time.Second
	// longestQuestion bounds Check and Survey likewise.
	longestQuestion = 10 * time.Second
	// longestCommand bounds one command to one device.
	longestCommand = 8 * time.Second
)

// Options of a driver.
type Options struct {
	// Cluster is the cluster's id; with a node's name it makes the node's key.
	Cluster string
	// Node is the name of the node on which the driver runs.
	Node string
	// Nodes tells the names of all nodes that may be registered. A key of nobody
	// among them spoils every proof. It is asked at each use, from any goroutine.
	Nodes func() []string
	// Helper is the command line of the program that calls RunHelper.
	Helper []string
	// Logger is where hung commands are reported; nil means slog.Default().
	Logger *slog.Logger
}

// Driver cuts machines off. It implements fence.Driver.
type Driver struct {
	options Options
	runner  *runner

	mu sync.Mutex
	// aborted remembers what this process saw proven, for attempts that repeat.
	aborted map[proofName]bool
}

// proofName names an accepted preempt-and-abort.
type proofName struct {
	device, node, boot string
}

// maxRemembered bounds Driver.aborted.
const maxRemembered = 1024

var (
	_ fence.Driver    = (*Driver)(nil)
	_ fence.Registrar = (*Driver)(nil)
)

// New returns the driver. It panics when an option is missing, because they
// are fixed when the program is built.
func New(options Options) *Driver {
	if options.Cluster == "" || options.Node == "" || options.Nodes == nil || len(options.Helper) == 0 {
		panic("fence/scsi: cluster, node, nodes and helper must be given")
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	return &Driver{options: options, runner: newRunner(options.Logger), aborted: map[proofName]bool{}}
}

// Validate finds faults of a declaration. ErrKind is returned when the device
// names another driver.
func (d *Driver) Validate(device fence.Device) error {
	_, err := parseSettings(device)
	return err
}

// PowerOn always returns ErrNoPower.
func (d *Driver) PowerOn(context.Context, fence.Device) error { return ErrNoPower }

// Check reads keys and reservation of every device from this node and changes
// nothing. Its power is always unknown: storage does not know it.
func (d *Driver) Check(ctx context.Context, device fence.Device) fence.Check {
	check := fence.Check{Power: fence.PowerUnknown}
	findings, err := d.Survey(ctx, device)
	if err != nil {
		check.Problem = err.Error()
		return check
	}
	for _, f := range findings {
		if f.Problem != "" {
			check.Problem = f.Problem
			return check
		}
	}
	return check
}

// Survey reads every device and says how it stands with this node's key and
// with the reservation. An error is returned only for a faulty declaration;
// what is wrong with a device is in its Finding.
func (d *Driver) Survey(ctx context.Context, device fence.Device) ([]fence.Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, longestQuestion)
	defer cancel()
	s, err := parseSettings(device)
	if err != nil {
		return nil, err
	}
	keys, err := d.keys("")
	if err != nil {
		return nil, err
	}
	return inParallel(s.devices, func(path string) fence.Finding {
		return d.survey(ctx, s, path, keys)
	}), nil
}

func (d *Driver) survey(ctx context.Context, s settings, path string, keys keySet) fence.Finding {
	finding := fence.Finding{Device: path}
	reading, err := d.read(ctx, s, path)
	if err != nil {
		finding.Problem = fmt.Sprintf("fence device %s on node %s: %v", s.name, d.options.Node, err)
		return finding
	}
	finding.Registered = slices.Contains(reading.Keys, keys.own)
	finding.Read, finding.Reserved = true, reading.Holder != 0
	for _, node := range d.options.Nodes() {
		if slices.Contains(reading.Keys, KeyOf(d.options.Cluster, node)) {
			finding.Nodes = append(finding.Nodes, node)
		}
	}
	slices.Sort(finding.Nodes)
	if err := standing(reading, keys); err != nil {
		finding.Problem = fmt.Sprintf("fence device %s on node %s: %s: %v", s.name, d.options.Node, path, err)
	}
	return finding
}

// keys derives the keys of all nodes, and refuses a set in which two are the
// same: one node's fence would cut off the other.
func (d *Driver) keys(victim string) (keySet, error) {
	set := keySet{own: KeyOf(d.options.Cluster, d.options.Node), known: map[Key]string{}}
	for _, node := range append(slices.Clone(d.options.Nodes()), d.options.Node) {
		key := KeyOf(d.options.Cluster, node)
		if other, taken := set.known[key]; taken && other != node {
			return keySet{}, fmt.Errorf("the nodes %s and %s have the same reservation key %s; rename one of them", other,
				node, key)
		}
		set.known[key] = node
	}
	if victim == "" {
		return set, nil
	}
	set.victim = KeyOf(d.options.Cluster, victim)
	if set.known[set.victim] != victim {
		return keySet{}, fmt.Errorf("%s is no node of this cluster", victim)
	}
	return set, nil
}

// remember keeps what is proven, and drops what is no longer so: a key that
// came back may have sent something since.
func (d *Driver) remember(name proofName, aborted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !aborted {
		delete(d.aborted, name)
		return
	}
	if len(d.aborted) >= maxRemembered {
		clear(d.aborted)
	}
	d.aborted[name] = true
}

func (d *Driver) remembers(name proofName) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.aborted[name]
}

// inParallel visits all devices at once; the schema bounds their number.
func inParallel[T any](devices []string, visit func(string) T) []T {
	results := make([]T, len(devices))
	var all sync.WaitGroup
	for i, device := range devices {
		all.Go(func() { results[i] = visit(device) })
	}
	all.Wait()
	return results
}
