package watchdog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Kind is the driver's word in a device's declaration: the disks are sbd's.
const Kind = fence.DriverPill

// ErrKind is returned by Validate when a device names another driver.
var ErrKind = errors.New("the device belongs to another fence driver")

const (
	// longestPost bounds a message on one disk, reading the slots included.
	longestPost = 10 * time.Second
	// longestFence bounds Fence when the caller's context does not.
	longestFence = longestMsgWait + time.Minute
)

// Options of a driver.
type Options struct {
	// Node is the name of the node on which the driver runs.
	Node string
	// Armed returns nil when that boot of that node armed its keeper with the
	// disks of this device before it was admitted; the log knows that.
	Armed func(target fence.Target, disks []string) error
	// Helper is the command line of the program that calls RunHelper.
	Helper []string
	Logger *slog.Logger
}

// Driver fences by poison pill. It implements fence.Driver.
type Driver struct {
	options Options
	now     func() time.Duration
	// post carries one job out; tests have another one.
	post func(ctx context.Context, e job) (jobResult, error)
	// anyPath lets tests use loop devices.
	anyPath bool
}

var (
	_ fence.Driver    = (*Driver)(nil)
	_ fence.Messenger = (*Driver)(nil)
)

// New returns the driver. It panics when an option other than Logger is
// missing, because they are fixed when the program is built.
func New(options Options) *Driver {
	if options.Node == "" || options.Armed == nil || len(options.Helper) == 0 {
		panic("fence/watchdog: node, armed and helper must be given")
	}
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	r := &runner{argv: options.Helper, log: options.Logger, running: map[string]int{}}
	return &Driver{options: options, now: Now, post: r.run}
}

// Validate finds faults of a declaration. ErrKind is returned when the device
// names another driver.
func (d *Driver) Validate(device fence.Device) error {
	_, err := d.disks(device)
	return err
}

func (d *Driver) disks(device fence.Device) ([]string, error) {
	fault := func(format string, args ...any) ([]string, error) {
		return nil, fmt.Errorf("fence device %s: "+format, append([]any{device.Name}, args...)...)
	}
	if device.Driver != Kind {
		return fault("driver %q: %w (%s)", device.Driver, ErrKind, Kind)
	}
	if device.Address != "" || device.Username != "" || device.Password != "" {
		return fault("disks for fence messages have no address, username or password; leave them out")
	}
	schema := device.Schema()
	if d.anyPath {
		schema.Options = slices.Clone(schema.Options)
		for i := range schema.Options {
			schema.Options[i].AnyWith = schema.Options[i].Name
		}
	}
	if err := schema.Check(device.Options); err != nil {
		return fault("%w", err)
	}
	return device.Disks(), nil
}

// each carries the same job to every disk at once.
func (d *Driver) each(ctx context.Context, disks []string, e job) []jobResult {
	ctx, cancel := context.WithTimeout(ctx, longestPost)
	defer cancel()
	results := make([]jobResult, len(disks))
	var all sync.WaitGroup
	for i, disk := range disks {
		all.Go(func() {
			own := e
			own.Disk = disk
			result, err := d.post(ctx, own)
			if err != nil {
				result = jobResult{Problem: err.Error()}
			}
			results[i] = result
		})
	}
	all.Wait()
	return results
}

// Check reads the headers and changes nothing. The power is unknown: a disk
// does not know it.
func (d *Driver) Check(ctx context.Context, device fence.Device) fence.Check {
	check := fence.Check{Power: fence.PowerUnknown}
	disks, err := d.disks(device)
	if err != nil {
		check.Problem = err.Error()
		return check
	}
	results := d.each(ctx, disks, job{Kind: jobRead})
	if _, err := agreed(results); err != nil {
		check.Problem = fmt.Sprintf("fence device %s on node %s: %v", device.Name, d.options.Node, err)
	}
	for i, result := range results {
		if result.Problem != "" {
			// A majority would do; whoever runs on less than all should know.
			check.Problem = fmt.Sprintf("fence device %s on node %s: %s: %s", device.Name, d.options.Node, disks[i],
				result.Problem)
		}
	}
	return check
}

