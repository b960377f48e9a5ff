package tryout

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/cmd/clusterd/foreign"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/internal/rehearsal"
)

// Command is `clusterd test`.
func Command() *urfave.Command { return CommandTo(cli.CleanWriter(os.Stdout)) }

// CommandTo is the command that prints to out.
func CommandTo(out io.Writer) *urfave.Command {
	noop := &urfave.BoolFlag{Name: "noop", Usage: "only print the programs that would be run"}
	witness := &urfave.BoolFlag{Name: "witness", Usage: "assume a witness besides the nodes"}
	act := func(name, usage string) *urfave.Command {
		return &urfave.Command{Name: name, Usage: usage, ArgsUsage: "FILE SERVICE", Flags: []urfave.Flag{noop},
			Action: func(c *urfave.Context) error { return actHere(c, name, out) }}
	}
	return &urfave.Command{
		Name: "test", Usage: "try a document without a cluster, on paper or with the agents of this host",
		Description: "FILE is a cluster document, or a cluster.conf or CIB, which is translated first. Only start, stop " +
			"and status without --noop touch anything.",
		Subcommands: []*urfave.Command{
			{Name: "tree", Usage: "print services in the order of their start", ArgsUsage: "FILE [SERVICE]",
				Action: func(c *urfave.Context) error { return testTree(c, out) }},
			{Name: "delta", Usage: "print what a changed document would start and stop", ArgsUsage: "OLD NEW",
				Action: func(c *urfave.Context) error { return testDelta(c, out) }},
			{Name: "rules", Usage: "print what agents of this host say about themselves", ArgsUsage: "[TYPE...]",
				Action: func(c *urfave.Context) error { return testRules(c, out) }},
			{Name: "place", Usage: "print where a service would be started, and why", ArgsUsage: "FILE SERVICE",
				Action: func(c *urfave.Context) error { return testPlace(c, out) },
				Flags: []urfave.Flag{
					witness,
					&urfave.StringSliceFlag{Name: "down", Usage: "`NODES` that are off"},
					&urfave.StringSliceFlag{Name: "on", Usage: "`SERVICE=NODE`: what runs where; without it nothing runs"}}},
			{Name: "simulate", Usage: "print what would follow if nodes were lost", ArgsUsage: "FILE",
				Action: func(c *urfave.Context) error { return testSimulate(c, out) },
				Flags:  []urfave.Flag{witness, &urfave.StringSliceFlag{Name: "lose", Usage: "`NODES` that fall silent, together"}}},
			{Name: "validate", Usage: "ask the agents of this host whether they could run a service (root)",
				ArgsUsage: "FILE SERVICE",
				Action:    func(c *urfave.Context) error { return validateHere(c, out) }},
			act("start", "start a service here by its agents (root)"),
			act("stop", "stop it again"),
			act("status", "tell whether it runs here"),
		},
	}
}

// rehearsed reads a document to be tried out: one of ours, or one of another
// cluster manager. Definitions and passwords that are not here are no matter.
func rehearsed(path string) (config.Parsed, error) {
	text, err := foreign.ReadBounded(path)
	if err != nil {
		return config.Parsed{}, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("<")) {
		draft, _, err := foreign.Translate("", path, text, importing.Definitions{ReadFile: foreign.ReadBounded})
		if err != nil {
			return config.Parsed{}, err
		}
		document, err := draft.Text(path)
		if err != nil {
			return config.Parsed{}, err
		}
		text = []byte(document)
	}
	return config.Prepare(path, text, func(file string) ([]byte, error) {
		content, err := foreign.ReadBounded(file)
		if errors.Is(err, fs.ErrNotExist) {
			return importing.StandIn(file), nil
		}
		return content, err
	})
}

// fileAndService returns the operands of a command about one service.
func fileAndService(c *urfave.Context) (config.Parsed, string, error) {
	if c.NArg() != 2 {
		return config.Parsed{}, "", command.Usage("test %s needs a FILE and a SERVICE", c.Command.Name)
	}
	parsed, err := rehearsed(c.Args().First())
	if err != nil {
		return config.Parsed{}, "", err
	}
	name, err := serviceNamed(parsed, c.Args().Get(1))
	return parsed, name, err
}

