package warnings

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestASubjectHasOneLine, which is told once and taken back, and the list has an end.
func TestASubjectHasOneLine(t *testing.T) {
	var b Book
	if b.Set("log", "") || !b.Set("log", "full") || b.Set("log", "full") || !b.SetError("log", errors.New("gone")) {
		t.Error("what changes nothing is news, or what changes something is none")
	}
	if want := []string{"log: gone"}; !slices.Equal(b.Texts(), want) {
		t.Errorf("%q, want %q", b.Texts(), want)
	}
	for i := range 2 * most {
		b.Set(fmt.Sprint("subject", i), "trouble")
	}
	if len(b.Texts()) != most || !b.SetError("log", nil) || b.SetError("log", nil) {
		t.Errorf("%d warnings, and the log's is among them: %q", len(b.Texts()), b.Texts()[0])
	}
}
