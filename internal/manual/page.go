package manual

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/help"
)

// section is where pages for administrators' commands stand.
const section = 8

// Page describes one manual page.
type Page struct {
	// Name is what the page is called: "clustat", "clusterd-fence".
	Name string
	// Usage is the half sentence after the name.
	Usage string
	// Synopsis are the command lines, one each.
	Synopsis []string
	// Flags and Commands are documented in this order; either may be missing.
	Flags    []cli.Flag
	Commands []*cli.Command
	// Prefix is the command line before the first of Commands: "clusterd".
	Prefix string
	// Elsewhere names the page that documents a command's own commands, by the
	// command's name.
	Elsewhere map[string]string
	// Prose is the rest, in the markup of Prose.
	Prose string
	// Examples stand in the section EXAMPLES of the prose, which is empty where they are given: they
	// are those that --help ends with.
	Examples []string
}

// Text is the page as roff, for man(1).
func (p Page) Text() string {
	var out strings.Builder
	fmt.Fprintf(&out, ".TH %s %d \"\" \"clusterd\" \"clusterd manual\"\n.nh\n.ad l\n", strings.ToUpper(p.Name), section)
	fmt.Fprintf(&out, ".SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", escape(p.Name), escape(p.Usage))
	for i, line := range p.Synopsis {
		if i > 0 {
			out.WriteString(".br\n")
		}
		tool, rest, _ := strings.Cut(line, " ")
		fmt.Fprintf(&out, "\\fB%s\\fR %s\n", escape(tool), escape(rest))
	}
	description, further := split(p.withExamples())
	out.WriteString(Prose(description))
	if len(p.Flags) > 0 {
		out.WriteString(".SH OPTIONS\n" + options(p.Flags))
	}
	if len(p.Commands) > 0 {
		out.WriteString(".SH COMMANDS\n")
		p.commands(&out, p.Prefix, p.Commands)
	}
	out.WriteString(Prose(further))
	return out.String()
}

func (p Page) withExamples() string {
	title, shown := "# EXAMPLES\n", strings.Builder{}
	for _, line := range p.Examples {
		shown.WriteString("    " + line + "\n")
	}
	return strings.Replace(p.Prose, title, title+shown.String(), 1)
}

// split takes the first section of the prose off: it stands before the options.
func split(prose string) (first, rest string) {
	if at := strings.Index(prose, "\n# "); at >= 0 {
		return prose[:at+1], prose[at+1:]
	}
	return prose, ""
}

// commands writes each command that does something, with its options.
func (p Page) commands(out *strings.Builder, prefix string, commands []*cli.Command) {
	for _, command := range commands {
		if command.Hidden {
			continue
		}
		line := strings.TrimSpace(prefix + " " + command.Name)
		if page := p.Elsewhere[command.Name]; page != "" {
			fmt.Fprintf(out, ".SS %s\n%s See \\fB%s\\fR(%d).\n", escape(line), escape(sentence(command.Usage)), escape(page),
				section)
			continue
		}
		if len(command.Subcommands) > 0 {
			p.commands(out, line, command.Subcommands)
			continue
		}
		fmt.Fprintf(out, ".SS %s\n", escape(strings.TrimSpace(line+" "+command.ArgsUsage)))
		out.WriteString(text(sentence(command.Usage)) + "\n")
		if command.Description != "" {
			out.WriteString(".PP\n" + text(command.Description) + "\n")
		}
		out.WriteString(options(command.Flags))
	}
}

// sentence makes a usage text one that stands alone.
func sentence(usage string) string {
	if usage == "" {
		return ""
	}
	return strings.ToUpper(usage[:1]) + usage[1:] + "."
}

func options(flags []cli.Flag) string {
	var out strings.Builder
	for _, flag := range flags {
		o, visible := help.OptionOf(flag)
		if !visible {
			continue
		}
		fmt.Fprintf(&out, ".TP\n%s\n%s\n", heading(o), text(o.Usage))
	}
	return out.String()
}

// heading is the option with all its names, short ones first.
func heading(o help.Option) string {
	var short, long []string
	for _, name := range o.Names {
		if len(name) == 1 {
			short = append(short, `\fB`+escape("-"+name)+`\fR`)
			continue
		}
		long = append(long, `\fB`+escape("--"+name)+`\fR`)
	}
	text := strings.Join(append(short, long...), ", ")
	if o.Placeholder != "" {
		text += ` \fI` + escape(o.Placeholder) + `\fR`
	}
	return text
}
