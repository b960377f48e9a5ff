package manual

import (
	"fmt"
	"sort"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/internal/help"
)

// Tool is what a completion is made of.
type Tool struct {
	Name     string
	Flags    []cli.Flag
	Commands []*cli.Command
}

// names asks the daemon of this host for words to complete with; without one
// there are none.
const names = `_%[1]s_names() {
	clustat -x -f 2>/dev/null | sed -n "s/.*<$1 name=\"\([^\"]*\)\".*/\1/p"
}
`

// Completion is a bash completion of the tool: commands, options, and the names
// of services, nodes and files where an option or a command takes them.
func (t Tool) Completion() string {
	var out strings.Builder
	fmt.Fprintf(&out, "# Completion of %s for bash. Made from its options; A test of the tool writes it anew.\n\n", t.Name)
	fmt.Fprintf(&out, names, t.Name)
	fmt.Fprintf(&out, `
_%[1]s() {
	local current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" path="" words="" i
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n : -c current -p before
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "${COMP_WORDS[i]}" in -*) ;; *) path+=" ${COMP_WORDS[i]}" ;; esac
	done
	case "$before" in
`, t.Name)
	for _, rule := range valueRules(t.allFlags()) {
		out.WriteString(rule)
	}
	out.WriteString("\tesac\n\tcase \"$path\" in\n")
	for _, rule := range commandRules("", t.Commands) {
		out.WriteString(rule)
	}
	fmt.Fprintf(&out, "\t*) words=%q ;;\n\tesac\n",
		strings.Join(append(commandNames(t.Commands), flagNames(t.Flags)...), " "))
	fmt.Fprintf(&out, `	COMPREPLY=($(compgen -W "$words" -- "$current"))
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$current"
	fi
}
complete -F _%[1]s %[1]s
`, t.Name)
	return strings.ReplaceAll(out.String(), "$(NAMES ", "$(_"+t.Name+"_names ")
}

func (t Tool) allFlags() []cli.Flag {
	flags := append([]cli.Flag{}, t.Flags...)
	var walk func(commands []*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			flags = append(flags, c.Flags...)
			walk(c.Subcommands)
		}
	}
	walk(t.Commands)
	return flags
}

// answers is what completes a placeholder.
var answers = map[string]string{
	"SERVICE": `words="$(NAMES group)"`,
	"NODE":    `words="$(NAMES node)"`,
	"FILE":    "FILES",
	"PATH":    "FILES",
	"FOLDER":  "FILES",
}

// valueRules complete the value of an option by its placeholder.
func valueRules(flags []cli.Flag) []string {
	byAnswer := map[string]map[string]bool{}
	for _, flag := range flags {
		o, visible := help.OptionOf(flag)
		if !visible || o.Placeholder == "" {
			continue
		}
		answer := answers[o.Placeholder] // none: the value is anything
		if byAnswer[answer] == nil {
			byAnswer[answer] = map[string]bool{}
		}
		for _, name := range dashed(o.Names) {
			byAnswer[answer][name] = true
		}
	}
	var rules []string
	for _, answer := range sorted(byAnswer) {
		action := `COMPREPLY=(); return`
		switch answer {
		case "":
		case "FILES":
			action = `COMPREPLY=($(compgen -f -- "$current")); return`
		default:
			action = answer + `; path=" value"`
		}
		rules = append(rules, "\t"+strings.Join(sorted(byAnswer[answer]), "|")+") "+action+" ;;\n")
	}
	return rules
}

// commandRules complete below each command, the deepest first: bash takes the
// first pattern that fits.
func commandRules(prefix string, commands []*cli.Command) []string {
	rules := []string{"\t\" value\") ;;\n"}
	if prefix != "" {
		rules = nil
	}
	for _, command := range commands {
		if command.Hidden {
			continue
		}
		path := prefix + " " + command.Name
		rules = append(rules, commandRules(path, command.Subcommands)...)
		words := strings.Join(append(commandNames(command.Subcommands), flagNames(command.Flags)...), " ")
		action := fmt.Sprintf("words=%q", words)
		for _, placeholder := range []string{"SERVICE", "NODE"} {
			if strings.Contains(command.ArgsUsage, placeholder) {
				action = strings.TrimSuffix(answers[placeholder], `"`) + " " + words + `"`
			}
		}
		if strings.Contains(command.ArgsUsage, "FILE") {
			action = fmt.Sprintf(`words="%s $(compgen -f -- "$current")"`, words)
		}
		rules = append(rules, fmt.Sprintf("\t%q*) %s ;;\n", path, action))
	}
	return rules
}

func commandNames(commands []*cli.Command) []string {
	var found []string
	for _, c := range commands {
		if !c.Hidden {
			found = append(found, c.Name)
		}
	}
	return found
}

func flagNames(flags []cli.Flag) []string {
	var found []string
	for _, flag := range flags {
		if o, visible := help.OptionOf(flag); visible {
			found = append(found, dashed(o.Names)...)
		}
	}
	return found
}

func dashed(names []string) []string {
	var found []string
	for _, name := range names {
		dash := "--"
		if len(name) == 1 {
			dash = "-"
		}
		if name != "?" { // a pattern to the shell
			found = append(found, dash+name)
		}
	}
	return found
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
