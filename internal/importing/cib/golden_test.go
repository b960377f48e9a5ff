package cib

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
}, Now: time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)}

// TestGolden holds each example's document and report, and that the document
// has no fault. REWRITE=1 writes them anew: read the difference.
func TestGolden(t *testing.T) {
	sources, err := filepath.Glob("testdata/*.xml")
	if err != nil || len(sources) < 5 {
		t.Fatalf("only %d examples: %v", len(sources), err)
	}
	for _, source := range sources {
		t.Run(filepath.Base(source), func(t *testing.T) {
			text, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			draft, report, err := Translate(filepath.Base(source), text, definitions)
			if err != nil {
				t.Fatal(err)
			}
			document, err := draft.Text(filepath.Base(source))
			if err != nil {
				t.Fatal(err)
			}
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
			for _, secret := range []string{"secret-1", "secret-2", "pw1", "pw3", "pw4", "hush", "hidden", "pw5"} {
				if strings.Contains(told.String(), secret) {
					t.Errorf("the report shows the password %s", secret)
				}
			}
			base := strings.TrimSuffix(source, ".xml")
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
