package roll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// Cluster is what a roll asks and orders. api.Client is one.
type Cluster interface {
	Status(ctx context.Context, fresh bool) (api.Status, error)
	ChangeNodes(ctx context.Context, request api.NodeRequest) (api.Reply, error)
	Reserve(ctx context.Context, hosts int) (api.ReserveReply, error)
}

// Options of a roll.
type Options struct {
	// Command is run for each host; {node} and {address} stand for it.
	Command string
	// Reboots: the host has another boot afterwards, or something went wrong.
	Reboots bool
	// Anyway: a host is worked on although the loss of another one would leave services without a
	// place.
	Anyway bool
	Reason string
	// Drain, Run, Boot and Settle are how long a host may take to be emptied, the command to run, the
	// host to be back, and the cluster to be well again. Deadline is that of the order.
	Drain, Run, Boot, Settle, Deadline time.Duration
	// Every is how often the cluster is asked, and Quiet how long it has to be well.
	Every, Quiet time.Duration
	Out          io.Writer
	// Runs runs a command. An error that wraps ErrNotRun says that it was never started.
	Runs func(ctx context.Context, words []string) error
}

// ErrNotRun is wrapped where a command was not even started.
var ErrNotRun = errors.New("the command cannot be started")

// roller works on hosts.
type roller struct {
	Options
	cluster Cluster
	// up are the services that ran when it began.
	up map[string]bool
}

// Nodes works on hosts, one after the other: empty, command, back, well. It ends at the first
// trouble, and says how the host is left.
func Nodes(ctx context.Context, c Cluster, named []string, o Options) error {
	status, err := c.Status(ctx, true)
	if err != nil {
		return err
	}
	names, err := queue(status, named)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return errors.New("there is no other node to work on")
	}
	r := &roller{Options: o, cluster: c, up: ups(status)}
	for i, name := range names {
		r.tell("%s, %d of %d", name, i+1, len(names))
		if err := r.work(ctx, name); err != nil {
			return fmt.Errorf("%w%s", err, remaining(names[i+1:]))
		}
	}
	r.tell("all done: %s", strings.Join(names, ", "))
	return nil
}

func remaining(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "; not worked on: " + strings.Join(names, ", ")
}

func (r *roller) tell(format string, arguments ...any) { fmt.Fprintf(r.Out, format+"\n", arguments...) }

// work works on one host. What ends it after the order was given says how to take that back.
func (r *roller) work(ctx context.Context, name string) error {
	before, err := r.mayBegin(ctx, name)
	if err != nil {
		return fmt.Errorf("%s was left alone: %w", name, err)
	}
	given, err := r.empty(ctx, name)
	if err == nil {
		err = r.runs(ctx, before)
	}
	if err == nil {
		err = r.returns(ctx, name, given)
	}
	if err != nil {
		return fmt.Errorf("%s: %w; it may be under the order %s, which `clusterd node return %s` ends", name, err, order,
			name)
	}
	r.tell("  back; waiting until the cluster is well")
	var since time.Time
	why := ""
	err = r.until(ctx, r.Settle, "followed by a cluster that is well", func(s api.Status) (bool, error) {
		if why = unwell(s, "", r.up); why != "" {
			since = time.Time{}
			return false, nil
		}
		if since.IsZero() {
			since = time.Now()
		}
		return time.Since(since) >= r.Quiet, nil // the first moves home may not have begun
	})
	if err != nil && why != "" {
		err = fmt.Errorf("%w: %s", err, why)
	}
	if err != nil {
		return fmt.Errorf("%s takes services again, but: %w", name, err)
	}
	return nil
}

