package power

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/owned"
)

// TestAnIpmitoolOfAnybodyIsRefusedInOneSentence: it names the program once, and what is wrong.
func TestAnIpmitoolOfAnybodyIsRefusedInOneSentence(t *testing.T) {
	open := t.TempDir()
	if err := os.WriteFile(filepath.Join(open, "ipmitool"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", open)
	_, err := (&toolHand{}).run(t.Context(), "power", "status")
	if !errors.Is(err, owned.ErrNotOurs) || !strings.HasPrefix(err.Error(), "refusing to run ipmitool as root: ") {
		t.Errorf("it says %v", err)
	}
}
