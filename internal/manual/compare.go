package manual

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Same compares a file of the repository with what it should be. With REWRITE=1
// in the environment it writes it instead.
func Same(t *testing.T, path, want string) {
	t.Helper()
	if os.Getenv("REWRITE") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what its sources give (%v); write it anew with REWRITE=1 go test -tags "+
			"libvirt_dlopen,urfave_cli_no_docs -run '%s' in this folder, and read the difference", path, err, t.Name())
	}
}

// SameCompletions compares the completions of a tool, for each shell, with those in a folder.
func SameCompletions(t *testing.T, folder string, tool Tool) {
	t.Helper()
	Same(t, filepath.Join(folder, "completion", tool.Name), tool.Completion())
	Same(t, filepath.Join(folder, "completion-zsh", "_"+tool.Name), tool.Zsh())
	Same(t, filepath.Join(folder, "completion-fish", tool.Name+".fish"), tool.Fish())
}

// FitsATerminal checks a page of help: no line is wider than a plain terminal, and examples of the
// tool stand at its end.
func FitsATerminal(t *testing.T, tool, page string) {
	t.Helper()
	for line := range strings.SplitSeq(page, "\n") {
		if len(line) > 80 {
			t.Errorf("a line of %d columns: %q", len(line), line)
		}
	}
	if !strings.Contains(page, "\nEXAMPLES:\n   "+tool+" ") {
		t.Errorf("no examples:\n%s", page)
	}
}
