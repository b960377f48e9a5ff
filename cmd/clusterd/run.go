package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/internal/assemble"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/tunnel"
	urfave "github.com/urfave/cli/v2"
)

func runCommand() *urfave.Command {
	return &urfave.Command{
		Name: "run", Usage: "run the daemon in the foreground",
		Description: "SIGTERM stops the daemon and leaves every VM running. Before a host goes down, `clusterd node " +
			"leave` hands its services over.",
		Action: run,
	}
}

func run(c *urfave.Context) error {
	// From here on a signal is an end on purpose, whatever the daemon waits for.
	stopping := make(chan os.Signal, 1)
	signal.Notify(stopping, syscall.SIGTERM, os.Interrupt)
	node, err := command.NodeSettings(c)
	if err != nil {
		return err
	}
	if removal, err := membership.Folder(node.DataDir).Removal(); node.Simulate == nil && (removal != nil || err != nil) {
		if err != nil {
			return err
		}
		return *removal
	}
	assemble.SpareTheMachine()
	logger, pause := newLogger(node), time.Duration(0)
	if node.Simulate == nil {
		pause = assemble.PauseBefore(node.RunDir, time.Now(), logger)
	}
	whole, ends, err := assemble.Begin(node.RunDir, pause, stopping, func() (assembled, error) {
		return assembleDaemon(c, node, logger)
	})
	if ends {
		logger.Info("stopping before clusterd was up; VMs run on", "node", node.Name)
		return nil
	}
	if err != nil {
		return err
	}
	defer whole.done()
	d := whole.daemon
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-stopping
		assemble.EndsOnPurpose(node.RunDir)
		logger.Info("stopping; VMs run on", "node", node.Name)
		d.Goodbye(ctx)
		d.HandOver(ctx)
		cancel()
	}()
	err = d.Run(ctx)
	if errors.Is(err, daemon.ErrAgain) {
		assemble.EndsOnPurpose(node.RunDir)
		logger.Info("clusterd starts again in its own place; VMs run on", "node", node.Name)
		return again()
	}
	return err
}

// assembled is a daemon with its hands, and what ends those.
type assembled struct {
	daemon *daemon.Daemon
	done   func()
}

func assembleDaemon(c *urfave.Context, node nodefile.Node, logger *slog.Logger) (assembled, error) {
	var d *daemon.Daemon
	newest := func() *cluster.State { return d.State() }
	host, done, err := assemble.Host(node, assemble.Self{Config: c.String("config")}, logger, newest)
	if err != nil {
		return assembled{}, err
	}
	d, err = daemon.New(daemon.Options{Node: node, Folder: membership.Folder(node.DataDir), Logger: logger, Host: host})
	if err != nil {
		done()
		return assembled{}, err
	}
	return assembled{daemon: d, done: done}, nil
}

// again puts this program in its own place, with nothing of the old run left but
// the number of its process: whoever supervises it sees no end.
func again() error {
	if err := syscall.Exec("/proc/self/exe", os.Args, os.Environ()); err != nil {
		return fmt.Errorf("clusterd could not start itself again, start it by hand: %w", err)
	}
	return nil
}

func newLogger(node nodefile.Node) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(node.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

func forwardCommand() *urfave.Command {
	return &urfave.Command{
		Name: "forward", Hidden: true, Usage: "forward live migrations; started by the daemon, outlives it",
		Flags: []urfave.Flag{&urfave.StringFlag{Name: "listen", Usage: "`ADDRESS` that the daemon has for it"}},
		Action: func(c *urfave.Context) error {
			node, err := command.NodeSettings(c)
			if err != nil {
				return err
			}
			config := assemble.TunnelConfig(node, newLogger(node))
			config.Listen = cmp.Or(c.String("listen"), config.Listen)
			return tunnel.RunForwarder(c.Context, config)
		},
	}
}
