package dialect

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/clusterd/clusterd/internal/owned"
)

// Agents run as root. One that somebody else may change is not run, in any dialect; and since it is
// there and may have started something, it does not count as one that is not installed.
func TestAnAgentThatOthersMayChangeIsNotRun(t *testing.T) {
	base := t.TempDir()
	folders := Folders{
		OCF: filepath.Join(base, "ocf"), RGManager: filepath.Join(base, "rgm"), Init: filepath.Join(base, "init"),
	}
	for kind, path := range map[string]string{
		"lsb:web": filepath.Join(folders.Init, "web"), "rgmanager:web": filepath.Join(folders.RGManager, "web.sh"),
		"ocf:test:web": filepath.Join(folders.OCF, "resource.d", "test", "web"), "lsb:" + base + "/web": base + "/web",
	} {
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := folders.Find(kind); err != nil {
			t.Errorf("%s as it should be: %v", kind, err)
		}
		if err := os.Chmod(path, 0o777); err != nil {
			t.Fatal(err)
		}
		if _, err := folders.Find(kind); !errors.Is(err, owned.ErrNotOurs) || errors.Is(err, ErrNotInstalled) {
			t.Errorf("%s that all may write: %v", kind, err)
		}
	}
}
