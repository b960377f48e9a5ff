package main

import (
	"slices"
	"strings"
	"testing"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cmd/clusterd/command"
	"github.com/clusterd/clusterd/internal/help"
)

// commandLines are the command lines of all commands that are shown, the tool's own among them.
func commandLines(prefix string, commands []*urfave.Command) []string {
	lines := []string{prefix}
	for _, command := range commands {
		if !command.Hidden {
			lines = append(lines, commandLines(prefix+" "+command.Name, command.Subcommands)...)
		}
	}
	return lines
}

func helpText(t *testing.T, words ...string) string {
	t.Helper()
	var out strings.Builder
	app := newApp()
	app.Writer, app.ErrWriter = &out, &out
	words, err := command.Ordered(app, words)
	if err == nil {
		err = app.RunContext(t.Context(), words)
	}
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return out.String()
}

// Every page of help fits a plain terminal, says what options take, and ends with examples that
// the parser takes.
func TestEachCommandHasHelpWithExamples(t *testing.T) {
	known := help.Examples(examples)
	lines := commandLines("clusterd", newApp().Commands)
	for _, line := range lines {
		text := helpText(t, append(strings.Fields(line), "--help")...)
		for row := range strings.SplitSeq(text, "\n") {
			if len(row) > 80 {
				t.Errorf("%s --help has a line of %d columns: %q", line, len(row), row)
			}
		}
		for _, unwanted := range []string{"(default: false)", "help, h", " value ", "0s)"} {
			if strings.Contains(text, unwanted) {
				t.Errorf("%s --help has %q:\n%s", line, unwanted, text)
			}
		}
		if len(known[line]) == 0 || !strings.Contains(text, "EXAMPLES:\n   "+known[line][0]+"\n") {
			t.Errorf("%s --help does not end with its examples:\n%s", line, text)
		}
		if !strings.Contains(text, "OPTIONS:") || !strings.HasPrefix(text, "NAME:\n   "+line+" - ") {
			t.Errorf("%s --help is not its page:\n%s", line, text)
		}
		delete(known, line)
	}
	for line := range known {
		t.Errorf("examples.txt has %q, and there is no such command", line)
	}
}

func TestExamplesUseOptionsThatThereAre(t *testing.T) {
	for line, list := range help.Examples(examples) {
		for _, example := range list {
			typed, _, _ := strings.Cut(example, "   ") // an explanation stands apart
			typed, _, _ = strings.Cut(typed, " <")
			typed, _, _ = strings.Cut(typed, " >")
			if line != "clusterd" && !strings.HasPrefix(typed, line) {
				t.Errorf("%q is no example of %q", typed, line)
			}
			if len(example) > 77 {
				t.Errorf("%q is too wide", example)
			}
			if _, err := command.Ordered(newApp(), strings.Fields(typed)); err != nil {
				t.Errorf("%q: %v", typed, err)
			}
		}
	}
}

func TestHelpIsAWordToo(t *testing.T) {
	text := helpText(t, "clusterd", "fence", "test", "--help")
	if word := helpText(t, "clusterd", "help", "fence", "test"); word != text {
		t.Errorf("help fence test is not fence test --help:\n%s", word)
	}
	if word := helpText(t, "clusterd", "fence", "help", "test"); word != text {
		t.Errorf("fence help test is not fence test --help:\n%s", word)
	}
	for _, command := range newApp().Commands {
		if len(command.Subcommands) == 0 || command.Hidden {
			continue
		}
		page := helpText(t, "clusterd", command.Name, "--help")
		if word := helpText(t, "clusterd", command.Name, "help"); word != page {
			t.Errorf("%s help is not %s --help:\n%s", command.Name, command.Name, word)
		}
	}
	deep := helpText(t, "clusterd", "keys", "rotate", "--help")
	if word := helpText(t, "clusterd", "--config", "/dev/null", "keys", "rotate", "help"); word != deep {
		t.Errorf("keys rotate help is not keys rotate --help:\n%s", word)
	}
	if words, err := command.Ordered(newApp(), []string{"clusterd", "node", "drain", "help"}); err != nil ||
		slices.Contains(words, "--help") {
		t.Errorf("a node named help: %v, %v", words, err)
	}
	for _, want := range []string{"--wait TIME", "(default: 40m)", "--level N", "--yes "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}
