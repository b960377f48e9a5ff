package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/api"
)

// fenceTest is a drill: it shows that the fence devices of a node really cut
// that node's power, which nothing but trying can prove.
func fenceTest(c *urfave.Context) error {
	name, err := argument(c, "a NODE")
	if err != nil {
		return err
	}
	client, err := connect(c)
	if err != nil {
		return err
	}
	level := c.Int("level")
	fmt.Printf("The drill moves the services of %s away, cuts its power by fence level %d and boots it again.\nWere the devices another machine's, that machine would lose its power. Type the node's name to begin: ", name, level)
	typed, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if strings.TrimSpace(typed) != name {
		return fmt.Errorf("%q was typed, not %q; nothing was changed", strings.TrimSpace(typed), name)
	}
	fmt.Println()
	began := time.Now()
	step := func(what string) { fmt.Printf("%8s  %s\n", time.Since(began).Round(100*time.Millisecond), what) }
	return drill(c.Context, client, name, level-1, c.Duration("wait"), step)
}

// drill goes through the steps; the first that fails ends it, and says what is
// left as it is.
func drill(ctx context.Context, client *api.Client, name string, level int, wait time.Duration, step func(string)) error {
	if _, err := client.ChangeNodes(ctx, api.NodeRequest{ID: api.NewRequestID(), Op: "leave", Node: name}); err != nil {
		return err
	}
	if err := untilState(ctx, client, name, wait, "left"); err != nil {
		return fmt.Errorf("%s was not emptied: %w", name, err)
	}
	step(name + " holds nothing")
	if _, err := client.FenceByHand(ctx, api.FenceRequest{ID: api.NewRequestID(), Op: "drill", Node: name, Level: level}); err != nil {
		return fmt.Errorf("the drill did not begin: %w", err)
	}
	if err := untilNot(ctx, client, name, wait, "fencing"); err != nil {
		return err
	}
	node, err := nodeOf(ctx, client, name)
	if err != nil {
		return err
	}
	if node.State != "fenced" {
		return fmt.Errorf("the drill FAILED: %s is %s, not confirmed off; see `clustat --events -m %s` for what its devices said. A node that is still up takes services again after `systemctl restart clusterd` on it", name, node.State, name)
	}
	step(node.Why)
	if _, err := client.FenceByHand(ctx, api.FenceRequest{ID: api.NewRequestID(), Op: "on", Node: name}); err != nil {
		return fmt.Errorf("the off half is proven, but %s was not powered on: %w", name, err)
	}
	step("power asked for again")
	if err := untilState(ctx, client, name, wait, "online"); err != nil {
		return fmt.Errorf("the off half is proven, but %s did not come back: %w", name, err)
	}
	step(name + " is back with a new boot. The drill succeeded.")
	return nil
}

func nodeOf(ctx context.Context, client *api.Client, name string) (api.Node, error) {
	status, err := client.Status(ctx, false)
	if err != nil {
		return api.Node{}, err
	}
	for _, n := range status.Nodes {
		if n.Name == name {
			return n, nil
		}
	}
	return api.Node{}, fmt.Errorf("there is no node %s", name)
}

func untilState(ctx context.Context, client *api.Client, name string, wait time.Duration, wanted string) error {
	return until(ctx, client, name, wait, func(state string) bool { return state == wanted })
}

func untilNot(ctx context.Context, client *api.Client, name string, wait time.Duration, unwanted string) error {
	return until(ctx, client, name, wait, func(state string) bool { return state != unwanted })
}

// until asks again and again, and forgives a daemon that is away for a moment.
func until(ctx context.Context, client *api.Client, name string, wait time.Duration, done func(state string) bool) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	last := "not known"
	for {
		if node, err := nodeOf(ctx, client, name); err == nil {
			if last = node.State; done(last) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is %s after %s", name, last, wait)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
