package manual

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
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
	description, further := split(p.Prose)
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
			fmt.Fprintf(out, ".SS %s\n%s See \\fB%s\\fR(%d).\n", escape(line), escape(sentence(command.Usage)), escape(page), section)
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
		o, visible := optionOf(flag)
		if !visible {
			continue
		}
		fmt.Fprintf(&out, ".TP\n%s\n%s\n", o.heading(), text(o.usage))
	}
	return out.String()
}

// option is one flag, as it is read by a person.
type option struct {
	names       []string
	placeholder string
	usage       string
}

// documented is what urfave/cli's flags tell about themselves.
type documented interface {
	TakesValue() bool
	GetUsage() string
	GetDefaultText() string
	IsVisible() bool
}

func optionOf(flag cli.Flag) (option, bool) {
	d, tells := flag.(documented)
	if !tells || !d.IsVisible() {
		return option{}, false
	}
	o := option{names: flag.Names(), usage: d.GetUsage()}
	if !d.TakesValue() {
		return o, true
	}
	o.placeholder = "VALUE"
	if _, isTime := flag.(*cli.DurationFlag); isTime {
		o.placeholder = "TIME"
	}
	if parts := strings.SplitN(o.usage, "`", 3); len(parts) == 3 {
		o.placeholder = parts[1]
	}
	if standard := d.GetDefaultText(); standard != "" && standard != `""` && standard != "0s" && standard != "0" {
		o.usage += " (default: " + standard + ")"
	}
	return o, true
}

// heading is the option with all its names, short ones first.
func (o option) heading() string {
	var short, long []string
	for _, name := range o.names {
		if len(name) == 1 {
			short = append(short, `\fB`+escape("-"+name)+`\fR`)
			continue
		}
		long = append(long, `\fB`+escape("--"+name)+`\fR`)
	}
	heading := strings.Join(append(short, long...), ", ")
	if o.placeholder != "" {
		heading += ` \fI` + escape(o.placeholder) + `\fR`
	}
	return heading
}
