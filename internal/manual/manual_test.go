package manual

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func pretended() ([]cli.Flag, []*cli.Command) {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "member", Aliases: []string{"m"}, Usage: "show one `NODE`"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "say nothing"},
		&cli.StringFlag{Name: "secret", Hidden: true, Usage: "not shown"},
	}
	return flags, []*cli.Command{{Name: "config", Subcommands: []*cli.Command{
		{Name: "apply", Usage: "put a document into force", ArgsUsage: "FILE",
			Flags: []cli.Flag{&cli.IntFlag{Name: "base", Usage: "made for version `N`", Value: 3}}},
		{Name: "internal", Hidden: true},
	}}, {Name: "fence", Usage: "cut power", Subcommands: []*cli.Command{{Name: "off"}}},
		{Name: "start", Usage: "start one", ArgsUsage: "SERVICE"}}
}

func TestAPageHasWhatTheTreeHasAndNoMore(t *testing.T) {
	flags, commands := pretended()
	page := Page{Name: "tool", Usage: "do things", Synopsis: []string{"tool [-m NODE]"}, Flags: flags,
		Commands: commands, Prefix: "tool",
		Elsewhere: map[string]string{"fence": "tool-fence"},
		Prose:     "# DESCRIPTION\nDoes `things`.\n.hidden dots\n\n    $ tool \\n\n\n# EXIT STATUS\n0 :: fine\n"}.Text()
	for _, want := range []string{
		".TH TOOL 8", "tool \\- do things", `\fB\-m\fR, \fB\-\-member\fR \fINODE\fR`, ".SS tool config apply FILE",
		"Put a document into force.",
		`\fB\-\-base\fR \fIN\fR`, "(default: 3)", "See \\fBtool\\-fence\\fR(8)", "Does \\fIthings\\fR.", "\\&.hidden dots",
		"$ tool \\en", ".TP\n\\fB0\\fR\nfine\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for _, unwanted := range []string{"secret", "internal", "tool fence off"} {
		if strings.Contains(page, unwanted) {
			t.Errorf("the page has %q", unwanted)
		}
	}
	if strings.Index(page, ".SH OPTIONS") < strings.Index(page, ".SH DESCRIPTION") ||
		strings.Index(page, ".SH EXIT STATUS") < strings.Index(page, ".SH COMMANDS") {
		t.Errorf("the sections are out of order:\n%s", page)
	}
}

// completing writes a completion of pretended commands, and a clustat that answers it.
func completing(t *testing.T, of func(Tool) string) (folder, file string) {
	t.Helper()
	flags, commands := pretended()
	folder = t.TempDir()
	file = filepath.Join(folder, "completion")
	if err := os.WriteFile(file, []byte(of(Tool{Name: "tool", Flags: flags, Commands: commands})), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := "#!/bin/sh\ncat <<'END'\n    <node name=\"node1\" state=\"1\"/>\n    <node name=\"node2\"/>\n    " +
		"<group name=\"vm:web\" state=\"112\"/>\nEND\n"
	if err := os.WriteFile(filepath.Join(folder, "clustat"), []byte(answer), 0o700); err != nil {
		t.Fatal(err)
	}
	return folder, file
}

// TestFishCompletes asks a real fish, which tells what it would offer.
func TestFishCompletes(t *testing.T) {
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skip("no fish here")
	}
	folder, file := completing(t, Tool.Fish)
	for _, c := range []struct{ line, want string }{
		{"tool con", "config"},
		{"tool ", "config fence start"},
		{"tool config ", "apply"},
		{"tool config apply --b", "--base"},
		{"tool -m ", "node1 node2"},
		{"tool --member node", "node1 node2"},
		{"tool start ", "vm:web"},
		{"tool config apply --base ", ""},
	} {
		command := exec.Command(fish, "--no-config", "-c", "source "+file+"; complete -C '"+c.line+"'")
		command.Env = []string{"PATH=" + folder + ":/usr/bin:/bin", "HOME=" + folder}
		out, err := command.CombinedOutput()
		var offered []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			offered = append(offered, word)
		}
		if got := strings.Join(offered, " "); err != nil || got != c.want {
			t.Errorf("%q completes to %q (%v), want %q", c.line, out, err, c.want)
		}
	}
}

// TestZshCompletes has a real zsh run the function, with what it would offer written down instead.
func TestZshCompletes(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip("no zsh here")
	}
	folder, file := completing(t, Tool.Zsh)
	for _, c := range []struct{ line, want string }{
		{"tool ", "config fence start --member -m --quiet -q"},
		{"tool config ", "apply"},
		{"tool config apply --", "--base"},
		{"tool -m ", "node1 node2"},
		{"tool start ", "vm:web"},
		{"tool config apply --base ", ""},
	} {
		words := "'" + strings.Join(strings.Split(c.line, " "), "' '") + "'"
		script := "_describe() { for said in ${(P)4}; do echo ${said%%:*}; done }\n" +
			"compadd() { shift; print -l -- $@ }\n_files() { }\n" +
			"words=(" + words + "); CURRENT=$#words\nsource " + file
		command := exec.Command(zsh, "-f", "-c", script)
		command.Env = []string{"PATH=" + folder + ":/usr/bin:/bin"}
		out, err := command.CombinedOutput()
		if got := strings.Join(strings.Fields(string(out)), " "); err != nil || got != c.want {
			t.Errorf("%q completes to %q (%v), want %q", c.line, got, err, c.want)
		}
	}
}

// TestCompletionCompletes asks a real bash, with a clustat that answers.
func TestCompletionCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	folder, file := completing(t, Tool.Completion)
	for _, c := range []struct{ line, want string }{
		{"tool ", "config fence start --member -m --quiet -q"},
		{"tool con", "config"},
		{"tool config ", "apply"},
		{"tool config apply --", "--base"},
		{"tool -m ", "node1 node2"},
		{"tool -m node", "node1 node2"},
		{"tool start ", "vm:web"},
		{"tool config apply --base ", ""},
	} {
		words := strings.Split(c.line, " ")
		script := "source " + file + "; COMP_WORDS=("
		for _, word := range words {
			script += "'" + word + "' "
		}
		script += "); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _tool; echo \"${COMPREPLY[@]}\""
		command := exec.Command(bash, "--norc", "-c", script)
		command.Env = []string{"PATH=" + folder + ":/usr/bin:/bin"}
		out, err := command.CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != c.want {
			t.Errorf("%q completes to %q (%v), want %q", c.line, got, err, c.want)
		}
	}
}
