package rgconf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/importing"
)

// definitions are those of testdata; the host that runs the test has none.
var definitions = importing.Definitions{Folder: "testdata/definitions", ReadFile: func(path string) ([]byte, error) {
	if !strings.HasPrefix(path, "testdata/") {
		return nil, os.ErrNotExist
	}
	return os.ReadFile(path)
}}

// translatedFile returns what is made of a file of testdata.
func translatedFile(t *testing.T, path string) (draft *importing.Draft, report *importing.Report, document string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	draft, report, err = Translate(filepath.Base(path), text, definitions)
	if err != nil {
		t.Fatal(err)
	}
	document, err = draft.Text(filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	return draft, report, document
}

// TestGolden holds each example's document and report, and that the document
// has no fault. REWRITE=1 writes them anew: read the difference.
func TestGolden(t *testing.T) {
	sources, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(sources) < 12 {
		t.Fatalf("only %d examples: %v", len(sources), err)
	}
	for _, source := range sources {
		t.Run(filepath.Base(source), func(t *testing.T) {
			draft, report, document := translatedFile(t, source)
			readFile := func(path string) ([]byte, error) {
				if slices.Contains(draft.Missing, path) {
					return importing.StandIn(path), nil
				}
				return nil, os.ErrNotExist
			}
			if _, err := config.Prepare("document", []byte(document), readFile); err != nil {
				t.Errorf("config check refuses the document:\n%v", err)
			}
			var told strings.Builder
			if err := report.Write(&told, filepath.Base(source)); err != nil {
				t.Fatal(err)
			}
			base := strings.TrimSuffix(source, ".conf")
			golden(t, base+".yaml", document)
			golden(t, base+".report", told.String())
		})
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("REWRITE") != "" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", path, diff)
	}
}
