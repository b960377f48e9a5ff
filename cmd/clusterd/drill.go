package main

import (
	"context"
	"fmt"
	"os"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

// fenceTest is a drill: it shows that the fence devices of a node really cut
// that node's power, which nothing but trying can prove. The cluster carries it
// out; this tool only tells of it, and may be stopped.
func fenceTest(c *urfave.Context) error {
	name, err := command.Argument(c, "a NODE")
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	if err := definedFor(c.Context, client, name); err != nil {
		return err
	}
	level := c.Int("level")
	if !c.Bool("yes") {
		fmt.Fprintf(os.Stderr, "The drill moves the services of %s away, cuts its power by fence level %d and boots it "+
			"again.\nWere the devices another machine's, that machine would lose its power. Type the node's name to begin: ",
			name, level)
		if err := typed(name); err != nil {
			return err
		}
	}
	before, err := lastDrill(c.Context, client, name)
	if err != nil {
		return err
	}
	if _, err := client.FenceByHand(c.Context, api.FenceRequest{ID: api.NewRequestID(), Op: api.FenceTest, Node: name,
		Level: level - 1}); err != nil {
		return fmt.Errorf("the drill did not begin: %w", err)
	}
	tell := func(what string) { fmt.Println(what) }
	if c.Bool("json") {
		tell = func(string) {}
	}
	ended, err := followDrill(c.Context, client, name, before, c.Duration("wait"), tell)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		if err := command.PrintJSON(ended); err != nil {
			return err
		}
	}
	if !ended.OK {
		return fmt.Errorf("the drill FAILED: %s", ended.Why)
	}
	tell("The drill succeeded: " + ended.Why.String())
	return nil
}

// lastDrill is the index of the last drill of a node that is over.
func lastDrill(ctx context.Context, client *api.Client, name string) (uint64, error) {
	status, err := client.Fence(ctx)
	if err != nil {
		return 0, err
	}
	if node, err := fenceNodeIn(status, name); err == nil && node.LastDrill != nil {
		return node.LastDrill.Index, nil
	}
	return 0, nil
}

// followDrill tells each step once, until the drill is over. It forgives a
// daemon that is away for a moment: it may be the one that is drilled.
func followDrill(ctx context.Context, client *api.Client, name string, before uint64, wait time.Duration,
	tell func(string)) (cluster.Drill, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	told := 0
	steps := func(d cluster.Drill) {
		for ; told < len(d.Steps); told++ {
			tell(fmt.Sprintf("%10s  %s", "+"+cli.Span(d.Steps[told].At.Sub(d.At)), d.Steps[told].What))
		}
	}
	for {
		if status, err := client.Fence(ctx); err == nil {
			if status.Drill != nil && status.Drill.Node == name {
				steps(*status.Drill)
			} else if node, err := fenceNodeIn(status, name); err == nil && node.LastDrill != nil &&
				node.LastDrill.Index > before {
				steps(*node.LastDrill)
				return *node.LastDrill, nil
			}
		}
		select {
		case <-ctx.Done():
			return cluster.Drill{}, fmt.Errorf(
				"the drill of %s is not over after %s; it goes on: see `clusterd fence status %s`", name, wait, name)
		case <-time.After(askEvery):
		}
	}
}
