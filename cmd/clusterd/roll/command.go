package roll

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
)

// Command is `clusterd node roll`.
func Command() *urfave.Command {
	duration := func(name, usage string, value time.Duration) urfave.Flag {
		return &urfave.DurationFlag{Name: name, Usage: usage, Value: value}
	}
	return &urfave.Command{Name: "roll", Usage: "work on hosts one after the other: empty, run a command, wait, return",
		ArgsUsage: "[NODE...]",
		Description: "Without NODE all that run services and do not answer this command, the leader last. A host is worked " +
			"on while all others are online, nothing is under way, and any host may be lost. It is emptied under the order " +
			"maintenance, so it is not fenced while it is down; --run is started here, without a shell, with {node} and " +
			"{address} in their places; the host has to come back with another boot, and takes services again. The first " +
			"trouble ends it, and the host is left as it is. Begun again, it goes on with a host that is still under its order.",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "run", Usage: "the `COMMAND` for each host", Required: true},
			&urfave.BoolFlag{Name: "no-reboot", DisableDefaultText: true, Usage: "the command does not reboot the host"},
			&urfave.BoolFlag{Name: "anyway", DisableDefaultText: true, Usage: "also while no host may be lost"},
			&urfave.StringFlag{Name: "reason", Usage: "`TEXT` for the timeline"},
			duration("drain", "how long a host may take to be emptied", 30*time.Minute),
			&urfave.DurationFlag{Name: "deadline",
				Usage: "after `TIME`, stop what could not move live off a host, and start it elsewhere"},
			duration("run-for", "how long the command may run", 30*time.Minute),
			duration("boot", "how long the host may take to be back", 15*time.Minute),
			duration("settle", "how long the cluster may take to be well again", 15*time.Minute),
			command.YesFlag(),
		},
		Action: act}
}

func act(c *urfave.Context) error {
	if strings.TrimSpace(c.String("run")) == "" {
		return command.Usage("--run is empty; write what is to be run for each host")
	}
	if why := unfit(c.String("run")); why != "" {
		return command.Usage("--run: %s", why)
	}
	if program := strings.Fields(c.String("run"))[0]; !strings.Contains(program, "{") {
		if _, err := exec.LookPath(program); err != nil {
			return command.Usage("--run: %v", err)
		}
	}
	client, err := command.Connect(c)
	if err != nil {
		return err
	}
	status, err := client.Status(c.Context, true)
	if err != nil {
		return err
	}
	names, err := queue(status, c.Args().Slice())
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return fmt.Errorf("there is no other node to work on")
	}
	question := fmt.Sprintf("One after the other: %s. Each is emptied, then this runs for it: %s. Begin?",
		strings.Join(names, ", "), c.String("run"))
	if err := command.Agreed(c, question); err != nil {
		return err
	}
	return Nodes(c.Context, client, names, Options{Command: c.String("run"), Reboots: !c.Bool("no-reboot"),
		Anyway: c.Bool("anyway"), Reason: c.String("reason"), Drain: c.Duration("drain"), Run: c.Duration("run-for"),
		Boot: c.Duration("boot"), Settle: c.Duration("settle"), Deadline: c.Duration("deadline"), Every: time.Second,
		Quiet: 5 * time.Second, Out: os.Stdout, Runs: run})
}

// neverStarted are the exit statuses by which a shell at the other end says that there is no such
// command, and env and ssh that they could not start it.
var neverStarted = []int{126, 127}

// run runs a command of the person who rolls, with his terminal.
func run(ctx context.Context, words []string) error {
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && (!errors.As(err, &ended) || slices.Contains(neverStarted, ended.ExitCode())) {
		return fmt.Errorf("%w: %w", ErrNotRun, err)
	}
	return err
}
