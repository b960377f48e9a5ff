// Package help makes the pages that tools print for --help: no line wider than a plain
// terminal, options with what they take, and examples at the end.
package help

import (
	"io"
	"strings"
	"sync"
	"unicode/utf8"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/cli"
)

// widest is how wide a page of help is, in columns: a terminal nobody has made wider.
const widest = 80

// widestTerm is the widest option or command with its explanation beside it; wider ones have it
// below.
const widestTerm = 26

var once sync.Once

// Use has urfave/cli print pages of this package, for the one tool of this process. examples
// are the lines of the section EXAMPLES by the command line without its arguments, such as
// "clusterd fence test".
func Use(examples map[string][]string) {
	once.Do(func() {
		urfave.HelpPrinter = func(out io.Writer, _ string, of any) { io.WriteString(out, pageOf(of, examples)) }
	})
}

// pageOf is the page of a tool or of one of its commands.
func pageOf(of any, examples map[string][]string) string {
	switch of := of.(type) {
	case *urfave.App:
		p := page{name: of.HelpName, usage: of.Usage, lines: of.UsageText, flags: of.Flags, commands: of.Commands,
			description: of.Description}
		if p.name == "" {
			p.name = of.Name
		}
		return p.text(examples[p.name])
	case *urfave.Command:
		p := page{name: of.HelpName, usage: of.Usage, lines: of.UsageText, flags: of.Flags, commands: of.Subcommands,
			description: of.Description, operands: of.ArgsUsage}
		return p.text(examples[p.name])
	}
	return ""
}

// page is what a page is made of.
type page struct {
	name, usage, lines, operands, description string
	flags                                     []urfave.Flag
	commands                                  []*urfave.Command
}

func (p page) text(examples []string) string {
	var out strings.Builder
	section := func(title string) { out.WriteString("\n" + title + ":\n") }
	out.WriteString("NAME:\n" + wrapped(p.name+" - "+p.usage, 3))
	section("USAGE")
	for line := range strings.SplitSeq(p.synopsis(), "\n") {
		out.WriteString(hanging(line))
	}
	if p.description != "" {
		section("DESCRIPTION")
		out.WriteString(wrapped(p.description, 3))
	}
	if rows := p.commandRows(); len(rows) > 0 {
		section("COMMANDS")
		out.WriteString(table(rows))
	}
	if rows := p.flagRows(); len(rows) > 0 {
		section("OPTIONS")
		out.WriteString(table(rows))
	}
	if len(examples) > 0 {
		section("EXAMPLES")
		for _, line := range examples {
			out.WriteString("   " + line + "\n")
		}
	}
	return out.String()
}

func (p page) synopsis() string {
	switch {
	case p.lines != "":
		return p.lines
	case len(p.commands) > 0:
		return p.name + " COMMAND [options] [ARGUMENT]"
	}
	return strings.TrimSpace(p.name + " [options] " + p.operands)
}

// row is an option or a command with what it does.
type row struct{ term, meaning string }

func (p page) commandRows() []row {
	var rows []row
	for _, command := range p.commands {
		if !command.Hidden {
			rows = append(rows, row{strings.Join(command.Names(), ", "), command.Usage})
		}
	}
	return rows
}

func (p page) flagRows() []row {
	var rows []row
	helps := false
	for _, flag := range p.flags {
		o, visible := OptionOf(flag)
		if !visible {
			continue
		}
		helps = helps || o.Names[0] == "help"
		meaning := strings.ReplaceAll(o.Usage, "`", "")
		if e, tells := flag.(interface{ GetEnvVars() []string }); tells && len(e.GetEnvVars()) > 0 {
			meaning += " [$" + strings.Join(e.GetEnvVars(), ", $") + "]"
		}
		rows = append(rows, row{o.heading(), meaning})
	}
	if !helps {
		rows = append(rows, row{"-h, --help", "print this"})
	}
	return rows
}

// heading is the option with all its names, short ones first, as it is typed.
func (o Option) heading() string {
	var short, long []string
	for _, name := range o.Names {
		if utf8.RuneCountInString(name) == 1 {
			short = append(short, "-"+name)
			continue
		}
		long = append(long, "--"+name)
	}
	return strings.TrimSpace(strings.Join(append(short, long...), ", ") + " " + o.Placeholder)
}

// table puts the meanings of the rows in one column.
func table(rows []row) string {
	wide := 0
	for _, r := range rows {
		if n := utf8.RuneCountInString(r.term); n <= widestTerm {
			wide = max(wide, n)
		}
	}
	column := 3 + wide + 2
	var out strings.Builder
	for _, r := range rows {
		text := wrapped(r.meaning, column)
		if n := utf8.RuneCountInString(r.term); n <= wide {
			text = "   " + r.term + strings.Repeat(" ", wide-n+2) + strings.TrimLeft(text, " ")
		} else {
			text = "   " + r.term + "\n" + text
		}
		out.WriteString(text)
	}
	return out.String()
}

// wrapped breaks a text into lines that begin with so many blanks.
func wrapped(text string, blanks int) string { return broken(text, blanks, blanks) }

// hanging breaks a line of the synopsis, the further lines deeper than the first.
func hanging(line string) string { return broken(line, 3, 7) }

func broken(text string, first, rest int) string {
	return cli.Wrap(text, strings.Repeat(" ", first), strings.Repeat(" ", rest), widest)
}

// Examples reads the lines of examples of a tool: the command that they are of stands at the
// beginning of a line, and its examples are indented below it.
func Examples(source string) map[string][]string {
	examples := map[string][]string{}
	of := ""
	for line := range strings.SplitSeq(source, "\n") {
		switch {
		case strings.HasPrefix(line, "   "):
			examples[of] = append(examples[of], strings.TrimSpace(line))
		case strings.TrimSpace(line) != "":
			of = strings.TrimSpace(line)
		}
	}
	return examples
}
