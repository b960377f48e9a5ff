package main

import (
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

func webCommand() *urfave.Command {
	return &urfave.Command{
		Name: "web", Usage: "log in at the page, which the document declares (web), and end visits there",
		Subcommands: []*urfave.Command{
			{Name: "login", Usage: "make a link that lets one browser in, once, within 5 minutes",
				Flags: []urfave.Flag{
					&urfave.StringFlag{Name: "role", Usage: "`ROLE` of the visitor: viewer, operator or admin; at most your own",
						Value: "viewer"},
					&urfave.StringFlag{Name: "name", Usage: "`NAME` of who will log in, if that is not you (admin)"},
					&urfave.BoolFlag{Name: "json", Usage: "print the answer as JSON"},
				},
				Action: webLogin},
			{Name: "logout", Usage: "end the visits at this node's page, and the links that wait to be used (admin)",
				Flags: []urfave.Flag{
					&urfave.StringFlag{Name: "name", Usage: "`NAME` whose visits end, as the audit trail has it (default: everybody)"},
					&urfave.BoolFlag{Name: "json", Usage: "print the answer as JSON"},
				},
				Action: webLogout},
		},
	}
}

func webLogin(c *urfave.Context) error {
	if c.NArg() > 0 {
		return command.Usage("web login takes no operands; who will log in is told by --name")
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	link, err := client.PageLogin(c.Context, api.PageRequest{Role: c.String("role"), Name: c.String("name")})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(link)
	}
	fmt.Println(link.URL)
	fmt.Fprintf(os.Stderr, "Lets %s in as %s, once, until %s. The page's certificate has SHA-256\n%s\n",
		cli.Clean(link.Name), link.Role, link.Ends.Local().Format("15:04:05"), link.Fingerprint)
	return nil
}

func webLogout(c *urfave.Context) error {
	if c.NArg() > 0 {
		return command.Usage("web logout takes no operands; whose visits end is told by --name")
	}
	if c.IsSet("name") && c.String("name") == "" {
		return command.Usage("--name takes the name of a visitor; leave it out to end everybody's visits")
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	reply, err := client.PageLogout(c.Context, api.PageLogout{Name: c.String("name")})
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return command.PrintJSON(reply)
	}
	fmt.Printf("On %s, visits ended: %d, unused login links dropped: %d. Each node's page has visits of its own\n",
		cli.Clean(reply.Node), reply.Visits, reply.Links)
	return nil
}
