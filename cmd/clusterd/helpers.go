package main

import (
	"log/slog"
	"os"

	"github.com/clusterd/clusterd/fence/scsi"
	"github.com/clusterd/clusterd/fence/watchdog"
	"github.com/clusterd/clusterd/internal/assemble"

	urfave "github.com/urfave/cli/v2"
)

func helperCommands() []*urfave.Command {
	return []*urfave.Command{
		{Name: assemble.StorageHelper, Hidden: true, Usage: "one reservation command; started by the daemon",
			Action: func(*urfave.Context) error {
				return scsi.RunHelper(os.Stdin, os.Stdout)
			}},
		{Name: assemble.PillHelper, Hidden: true, Usage: "one message on a disk; started by the daemon",
			Action: func(*urfave.Context) error {
				return watchdog.RunHelper(os.Stdin, os.Stdout)
			}},
		{Name: assemble.KeeperCommand, Hidden: true, Usage: "hold the watchdog; started by the daemon, outlives it",
			Action: func(c *urfave.Context) error {
				return watchdog.RunKeeper(c.Args().First(), slog.New(slog.NewTextHandler(os.Stderr, nil)))
			}},
	}
}
