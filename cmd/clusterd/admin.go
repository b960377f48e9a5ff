package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/cmd/clusterd/roll"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

func tokenCommand() *urfave.Command {
	return &urfave.Command{
		Name: "token", Usage: "create a join token, valid for one machine and a short time",
		Flags: []urfave.Flag{&urfave.DurationFlag{Name: "for", Usage: "how long it is valid", Value: 15 * time.Minute}},
		Action: func(c *urfave.Context) error {
			if c.Duration("for") <= 0 {
				return command.Usage("--for takes a time above zero, such as 15m, not %s", c.Duration("for"))
			}
			return makeToken(c, api.TokenRequest{Validity: c.Duration("for")})
		},
	}
}

func makeToken(c *urfave.Context, request api.TokenRequest) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	reply, err := client.Token(c.Context, request)
	if err != nil {
		return err
	}
	fmt.Println(reply.Text)
	fmt.Fprintf(os.Stderr, "Valid for one machine until %s. On it: clusterd join\n",
		reply.Expires.Local().Format("15:04:05"))
	return nil
}

func nodeCommand() *urfave.Command {
	reason := &urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"}
	return &urfave.Command{
		Name: "node", Usage: "show and change the members",
		Subcommands: append([]*urfave.Command{
			{Name: "list", Usage: "list the nodes, which of them vote, and the leader", Action: listNodes},
			{Name: "remove", Usage: "take a node out for good; its key is not accepted again", ArgsUsage: "NODE",
				Flags: []urfave.Flag{reason, command.YesFlag()}, Action: removeNode},
			{Name: "replace", Usage: "make a token for the machine that takes a node's place", ArgsUsage: "NODE",
				Action: func(c *urfave.Context) error {
					name, err := command.Argument(c, "the NODE to replace")
					if err != nil {
						return err
					}
					return makeToken(c, api.TokenRequest{Replace: name})
				}},
			{Name: "address", Usage: "set the new address of a node that the cluster can no longer reach",
				ArgsUsage: "NODE ADDRESS", Action: changeAddress},
			{Name: "leave", Usage: "hand this (or another) node's services over, before its host goes down", ArgsUsage: "[NODE]",
				Flags: []urfave.Flag{&urfave.DurationFlag{Name: "wait", Usage: "how long to wait until no service is left on it",
					Value: 5 * time.Minute}},
				Action: func(c *urfave.Context) error { return changeNode(c, "leave", c.Duration("wait")) }},
		}, append(orderCommands(reason), roll.Command())...),
	}
}

// removeNode asks first: the machine's key is refused for good, and to come back it
// joins as a new one.
func removeNode(c *urfave.Context) error {
	name, err := command.Argument(c, "a NODE")
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	status, err := client.Status(c.Context, false)
	if err != nil {
		return err
	}
	if _, known := cli.FindNode(status, name); !known {
		return fmt.Errorf("there is no node %s.%s", name, cli.NodeHint(status, name))
	}
	question := fmt.Sprintf("Node %s is taken out for good; to come back, its machine joins again. Remove it?", name)
	if err := command.Agreed(c, question); err != nil {
		return err
	}
	return changeNode(c, "remove", 0)
}

// changeAddress is for a node that cannot tell its new address itself.
func changeAddress(c *urfave.Context) error {
	if c.NArg() != 2 {
		return command.Usage("node address needs the NODE and its new ADDRESS")
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	name, address := c.Args().Get(0), c.Args().Get(1)
	if _, err := client.ChangeNodes(c.Context, api.NodeRequest{ID: api.NewRequestID(), Op: "address", Node: name,
		Address: address}); err != nil {
		return err
	}
	fmt.Printf("Node %s is looked for at %s from now on.\n", name, address)
	return nil
}

func changeNode(c *urfave.Context, op string, wait time.Duration) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	name := c.Args().First()
	if c.NArg() > 1 {
		return command.Usage("node %s takes one NODE, not %d", op, c.NArg())
	}
	if name == "" && op == "leave" {
		status, err := client.Status(c.Context, false)
		if err != nil {
			return err
		}
		name = status.Local
	}
	if name == "" {
		return command.Usage("node %s needs a NODE", op)
	}
	reply, err := client.ChangeNodes(c.Context, api.NodeRequest{ID: api.NewRequestID(), Op: op, Node: name,
		Reason: c.String("reason")})
	if err != nil {
		return err
	}
	if wait > 0 {
		return waitLeft(c.Context, client, name, wait)
	}
	if op == "leave" {
		fmt.Printf("Node %s is leaving; `clustat` shows what it still holds, and when it has left.\n", name)
		return nil
	}
	fmt.Printf("Node %s: %s done.\n", name, op)
	if !reply.Why.IsZero() {
		fmt.Println(reply.Why)
	}
	return nil
}

// waitLeft waits until a node holds nothing.
func waitLeft(ctx context.Context, client *api.Client, name string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var failed error
	for {
		status, err := client.Status(ctx, false)
		failed = unlessOver(ctx, err, failed)
		if err == nil {
			for _, n := range status.Nodes {
				if n.Name == name && n.State == "left" {
					fmt.Printf("Node %s has left, it holds nothing.\n", name)
					return nil
				}
			}
		}
		select {
		case <-ctx.Done():
			if failed != nil {
				return unasked(name, wait, failed)
			}
			return fmt.Errorf("node %s still holds services after %s; see `clustat` for what it waits for", name, wait)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// unlessOver is how the last question went that was not cut off by the end of the wait.
func unlessOver(ctx context.Context, err, before error) error {
	if err != nil && ctx.Err() != nil {
		return before
	}
	return err
}

// unasked says at the end of a wait that nobody could tell how far it is.
func unasked(name string, wait time.Duration, failed error) error {
	return fmt.Errorf("after %s it is not known whether node %s still holds services: %w. Look with `clustat` there or "+
		"on another node", wait, name, failed)
}

func listNodes(c *urfave.Context) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	status, err := client.Status(c.Context, false)
	if err != nil {
		return err
	}
	command.WarnWithoutQuorum(c, status)
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tSTATE\tROLE\tADDRESS\tVERSION\tFENCING")
	for _, n := range status.Nodes {
		role := "member"
		switch {
		case n.Leader:
			role = "leader"
		case n.Voter:
			role = "voter"
		}
		if n.Witness {
			role += ", witness"
		}
		fencing := "protected"
		if n.Unprotected != "" {
			fencing = "unprotected"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", n.Name, standing(n), role, n.Address, n.Version, fencing)
	}
	return table.Flush()
}

// standing is a node's state with the order about it.
func standing(n api.Node) string {
	if n.Order == nil {
		return n.State
	}
	if n.Order.Empty || len(n.Order.Holds) == 0 {
		return n.State + ", " + n.Order.Order
	}
	return fmt.Sprintf("%s, %s (%d left)", n.State, n.Order.Order, len(n.Order.Holds))
}