// agreed returns the header of a majority of the disks, or why there is none.
func agreed(results []jobResult) (Header, error) {
	var first *Header
	good := 0
	var problems []string
	for i := range results {
		switch r := &results[i]; {
		case r.Problem != "":
			problems = append(problems, r.Problem)
		case first == nil:
			first, good = &r.Header, 1
		case !first.sameTimes(r.Header):
			return Header{}, errors.New("the disks have other times in their headers; set them up again with the same")
		case first.UUID == r.Header.UUID:
			return Header{}, errors.New("two of the names lead to the same disk")
		default:
			good++
		}
	}
	if 2*good <= len(results) {
		return Header{}, fmt.Errorf("%d of %d disks answered: %s", good, len(results), strings.Join(problems, "; "))
	}
	return *first, nil
}

// PowerOn clears the target's messages, so that it may be admitted again. The
// device alone does not tell whose, so nothing is done here; see Clear.
func (d *Driver) PowerOn(context.Context, fence.Device) error {
	return errors.New("a disk switches no power on; the node comes back by itself after a reset, and its message is " +
		"cleared when its fence is closed")
}

// Clear wipes the messages for a node. The caller does this only when no fence
// of that node is open, before the node is admitted.
func (d *Driver) Clear(ctx context.Context, device fence.Device, node string) error {
	disks, err := d.disks(device)
	if err != nil {
		return err
	}
	for i, result := range d.each(ctx, disks,
		job{Kind: jobPost, Node: node, Mail: Mail{Command: Empty, From: d.options.Node}}) {
		if result.Problem != "" {
			return fmt.Errorf("fence device %s: the message for %s could not be cleared: %s: %s", device.Name, node, disks[i],
				result.Problem)
		}
	}
	return nil
}

// Fence writes the pill to a majority of the disks, reads it back, and waits as
// long as the header says. Confirmed is returned when all of that happened and
// nobody heard of the target's boot since; nothing in between shortens the wait.
func (d *Driver) Fence(ctx context.Context, request fence.Request) fence.Result {
	ctx, cancel := context.WithTimeout(ctx, longestFence)
	defer cancel()
	started := time.Now()
	result := fence.Result{Outcome: fence.Unknown}
	err := d.fence(ctx, request, &result)
	if err != nil {
		result.Evidence = append(result.Evidence, err.Error())
	} else {
		result.Outcome = fence.Confirmed
	}
	result.Duration = time.Since(started)
	return result
}

func (d *Driver) fence(ctx context.Context, request fence.Request, result *fence.Result) error {
	disks, err := d.disks(request.Device)
	if err != nil {
		return err
	}
	target := request.Target
	if request.StillWanted == nil || request.SignOfLife == nil || target.Boot == "" || target.Node == d.options.Node {
		return fmt.Errorf("the request does not tell whether it is still wanted, whether %s shows life, or which boot "+
			"is meant; nothing was written", target.Node)
	}
	if err := d.options.Armed(target, disks); err != nil {
		return fmt.Errorf("%s is not known to watch these disks, so a message proves nothing; nothing was written: %w",
			target.Node, err)
	}
	header, err := agreed(d.each(ctx, disks, job{Kind: jobRead}))
	if err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	if deadline, limited := ctx.Deadline(); limited && time.Until(deadline) < header.MsgWait {
		return fmt.Errorf("nothing was written: the disk asks for a wait of %v, and there are %v", header.MsgWait,
			time.Until(deadline).Round(time.Second))
	}
	if err := request.StillWanted(); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	posted := d.each(ctx, disks,
		job{Kind: jobPost, Node: target.Node, Mail: Mail{Command: Reset, From: d.options.Node}})
	written, err := agreed(posted)
	switch {
	case err != nil:
		return fmt.Errorf("the message is not on a majority of the disks: %w", err)
	case !written.sameTimes(header):
		return errors.New("the header changed while the message was written")
	}
	from := d.now()
	result.Phases = append(result.Phases, fence.Phase{What: "message written and read back", At: time.Now()})
	result.Evidence = append(result.Evidence,
		fmt.Sprintf("a reset message for %s was written and read back on a majority of %d disks", target.Node, len(disks)))
	if err := sleepUntil(ctx, d.now, from+header.MsgWait+header.MsgWait/100); err != nil {
		return fmt.Errorf("%v of the %v had passed: %w", (d.now() - from).Round(time.Millisecond), header.MsgWait, err)
	}
	if request.SignOfLife() {
		return fmt.Errorf("%s was heard after it should have reset itself: its watchdog does not work", target.Node)
	}
	result.Evidence = append(result.Evidence, fmt.Sprintf("%v were waited out, in which its watchdog reset it",
		header.MsgWait))
	return nil
}
