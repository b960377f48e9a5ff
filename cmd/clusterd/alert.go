package main

import (
	"fmt"
	"os"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/cli"
)

func alertCommand() *urfave.Command {
	return &urfave.Command{
		Name: "alert", Usage: "show and test alert targets",
		Subcommands: []*urfave.Command{
			{Name: "list", Usage: "list the alert targets, with the outcome of their last deliveries", Action: listAlerts,
				Flags: []urfave.Flag{&urfave.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print JSON"}}},
			{Name: "test", Usage: "send one test alert, from the node that tells this alert", ArgsUsage: "NAME",
				Action: testAlert},
		},
	}
}

func listAlerts(c *urfave.Context) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	command.WarnIfNoQuorum(c, client)
	list, err := client.Alerts(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(list)
	}
	for i := range list.Alerts {
		if !list.Alerts[i].Since.IsZero() {
			list.Alerts[i].Since = list.Alerts[i].Since.Local()
		}
	}
	fmt.Print(cli.Alerts(list, cli.ScreenOf(os.Stdout).Width))
	return nil
}

func testAlert(c *urfave.Context) error {
	name, err := command.Argument(c, "the NAME of an alert")
	if err != nil {
		return err
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	tested, err := client.TestAlert(c.Context, name)
	if err != nil {
		return err
	}
	fmt.Printf("Alert %s works: told from %s within %s.\n", tested.Name, tested.Teller,
		tested.Took.Round(time.Millisecond))
	return nil
}
