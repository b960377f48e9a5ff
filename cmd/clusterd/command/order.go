package command

import (
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/cli"
)

// Ordered puts the options of a command before its operands, as urfave/cli
// wants them: people write `clusterd vm import web --node node1`, and without
// this the option would be taken for a second operand. "help COMMAND" and "GROUP help COMMAND"
// are "GROUP COMMAND --help": people type the word wherever they notice that they need it. Below a
// command that does something it is an operand, for a node may have that name.
func Ordered(app *urfave.App, words []string) ([]string, error) {
	commands, flags := app.Commands, app.Flags
	for i := 1; i < len(words); i++ {
		word := words[i]
		if strings.HasPrefix(word, "-") {
			if valueFollows(word, flags) {
				i++
			}
			continue
		}
		if word == "help" {
			return Ordered(app, append(slices.Concat(words[:i], words[i+1:]), "--help"))
		}
		at := slices.IndexFunc(commands, func(c *urfave.Command) bool { return c.HasName(word) })
		if at < 0 {
			return words, nil
		}
		command := commands[at]
		commands, flags = command.Subcommands, command.Flags
		if len(commands) == 0 {
			rest, err := cli.Arguments(words[i+1:], append(slices.Clone(flags), urfave.HelpFlag))
			return append(words[:i+1:i+1], rest...), err
		}
	}
	return words, nil
}

// First is the command that a command line names; empty where it names none.
func First(app *urfave.App, words []string) string {
	for i := 1; i < len(words); i++ {
		switch {
		case !strings.HasPrefix(words[i], "-"):
			return words[i]
		case valueFollows(words[i], app.Flags):
			i++
		}
	}
	return ""
}

// valueFollows reports whether the word after an option is the option's value.
func valueFollows(word string, flags []urfave.Flag) bool {
	name := strings.TrimLeft(word, "-")
	for _, flag := range flags {
		valued, tells := flag.(interface{ TakesValue() bool })
		if tells && valued.TakesValue() && slices.Contains(flag.Names(), name) {
			return true
		}
	}
	return false
}
