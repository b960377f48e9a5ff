package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/nearest"
)

// errUsage marks errors of wrong use.
var errUsage = errors.New("usage")

func usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// misused makes every error about options one of wrong use. Subcommands do not
// inherit the handler of their parent, so each has it.
func misused(c *urfave.Context, err error, _ bool) error {
	return cli.Misused(err, append(slices.Clone(c.App.Flags), c.Command.Flags...))
}

// finish gives each command what it has in common with all others: the handler of
// wrong options, and the refusal of operands that it does not take.
func finish(commands []*urfave.Command) {
	for _, command := range commands {
		command.OnUsageError, command.HideHelpCommand = misused, true
		if len(command.Subcommands) > 0 {
			command.Action = helpOrUnknown
			finish(command.Subcommands)
			continue
		}
		if command.ArgsUsage == "" && command.Action != nil && !command.Hidden {
			command.Action = withoutOperands(command.Action)
		}
	}
}

func withoutOperands(action urfave.ActionFunc) urfave.ActionFunc {
	return func(c *urfave.Context) error {
		if c.NArg() > 0 {
			return usage("%s takes no operand, and %q was given", spoken(c), c.Args().First())
		}
		return action(c)
	}
}

// spoken is a command as it is typed, without the program's name.
func spoken(c *urfave.Context) string {
	return strings.TrimSpace(strings.TrimPrefix(c.Command.HelpName, "clusterd"))
}

// helpOrUnknown answers a command line that names no command, or one that is
// not there.
func helpOrUnknown(c *urfave.Context) error {
	word := c.Args().First()
	if word == "" {
		return urfave.ShowSubcommandHelp(c)
	}
	commands := c.Command.Subcommands
	if len(commands) == 0 {
		commands = c.App.Commands
	}
	var known []string
	for _, command := range commands {
		if !command.Hidden {
			known = append(known, command.Names()...)
		}
	}
	above := strings.TrimSpace("clusterd " + spoken(c))
	return usage("there is no command %q.%s See `%s --help`", word, nearest.Hint(word, known), above)
}

// argument returns the only operand of a command.
func argument(c *urfave.Context, what string) (string, error) {
	switch {
	case c.NArg() > 1:
		return "", usage("%s takes one operand, %s; %d were given", spoken(c), what, c.NArg())
	case c.Args().First() == "":
		return "", usage("%s needs %s", spoken(c), what)
	}
	return c.Args().First(), nil
}

// readOperand reads the file that an operand names, or standard input for "-". The
// name is the one that messages about it use.
func readOperand(path string) (name string, text []byte, err error) {
	if path != "-" {
		text, err = os.ReadFile(path)
		return path, text, err
	}
	const most = 64 << 20
	text, err = io.ReadAll(io.LimitReader(os.Stdin, most))
	return "standard input", text, err
}

// existingSettings refuses a file of settings that was named and is not there: the
// defaults in its place would be another node's.
func existingSettings(c *urfave.Context) error {
	path := c.String("config")
	if _, err := os.Stat(path); c.IsSet("config") && errors.Is(err, fs.ErrNotExist) {
		return usage("--config %s: there is no such file", path)
	}
	return nil
}

// agreed asks before something that ends services, where a person can answer.
func agreed(c *urfave.Context, question string) error {
	if c.Bool("yes") || !term.IsTerminal(int(os.Stdin.Fd())) || !cli.ScreenOf(os.Stdout).Terminal {
		return nil
	}
	fmt.Print(question + " [y/N] ")
	answer, _ := bufio.NewReader(io.LimitReader(os.Stdin, 100)).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errRefused
}

// warnWithoutQuorum says, before something is shown, that it may be out of date.
func warnWithoutQuorum(status api.Status) {
	if !status.Quorate {
		fmt.Fprintf(os.Stderr, "NO QUORUM: what follows is what %s last knew; it may be out of date. See clustat.\n",
			status.Local)
	}
}

// warnIfInquorate asks for that first.
func warnIfInquorate(c *urfave.Context, client *api.Client) {
	if status, err := client.Status(c.Context, false); err == nil {
		warnWithoutQuorum(status)
	}
}

// yesFlag answers agreed beforehand.
func yesFlag() urfave.Flag {
	return &urfave.BoolFlag{Name: "yes", DisableDefaultText: true, Usage: "do not ask on a terminal"}
}

// dryRunFlags are the flag that only shows what would happen, and its older word.
func dryRunFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "show what it would do, and do nothing"},
		&urfave.BoolFlag{Name: "plan", Hidden: true},
	}
}

func dryRun(c *urfave.Context) bool { return c.Bool("dry-run") || c.Bool("plan") }
