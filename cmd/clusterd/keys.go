package main

import (
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

func keysCommand() *urfave.Command {
	reason := &urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"}
	rotate := &urfave.Command{Name: "rotate", Usage: "replace keys by new ones", Action: command.HelpOrUnknown,
		Subcommands: []*urfave.Command{authorityCommand(reason), nodeKeyCommand(reason), {
			Name: "gossip", Usage: "replace the data key and the gossip key",
			Flags:  []urfave.Flag{reason},
			Action: func(c *urfave.Context) error { return changeKeys(c, api.KeysRequest{Op: api.RotateGossip}) },
		}}}
	status := &urfave.Command{Name: "status",
		Usage:  "show the progress of key rotations",
		Action: func(c *urfave.Context) error { return changeKeys(c, api.KeysRequest{Op: api.AuthorityStatus}) }}
	return &urfave.Command{Name: "keys", Usage: "change the cluster's keys",
		Subcommands: []*urfave.Command{rotate, status}}
}

func authorityCommand(reason urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name: "authority", Usage: "replace the certificate authority by a new one",
		Description: "Nothing is interrupted. First every member says that it believes both, then each gets a certificate " +
			"of the new one by itself, then the old one is dropped: with all members up, within seconds. A member that is " +
			"away is waited for. Certificates of remote tools and join tokens of the old authority end then: make new ones.",
		Flags: []urfave.Flag{reason,
			&urfave.BoolFlag{Name: "abort", Usage: "cancel the rotation, as long as the new authority has signed nothing"}},
		Action: func(c *urfave.Context) error {
			if c.Bool("abort") {
				return changeKeys(c, api.KeysRequest{Op: api.AbortAuthority})
			}
			return changeKeys(c, api.KeysRequest{Op: api.RotateAuthority})
		},
	}
}

func nodeKeyCommand(reason urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name: "node", Usage: "give a member a new identity key and certificate", ArgsUsage: "NODE",
		Description: "Nothing is interrupted, and the node stays a member with all that runs there. It makes the new key " +
			"itself; the key before is barred for good with the entry that records the new one, and a new data key comes " +
			"into force. The node has to be up: for one that is not, or whose machine is in others' hands, there is " +
			"`clusterd node replace`. The node uses " +
			"its new key only after a live migration from or to it, and when every other member says that it knows the key.",
		Flags: []urfave.Flag{reason,
			&urfave.BoolFlag{Name: "anyway", Usage: "also while other members are away: one that comes back can go on " +
				"with this node only once it has heard a third one"},
			&urfave.BoolFlag{Name: "abort", Usage: "cancel the rotation, as long as the node has announced no new key"}},
		Action: func(c *urfave.Context) error {
			name, err := command.Argument(c, "the NODE that is to have a new key")
			if err != nil {
				return err
			}
			if c.Bool("abort") && c.Bool("anyway") {
				return command.Usage("keys rotate node: --abort takes the order back, and --anyway gives it; say one of them")
			}
			if c.Bool("abort") {
				return changeKeys(c, api.KeysRequest{Op: api.AbortNode, Node: name})
			}
			return changeKeys(c, api.KeysRequest{Op: api.RotateNode, Node: name, Anyway: c.Bool("anyway")})
		},
	}
}

func changeKeys(c *urfave.Context, request api.KeysRequest) error {
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	if request.Op == api.AuthorityStatus {
		command.WarnIfNoQuorum(c, client)
	}
	request.ID, request.Reason = api.NewRequestID(), c.String("reason")
	reply, err := client.ChangeKeys(c.Context, request)
	if err != nil {
		return err
	}
	fmt.Println(cli.LocalText(reply.Text))
	return nil
}
