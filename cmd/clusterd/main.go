// Command clusterd is the daemon of a node and the tool that founds, joins and
// looks after a cluster. Services are operated with clusvcadm and watched with
// clustat.
//
// Exit codes: 0 done, 1 failed or refused, 2 wrong use, 3 (import) translated
// with things that cannot be, 4 (run) this node was removed from its cluster.
// `clusterd check` has those of a plugin of Nagios.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/cmd/clusterd/declare"
	"github.com/clusterd/clusterd/cmd/clusterd/networks"
	"github.com/clusterd/clusterd/cmd/clusterd/support"
	"github.com/clusterd/clusterd/cmd/clusterd/tryout"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/config/strict"
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
	words, err := command.Ordered(app, os.Args)
	if err == nil {
		err = app.RunContext(ctx, words)
	}
	var answered *checkAnswer
	if err = asAnswer(os.Args, err); errors.As(err, &answered) {
		fmt.Fprintln(cli.CleanWriter(os.Stdout), answered)
		os.Exit(int(answered.health))
	}
	if err != nil {
		fmt.Fprintln(cli.CleanWriter(os.Stderr), prefixed(err))
		os.Exit(exitCode(err))
	}
}

// exitRemoved ends the daemon of a node that was removed: the unit does not start it again.
const exitRemoved = 4

func exitCode(err error) int {
	if errors.Is(err, command.ErrUsage) || errors.Is(err, cli.ErrUsage) || errors.Is(err, errUndefined) {
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
	var faults *strict.Faults
	var told *fileFaults
	if errors.As(err, &faults) && err.Error() == faults.Error() || errors.As(err, &told) {
		return command.Describe(err)
	}
	return "clusterd: " + command.Describe(err)
}

func newApp() *urfave.App {
	help.Use(help.Examples(examples))
	app := &urfave.App{
		Name:            "clusterd",
		HideHelpCommand: true,
		Usage:           "keep virtual machines running, each on one host at a time",
		Version:         daemon.Version,
		Flags: append([]urfave.Flag{
			&urfave.StringFlag{Name: "config", Usage: "the node's own settings in `FILE`", Value: nodefile.Path,
				EnvVars: []string{"CLUSTERD_CONFIG"}},
		}, cli.ConnectionFlags()...),
		Commands: append([]*urfave.Command{
			runCommand(), initCommand(), joinCommand(), tokenCommand(), configCommand(), nodeCommand(), keysCommand(),
			clusterCommand(), vmCommand(), declare.Service(changeDocument),
			declare.Domain(changeDocument), fenceCommand(), networks.Command(), alertCommand(), whatIfCommand(),
			reserveCommand(),
			doctorCommand(), checkCommand(), backupCommand(), restoreCommand(), recoverCommand(), auditCommand(),
			codesCommand(),
			replayCommand(), support.Command(), importCommand(), clientCommand(), forwardCommand(),
			webCommand(), tryout.Command(),
		}, helperCommands()...),
		ExitErrHandler: func(*urfave.Context, error) {},
		OnUsageError:   command.Misused,
		Before:         command.ExistingSettings,
		Action:         command.HelpOrUnknown,
	}
	command.Finish(app.Commands)
	return app
}
