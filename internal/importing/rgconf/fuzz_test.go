package rgconf

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

// A source is a file of somebody's; whatever it holds, the importer ends, and reads nothing else.
func FuzzTranslate(f *testing.F) {
	found, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(found) == 0 {
		f.Fatal("there are no examples to begin with")
	}
	for _, path := range found {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	nothing := importing.Definitions{Now: time.Unix(1_800_000_000, 0)}
	nothing.ReadFile = func(string) ([]byte, error) { return nil, errors.New("nothing is read here") }
	f.Fuzz(func(t *testing.T, text []byte) {
		draft, report, err := Translate("fuzz", text, nothing)
		if err == nil && (draft == nil || report == nil) {
			t.Error("neither an error nor a translation")
		}
	})
}