// mayBegin says why a host is not worked on now, and how it is before. One that an earlier roll
// left under its order is gone on with.
func (r *roller) mayBegin(ctx context.Context, name string) (api.Node, error) {
	status, err := r.cluster.Status(ctx, true)
	if err != nil {
		return api.Node{}, err
	}
	if why := unwell(status, name, r.up); why != "" {
		return api.Node{}, errors.New(why)
	}
	n, found := find(status, name)
	switch {
	case !found:
		return n, errors.New("it is no longer a member")
	case !n.Online:
		return n, fmt.Errorf("it is %s", n.State)
	case n.Order != nil && n.Order.Order != order:
		return n, fmt.Errorf("it is under the order %s, which `clusterd node return %s` ends", n.Order.Order, name)
	}
	reserve, err := r.cluster.Reserve(ctx, 1)
	switch {
	case err != nil:
		return n, err
	case reserve.Hosts < 1 && !r.Anyway:
		return n, fmt.Errorf("no host may be lost now (`clusterd reserve` says why); --anyway goes on all the same")
	}
	return n, nil
}

// empty orders a host into maintenance and waits until it holds nothing. It returns when the order
// was given, by which it is known again. All the rest of the cluster has to be well still: a drain
// takes its time, and the host would be missed now.
func (r *roller) empty(ctx context.Context, name string) (given time.Time, err error) {
	if err := r.order(ctx, api.NodeRequest{Op: order, Node: name, Within: r.Deadline}); err != nil {
		return given, err
	}
	waits := ""
	err = r.until(ctx, r.Drain, "emptied", func(s api.Status) (bool, error) {
		o, err := ours(s, name, given)
		if err != nil {
			return false, err
		}
		given, waits = o.At, held(s, o)
		return o.Empty, nil
	})
	if err != nil {
		return given, fmt.Errorf("%w%s", err, waits)
	}
	status, err := r.cluster.Status(ctx, true)
	if err != nil {
		return given, err
	}
	if why := unwell(status, name, r.up); why != "" {
		return given, fmt.Errorf("it is empty, and nothing was run: %s", why)
	}
	return given, nil
}

// runs runs the command for a host, and waits until that is back.
func (r *roller) runs(ctx context.Context, before api.Node) error {
	list := words(r.Command, before.Name, before.Address)
	r.tell("  empty; running: %s", strings.Join(list, " "))
	running, cancel := context.WithTimeout(ctx, r.Run)
	ran := r.Runs(running, list)
	cancel()
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted while the command ran")
	case ran != nil && (!r.Reboots || errors.Is(ran, ErrNotRun)):
		return fmt.Errorf("the command failed: %w", ran)
	}
	// A host that reboots cuts the command off: whether it did is seen by its boot.
	isBack := func(s api.Status) (bool, error) { return back(s, before.Name, before.Boot, r.Reboots), nil }
	err := r.until(ctx, r.Boot, "back", isBack)
	if err != nil && ran != nil {
		err = fmt.Errorf("%w (the command ended with: %w)", err, ran)
	}
	return err
}

// returns ends our order, and nobody else's.
func (r *roller) returns(ctx context.Context, name string, given time.Time) error {
	status, err := r.cluster.Status(ctx, true)
	if err != nil {
		return err
	}
	if _, err := ours(status, name, given); err != nil {
		return err
	}
	return r.order(ctx, api.NodeRequest{Op: "return", Node: name})
}

// mostAsked is how often an order is given whose outcome is not known: under the same name it is
// done once.
const mostAsked = 3

func (r *roller) order(ctx context.Context, request api.NodeRequest) (err error) {
	request.ID, request.Reason = api.NewRequestID(), r.Reason
	for range mostAsked {
		var refused api.Failure
		if _, err = r.cluster.ChangeNodes(ctx, request); err == nil || errors.As(err, &refused) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// until asks until something is so. An answer that fails is asked for again: the node that answers
// may have another leader to find.
func (r *roller) until(ctx context.Context, wait time.Duration, what string, so func(api.Status) (bool, error)) error {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var failed error
	for {
		status, err := r.cluster.Status(waiting, false)
		if err == nil {
			var is bool
			if is, err = so(status); is || err != nil {
				return err
			}
		} else if waiting.Err() == nil {
			failed = err
		}
		select {
		case <-waiting.Done():
			switch {
			case ctx.Err() != nil:
				return fmt.Errorf("interrupted before it was %s", what)
			case failed != nil:
				return fmt.Errorf("it was not %s within %s; a question failed: %w", what, wait, failed)
			}
			return fmt.Errorf("it was not %s within %s", what, wait)
		case <-time.After(r.Every):
		}
	}
}