// serviceNamed finds a service by its name; without a type it is a service:.
func serviceNamed(parsed config.Parsed, given string) (string, error) {
	for _, name := range []string{given, "service:" + given} {
		if _, known := parsed.Document.Services[name]; known {
			return name, nil
		}
	}
	return "", fmt.Errorf("there is no service %s in the document%s", given, nearestService(parsed, given))
}

func testPlace(c *urfave.Context, out io.Writer) error {
	parsed, service, err := fileAndService(c)
	if err != nil {
		return err
	}
	paper, err := rehearsal.New(parsed.Document, parsed.Blobs, c.Bool("witness"))
	if err != nil {
		return err
	}
	for _, word := range c.StringSlice("on") {
		name, node, found := strings.Cut(word, "=")
		if !found {
			return command.Usage("--on %s: write SERVICE=NODE", word)
		}
		if name, err = serviceNamed(parsed, name); err != nil {
			return err
		}
		if err := paper.Put(name, node); err != nil {
			return err
		}
	}
	if err := paper.Down(c.StringSlice("down")...); err != nil {
		return err
	}
	explanation, err := paper.Explain(service)
	if err != nil {
		return err
	}
	fmt.Fprint(out, rehearsal.Placement(explanation, cli.ScreenOf(os.Stdout).Width))
	if !slices.ContainsFunc(explanation.Candidates, func(c candidate) bool { return c.Order > 0 }) {
		return fmt.Errorf("no node may run %s", service)
	}
	return nil
}

func testSimulate(c *urfave.Context, out io.Writer) error {
	path, err := command.Argument(c, "a FILE")
	if err != nil {
		return err
	}
	lost := c.StringSlice("lose")
	if len(lost) == 0 {
		return command.Usage("test simulate needs --lose NODE")
	}
	parsed, err := rehearsed(path)
	if err != nil {
		return err
	}
	paper, err := rehearsal.New(parsed.Document, parsed.Blobs, c.Bool("witness"))
	if err != nil {
		return err
	}
	if err := paper.Settle(); err != nil {
		return err
	}
	width := cli.ScreenOf(os.Stdout).Width
	before := paper.Standings()
	fmt.Fprintf(out, "All nodes are online:\n%s", rehearsal.Table(before, width))
	if len(paper.Notes) > 0 {
		fmt.Fprintf(out, "It waits:\n%s", rehearsal.Waiting(paper.Notes, width))
	}
	if err := loseOnPaper(paper, lost, out, width); err != nil {
		return err
	}
	after := paper.Standings()
	fmt.Fprintf(out, "In the end:\n%s", rehearsal.Table(after, width))
	if len(paper.Notes) > 0 {
		fmt.Fprintf(out, "It waits:\n%s", rehearsal.Waiting(paper.Notes, width))
	}
	return stillDown(before, after)
}

// loseOnPaper lets nodes be lost and tells what follows.
func loseOnPaper(paper *rehearsal.Paper, lost []string, out io.Writer, width int) error {
	paper.Events = nil
	if err := paper.Lose(lost...); err != nil {
		return err
	}
	alone, err := paper.GoesOnAlone()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s lost:\n", were(lost))
	say := func(text string) { fmt.Fprint(out, cli.Wrap(text, "  ", "  ", width)) }
	switch majority := paper.Majority(); {
	case alone:
		say("The other one goes on alone, by the rule two_node: after it has fenced the one that is lost.")
	case majority == rehearsal.Gone:
		say("The majority of the voters is gone. Nothing is started, moved or fenced; what runs on the other nodes runs " +
			"on. `clusterd recover` is the way out.")
		return errors.New("nothing would be decided without a majority")
	case majority == rehearsal.Depends:
		say("It depends on which nodes vote whether a majority is left; without one, nothing of what follows happens. A " +
			"witness makes sure of it.")
	}
	if err := paper.Settle(); err != nil {
		return err
	}
	fmt.Fprint(out, rehearsal.Story(paper.Events, width))
	return nil
}

func were(nodes []string) string {
	if len(nodes) == 1 {
		return nodes[0] + " is"
	}
	return strings.Join(nodes, ", ") + " are"
}

// stillDown counts what ran before and does not run, on a node that answers, in
// the end.
func stillDown(before, after []rehearsal.Standing) error {
	var down []string
	for i, s := range before {
		if s.State == "started" && (after[i].State != "started" || after[i].Lost) {
			down = append(down, s.Service)
		}
	}
	if len(down) > 0 {
		return fmt.Errorf("%s would not run again", strings.Join(down, ", "))
	}
	return nil
}
