package manual

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/help"
)

// Fish is a completion of the tool for fish.
func (t Tool) Fish() string {
	var out strings.Builder
	fmt.Fprintf(&out, `# Completion of %[1]s for fish. Made from its options; a test of the tool writes it anew.

function __%[1]s_names
	clustat -x -f 2>/dev/null | sed -n 's/.*<'$argv[1]' name="\([^"]*\)".*/\1/p'
end
function __%[1]s_path
	set -l words (commandline -opc)
	set -e words[1]
	string join ' ' -- (string match -v -- '-*' $words)
end
function __%[1]s_at
	set -l path (__%[1]s_path)
	test "$path" = "$argv[1]"
end
function __%[1]s_below
	set -l path (__%[1]s_path)
	string match -q -- "$argv[1] *" "$path "
end
complete -c %[1]s -f
`, t.Name)
	t.fishOptions(&out, t.Flags, "")
	t.fishCommands(&out, t.Commands, "")
	return out.String()
}

func (t Tool) fishCommands(out *strings.Builder, commands []*cli.Command, above string) {
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		path := strings.TrimSpace(above + " " + c.Name)
		fmt.Fprintf(out, "complete -c %s -n %s -a %s -d %s\n", t.Name, quoted(fmt.Sprintf("__%s_at %q", t.Name, above)),
			c.Name, quoted(c.Usage))
		t.fishCommands(out, c.Subcommands, path)
		below := " -n " + quoted(fmt.Sprintf("__%s_below %q", t.Name, path))
		t.fishOptions(out, c.Flags, below)
		if answer := t.fishAnswer(operandOf(c)); answer != "" {
			fmt.Fprintf(out, "complete -c %s%s%s\n", t.Name, below, answer)
		}
	}
}

func (t Tool) fishOptions(out *strings.Builder, flags []cli.Flag, below string) {
	for _, flag := range flags {
		o, visible := help.OptionOf(flag)
		if !visible {
			continue
		}
		fmt.Fprintf(out, "complete -c %s%s", t.Name, below)
		for _, name := range o.Names {
			switch {
			case name == "?": // a pattern to the shell
			case len(name) == 1:
				out.WriteString(" -s " + name)
			default:
				out.WriteString(" -l " + name)
			}
		}
		if o.Placeholder != "" {
			answer, kind := t.fishAnswer(o.Placeholder), " -x" // whatever follows, it is no file
			if answer == " -F" {
				kind = " -r"
			}
			out.WriteString(kind + answer)
		}
		out.WriteString(" -d " + quoted(strings.ReplaceAll(o.Usage, "`", "")) + "\n")
	}
}

// fishAnswer completes a placeholder; empty where anything may stand.
func (t Tool) fishAnswer(placeholder string) string {
	switch placeholder {
	case "SERVICE":
		return fmt.Sprintf(" -a '(__%s_names group)'", t.Name)
	case "NODE":
		return fmt.Sprintf(" -a '(__%s_names node)'", t.Name)
	case "FILE", "PATH", "FOLDER":
		return " -F"
	}
	return ""
}

// operandOf is what a command is given, as far as it can be completed.
func operandOf(c *cli.Command) string {
	for _, placeholder := range []string{"SERVICE", "NODE", "FILE"} {
		if strings.Contains(c.ArgsUsage, placeholder) {
			return placeholder
		}
	}
	return ""
}

// Zsh is a completion of the tool for zsh.
func (t Tool) Zsh() string {
	var out strings.Builder
	fmt.Fprintf(&out, `#compdef %[1]s
# Completion of %[1]s for zsh. Made from its options; a test of the tool writes it anew.

_%[1]s_names() {
	clustat -x -f 2>/dev/null | sed -n "s/.*<$1 name=\"\([^\"]*\)\".*/\1/p"
}

_%[1]s() {
	local at="" i
	local -a said
	for ((i = 2; i < CURRENT; i++)); do
		[[ $words[i] == -* ]] || at+=" $words[i]"
	done
	case "$words[CURRENT-1]" in
`, t.Name)
	t.zshValues(&out)
	out.WriteString("\tesac\n\tcase \"$at \" in\n")
	t.zshCommands(&out, t.Commands, "")
	fmt.Fprintf(&out, "\t*) said=(%s) ;;\n\tesac\n\t_describe -t words %s said\n}\n\n_%[2]s \"$@\"\n",
		described(t.Commands, t.Flags), t.Name)
	return out.String()
}

// zshValues complete the value of an option by its placeholder.
func (t Tool) zshValues(out *strings.Builder) {
	byAnswer := map[string][]string{}
	for _, flag := range t.allFlags() {
		if o, visible := help.OptionOf(flag); visible && o.Placeholder != "" {
			answer := t.zshAnswer(o.Placeholder)
			byAnswer[answer] = append(byAnswer[answer], dashed(o.Names)...)
		}
	}
	for _, answer := range sorted(byAnswer) {
		options := byAnswer[answer]
		slices.Sort(options)
		fmt.Fprintf(out, "\t%s) %sreturn ;;\n", strings.Join(slices.Compact(options), "|"), answer)
	}
}

func (t Tool) zshAnswer(placeholder string) string {
	switch placeholder {
	case "SERVICE":
		return fmt.Sprintf("compadd -- $(_%s_names group); ", t.Name)
	case "NODE":
		return fmt.Sprintf("compadd -- $(_%s_names node); ", t.Name)
	case "FILE", "PATH", "FOLDER":
		return "_files; "
	}
	return ""
}

// zshCommands complete below each command, the deepest first.
func (t Tool) zshCommands(out *strings.Builder, commands []*cli.Command, above string) {
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		path := above + " " + c.Name
		t.zshCommands(out, c.Subcommands, path)
		fmt.Fprintf(out, "\t%q*) %ssaid=(%s) ;;\n", path+" ", t.zshAnswer(operandOf(c)), described(c.Subcommands, c.Flags))
	}
}

// described are commands and options, each with what it is for.
func described(commands []*cli.Command, flags []cli.Flag) string {
	var list []string
	for _, c := range commands {
		if !c.Hidden {
			list = append(list, quoted(c.Name+":"+c.Usage))
		}
	}
	for _, flag := range flags {
		if o, visible := help.OptionOf(flag); visible {
			for _, name := range dashed(o.Names) {
				list = append(list, quoted(name+":"+strings.ReplaceAll(o.Usage, "`", "")))
			}
		}
	}
	return strings.Join(list, " ")
}

// quoted is a word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
