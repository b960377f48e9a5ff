package main

import (
	"fmt"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/api"
)

func keysCommand() *urfave.Command {
	reason := &urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"}
	rotate := &urfave.Command{Name: "rotate", Usage: "put new keys in the place of old ones", Action: helpOrUnknown,
		Subcommands: []*urfave.Command{{
			Name: "gossip", Usage: "bring a new data key and a new key of gossip into force",
			Flags:  []urfave.Flag{reason},
			Action: func(c *urfave.Context) error { return changeKeys(c, api.KeysRequest{Op: api.RotateGossip}) },
		}}}
	return &urfave.Command{Name: "keys", Usage: "change the cluster's keys", Subcommands: []*urfave.Command{rotate}}
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
