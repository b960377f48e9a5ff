package command

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

// ErrUsage marks errors of wrong use.
var ErrUsage = errors.New("usage")

// ErrRefused is the end of a plan that the cluster would not take, or a person not agree to.
var ErrRefused = errors.New("nothing was changed")

// Usage is an error of wrong use.
func Usage(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUsage, fmt.Sprintf(format, args...))
}

// Misused makes every error about options one of wrong use. Subcommands do not
// inherit the handler of their parent, so each has it.
func Misused(c *urfave.Context, err error, _ bool) error {
	return cli.Misused(err, append(slices.Clone(c.App.Flags), c.Command.Flags...))
}

// Finish gives each command what it has in common with all others: the handler of
// wrong options, and the refusal of operands that it does not take.
func Finish(commands []*urfave.Command) {
	for _, command := range commands {
		command.OnUsageError, command.HideHelpCommand = Misused, true
		if len(command.Subcommands) > 0 {
			command.Action = HelpOrUnknown
			Finish(command.Subcommands)
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
			return Usage("%s takes no operand, and %q was given", spoken(c), c.Args().First())
		}
		return action(c)
	}
}

// spoken is a command as it is typed, without the program's name.
func spoken(c *urfave.Context) string {
	return strings.TrimSpace(strings.TrimPrefix(c.Command.HelpName, "clusterd"))
}

// HelpOrUnknown answers a command line that names no command, or one that is
// not there.
func HelpOrUnknown(c *urfave.Context) error {
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
	return Usage("there is no command %q.%s See `%s --help`", word, nearest.Hint(word, known), above)
}

// Argument returns the only operand of a command.
func Argument(c *urfave.Context, what string) (string, error) {
	switch {
	case c.NArg() > 1:
		return "", Usage("%s takes one operand, %s; %d were given", spoken(c), what, c.NArg())
	case c.Args().First() == "":
		return "", Usage("%s needs %s", spoken(c), what)
	}
	return c.Args().First(), nil
}

// ReadOperand reads the file that an operand names, or standard input for "-". The
// name is the one that messages about it use.
func ReadOperand(path string) (name string, text []byte, err error) {
	if path != "-" {
		text, err = os.ReadFile(path)
		return path, text, err
	}
	const most = 64 << 20
	text, err = io.ReadAll(io.LimitReader(os.Stdin, most))
	return "standard input", text, err
}

// ExistingSettings refuses a file of settings that was named and is not there: the
// defaults in its place would be another node's.
func ExistingSettings(c *urfave.Context) error {
	path := c.String("config")
	if _, err := os.Stat(path); c.IsSet("config") && errors.Is(err, fs.ErrNotExist) {
		return Usage("--config %s: there is no such file", path)
	}
	return nil
}

// Agreed asks before something that ends services, where a person can answer.
func Agreed(c *urfave.Context, question string) error {
	if c.Bool("yes") {
		return nil
	}
	switch answer, there := Ask(question + " [y/N] "); strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	default:
		if !there {
			return nil
		}
	}
	return ErrRefused
}

// Ask puts a question to the person at the terminal, if there is one. It is a variable for tests.
var Ask = func(question string) (answer string, there bool) {
	if !term.IsTerminal(int(os.Stdin.Fd())) || !cli.ScreenOf(os.Stdout).Terminal {
		return "", false
	}
	fmt.Print(question)
	answer, _ = bufio.NewReader(io.LimitReader(os.Stdin, 100)).ReadString('\n')
	return answer, true
}

// WarnWithoutQuorum says, before something is shown, that it may be out of date.
func WarnWithoutQuorum(c *urfave.Context, status api.Status) {
	io.WriteString(c.App.ErrWriter, cli.NoQuorum(status))
}

// WarnIfNoQuorum asks for that first.
func WarnIfNoQuorum(c *urfave.Context, client *api.Client) {
	if status, err := client.Status(c.Context, false); err == nil {
		WarnWithoutQuorum(c, status)
	}
}

// YesFlag answers agreed beforehand.
func YesFlag() urfave.Flag {
	return &urfave.BoolFlag{Name: "yes", DisableDefaultText: true, Usage: "do not ask on a terminal"}
}

// DryRunFlags are the flag that only shows what would happen, and its older word.
func DryRunFlags() []urfave.Flag {
	return []urfave.Flag{
		&urfave.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "show what it would do, and do nothing"},
		&urfave.BoolFlag{Name: "plan", Hidden: true},
	}
}

// DryRun reports whether one of them was given.
func DryRun(c *urfave.Context) bool { return c.Bool("dry-run") || c.Bool("plan") }
