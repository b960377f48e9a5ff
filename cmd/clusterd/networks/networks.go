// Package networks has the commands that show the networks of guests.
package networks

import (
	"fmt"
	"slices"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/nearest"
)

// Command is `clusterd network`.
func Command() *urfave.Command {
	asJSON := &urfave.BoolFlag{Name: "json", Usage: "print the answer as JSON"}
	return &urfave.Command{
		Name: "network", Usage: "look at the networks of guests, which the document declares (networks)",
		Subcommands: []*urfave.Command{
			{Name: "list", Usage: "every network, and the nodes that are to have it", Action: list,
				Flags: []urfave.Flag{asJSON}},
			{Name: "show", Usage: "one network, and what is attached to it", ArgsUsage: "NETWORK", Action: show,
				Flags: []urfave.Flag{asJSON}},
		},
	}
}

func status(c *urfave.Context) (api.Status, error) {
	client, err := command.Connect(c)
	if err != nil {
		return api.Status{}, err
	}
	command.WarnIfNoQuorum(c, client)
	return client.Status(c.Context, false)
}

func list(c *urfave.Context) error {
	if c.NArg() > 0 {
		return command.Usage("network list takes no operands; one network is shown by: clusterd network show NETWORK")
	}
	found, err := status(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(found.Networks)
	}
	fmt.Print(cli.Networks(found))
	return nil
}

func show(c *urfave.Context) error {
	if c.NArg() != 1 {
		return command.Usage("network show takes the name of one network; all are listed by: clusterd network list")
	}
	found, err := status(c)
	if err != nil {
		return err
	}
	name := c.Args().First()
	at := slices.IndexFunc(found.Networks, func(n api.Network) bool { return n.Name == name })
	if at < 0 {
		var names []string
		for _, n := range found.Networks {
			names = append(names, n.Name)
		}
		return fmt.Errorf("the document declares no network %q.%s All are listed by: clusterd network list",
			cli.Clean(name), nearest.Hint(name, names))
	}
	if c.Bool("json") {
		return command.PrintJSON(found.Networks[at])
	}
	fmt.Print(cli.Network(found, found.Networks[at]))
	return nil
}
