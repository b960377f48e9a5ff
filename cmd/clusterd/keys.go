package main

import (
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/api"
)

func keysCommand() *urfave.Command {
	reason := &urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"}
	rotate := &urfave.Command{Name: "rotate", Usage: "put new keys in the place of old ones", Action: helpOrUnknown,
		Subcommands: []*urfave.Command{authorityCommand(reason), {
			Name: "gossip", Usage: "bring a new data key and a new key of gossip into force",
			Flags:  []urfave.Flag{reason},
			Action: func(c *urfave.Context) error { return changeKeys(c, api.KeysRequest{Op: api.RotateGossip}) },
		}}}
	status := &urfave.Command{Name: "status", Usage: "tell how far a rotation of the authority is",
		Action: func(c *urfave.Context) error { return changeKeys(c, api.KeysRequest{Op: api.AuthorityStatus}) }}
	return &urfave.Command{Name: "keys", Usage: "change the cluster's keys",
		Subcommands: []*urfave.Command{rotate, status}}
}

func authorityCommand(reason urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name: "authority", Usage: "put a new certificate authority in the place of the present one",
		Description: "Nothing is interrupted. First every member says that it believes both, then each gets a certificate " +
			"of the new one by itself, then the old one is dropped: with all members up, within seconds. A member that is " +
			"away is waited for. Certificates of remote tools and join tokens of the old authority end then: make them anew.",
		Flags: []urfave.Flag{reason,
			&urfave.BoolFlag{Name: "abort", Usage: "give a rotation up, as long as the new authority has signed nothing"}},
		Action: func(c *urfave.Context) error {
			if c.Bool("abort") {
				return changeKeys(c, api.KeysRequest{Op: api.AbortAuthority})
			}
			return changeKeys(c, api.KeysRequest{Op: api.RotateAuthority})
		},
	}
}

func changeKeys(c *urfave.Context, request api.KeysRequest) error {
	client, err := connect(c)
	if err != nil {
		return err
	}
	request.ID, request.Reason = api.NewRequestID(), c.String("reason")
	reply, err := client.ChangeKeys(c.Context, request)
	if err != nil {
		return err
	}
	fmt.Println(reply.Text)
	return nil
}
