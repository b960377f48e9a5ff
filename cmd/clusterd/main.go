// Command clusterd is the daemon of a node and the tool that founds, joins and
// looks after a cluster. Services are operated with clusvcadm and watched with
// clustat.
//
// Exit codes: 0 done, 1 failed or refused, 2 wrong use, 3 (import) translated
// with things that cannot be, 4 (run) this node was removed from its cluster.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/help"
	"github.com/clusterd/clusterd/internal/membership"
)

//go:embed examples.txt
var examples string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	app := newApp()
	words, err := ordered(app, os.Args)
	if err == nil {
		err = app.RunContext(ctx, words)
	}
	if err != nil {
		fmt.Fprintln(cli.CleanWriter(os.Stderr), prefixed(err))
		os.Exit(exitCode(err))
	}
}

// exitRemoved ends the daemon of a node that was removed: the unit does not start it again.
const exitRemoved = 4

func exitCode(err error) int {
	if errors.Is(err, errUsage) || errors.Is(err, cli.ErrUsage) || errors.Is(err, errUndefined) {
		return 2
	}
	if errors.Is(err, errPartly) {
		return 3
	}
	if errors.Is(err, membership.ErrRemoved) {
		return exitRemoved
	}
	return 1
}

// prefixed says who speaks, except in front of a fault of a file: editors jump to lines
// that begin with its name.
func prefixed(err error) string {
	var faults *config.Faults
	var told *fileFaults
	if errors.As(err, &faults) && err.Error() == faults.Error() || errors.As(err, &told) {
		return describe(err)
	}
	return "clusterd: " + describe(err)
}

// describe adds what to do next, where the error knows it.
func describe(err error) string {
	text := err.Error()
	var failure api.Failure
	if errors.As(err, &failure) {
		for _, line := range failure.Details {
			text += "\n  " + line
		}
	}
	if advice := api.Advice(err); advice != "" {
		text += "\n" + advice
	}
	return text
}

func newApp() *urfave.App {
	help.Use(help.Examples(examples))
	app := &urfave.App{
		Name:            "clusterd",
		HideHelpCommand: true,
		Usage:           "keep virtual machines running, each on one host at a time",
		Version:         daemon.Version,
		Flags: append([]urfave.Flag{
			&urfave.StringFlag{Name: "config", Usage: "the node's own settings in `FILE`", Value: config.NodePath,
				EnvVars: []string{"CLUSTERD_CONFIG"}},
		}, cli.ConnectionFlags()...),
		Commands: append([]*urfave.Command{
			runCommand(), initCommand(), joinCommand(), tokenCommand(), configCommand(), nodeCommand(), keysCommand(),
			clusterCommand(), vmCommand(), fenceCommand(), alertCommand(),
			doctorCommand(), backupCommand(), restoreCommand(), recoverCommand(), auditCommand(), codesCommand(),
			replayCommand(), supportCommand(), importCommand(), clientCommand(), forwardCommand(),
			testCommand(),
		}, helperCommands()...),
		ExitErrHandler: func(*urfave.Context, error) {},
		OnUsageError:   misused,
		Before:         existingSettings,
		Action:         helpOrUnknown,
	}
	finish(app.Commands)
	return app
}

// nodeSettings loads the node's own file.
func nodeSettings(c *urfave.Context) (config.Node, error) {
	return config.LoadNode(c.String("config"))
}

// connect makes a client to the daemon that the flags, the environment or the
// node's own file choose.
func connect(c *urfave.Context) (*api.Client, error) {
	options := api.Options{Socket: c.String("socket"), Host: c.String("host"), Identity: c.String("identity")}
	if options.Socket == "" && options.Host == "" && os.Getenv(api.SocketVariable) == "" &&
		os.Getenv(api.HostVariable) == "" {
		if node, err := nodeSettings(c); err == nil {
			options.Socket, options.Folder = node.SocketPath(), node.DataDir
		}
	}
	return api.NewClient(options)
}

func printJSON(value any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
