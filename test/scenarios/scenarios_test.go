package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const ruler = "----"

// block is some commands and what must follow them.
type block struct {
	commands []string // with comments and empty lines, as written
	expected string
}

func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("*/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 60 {
		t.Fatalf("only %d stories found", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(file, ".txt"), func(t *testing.T) {
			t.Parallel()
			play(t, file)
		})
	}
}

// play runs one story and compares, or rewrites, it.
func play(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := read(string(text))
	if len(blocks) == 0 {
		t.Fatalf("%s has no %q, so nothing is expected of it", file, ruler)
	}
	s := newStory()
	var rewritten strings.Builder
	for _, b := range blocks {
		for _, line := range b.commands {
			if err := s.command(line); err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
		}
		got := s.told()
		fmt.Fprintf(&rewritten, "%s\n%s\n%s", strings.Join(b.commands, "\n"), ruler, got)
		if got != b.expected && os.Getenv("REWRITE") == "" {
			t.Errorf("%s, after\n%s\ngot:\n%s\nwant:\n%s", file, strings.Join(b.commands, "\n"), got, b.expected)
		}
	}
	for _, e := range s.world.State().Timeline {
		if e.Why.Code() == "" {
			t.Errorf("%s: an event about %s has no code: %q", file, e.Subject, e.Why)
		}
	}
	for _, n := range s.world.Notes() {
		if n.Why.Code() == "" {
			t.Errorf("%s: a note about %s has no code: %q", file, n.Subject, n.Why)
		}
	}
	for _, violation := range s.world.Violations {
		t.Errorf("%s: %s", file, violation)
	}
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(file, []byte(rewritten.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// read splits a story: commands, a ruler, and what is expected until the next
// empty line.
func read(text string) []block {
	var blocks []block
	var b block
	expecting := false
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case line == ruler:
			expecting = true
		case expecting && strings.TrimSpace(line) == "":
			blocks = append(blocks, b)
			b, expecting = block{commands: []string{line}}, false
		case expecting:
			b.expected += line + "\n"
		default:
			b.commands = append(b.commands, line)
		}
	}
	if expecting {
		blocks = append(blocks, b)
	}
	return blocks
}
