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
	// host to be back, and the cluster to be well again.
	Drain, Run, Boot, Settle time.Duration
	// Every is how often the cluster is asked.
	Every time.Duration
	Out   io.Writer
	// Runs runs a command, and returns what it said last.
	Runs func(ctx context.Context, words []string) error
}

// roller works on hosts.
type roller struct {
	Options
	cluster Cluster
}

// Nodes works on hosts, one after the other: empty, command, back, well. It ends at the first
// trouble, and says how the host is left.
func Nodes(ctx context.Context, c Cluster, named []string, o Options) error {
	r := &roller{Options: o, cluster: c}
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

func (r *roller) work(ctx context.Context, name string) error {
	before, err := r.mayBegin(ctx, name)
	if err != nil {
		return fmt.Errorf("%s was left alone: %w", name, err)
	}
	if err := r.order(ctx, order, name); err != nil {
		return fmt.Errorf("%s was left alone: %w", name, err)
	}
	left := fmt.Sprintf("; %s is under the order %s, which `clusterd node return %s` ends", name, order, name)
	if err := r.until(ctx, r.Drain, "emptied", func(s api.Status) (bool, error) { return empty(s, name) }); err != nil {
		return fmt.Errorf("%s: %w%s", name, err, left)
	}
	list := words(r.Command, name, before.Address)
	r.tell("  empty; running: %s", strings.Join(list, " "))
	running, cancel := context.WithTimeout(ctx, r.Run)
	ran := r.Runs(running, list)
	cancel()
	if ran != nil && !r.Reboots {
		return fmt.Errorf("%s: the command failed: %w%s", name, ran, left)
	}
	// A host that reboots cuts the command off: whether it did is seen by its boot.
	isBack := func(s api.Status) (bool, error) { return back(s, name, before.Boot, r.Reboots), nil }
	if err := r.until(ctx, r.Boot, "back", isBack); err != nil {
		if ran != nil {
			err = fmt.Errorf("%w (the command ended with: %w)", err, ran)
		}
		return fmt.Errorf("%s: %w%s", name, err, left)
	}
	if err := r.order(ctx, "return", name); err != nil {
		return fmt.Errorf("%s: %w%s", name, err, left)
	}
	r.tell("  back; waiting until the cluster is well")
	why := ""
	err = r.until(ctx, r.Settle, "followed by a cluster that is well", func(s api.Status) (bool, error) {
		why = unwell(s, "")
		return why == "", nil
	})
	if err != nil && why != "" {
		err = fmt.Errorf("%w: %s", err, why)
	}
	if err != nil {
		return fmt.Errorf("%s takes services again, but: %w", name, err)
	}
	return nil
}

// mayBegin says why a host is not worked on now, and how it is before.
func (r *roller) mayBegin(ctx context.Context, name string) (api.Node, error) {
	status, err := r.cluster.Status(ctx, true)
	if err != nil {
		return api.Node{}, err
	}
	if why := unwell(status, ""); why != "" {
		return api.Node{}, errors.New(why)
	}
	n, found := find(status, name)
	if !found {
		return n, errors.New("it is no longer a member")
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

func (r *roller) order(ctx context.Context, op, name string) error {
	_, err := r.cluster.ChangeNodes(ctx, api.NodeRequest{ID: api.NewRequestID(), Op: op, Node: name, Reason: r.Reason})
	return err
}

// until asks until something is so. An answer that fails is asked for again: the node that answers
// may have another leader to find.
func (r *roller) until(ctx context.Context, wait time.Duration, what string, so func(api.Status) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var failed error
	for {
		status, err := r.cluster.Status(ctx, false)
		if err == nil {
			var is bool
			if is, err = so(status); is || err != nil {
				return err
			}
		} else if ctx.Err() == nil {
			failed = err
		}
		select {
		case <-ctx.Done():
			err = fmt.Errorf("it was not %s within %s", what, wait)
			if failed != nil {
				err = fmt.Errorf("%w; the last question failed: %w", err, failed)
			}
			return err
		case <-time.After(r.Every):
		}
	}
}
