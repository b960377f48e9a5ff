package alerts

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/owned"
)

func TestAProgramThatOthersMayChangeIsNotRun(t *testing.T) {
	folder := t.TempDir()
	ran, path := filepath.Join(folder, "ran"), filepath.Join(folder, "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n: >'"+ran+"'\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	attempt := func() error {
		return Send(context.Background(), cluster.Alert{Name: "a", Program: link, Timeout: 10 * time.Second}, Message{})
	}
	for _, c := range []struct {
		what string
		path string
		mode os.FileMode
		ours bool
	}{
		{"as it should be", path, 0o755, true},
		{"writable by its group", path, 0o775, false},
		{"writable by all", path, 0o757, false},
		{"in a folder where all may write", folder, 0o777, false},
		{"in a folder where all may write and nobody replaces", folder, 0o777 | os.ModeSticky, true},
	} {
		_ = os.Remove(ran)
		if err := errors.Join(os.Chmod(path, 0o755), os.Chmod(folder, 0o755), os.Chmod(c.path, c.mode)); err != nil {
			t.Fatal(err)
		}
		err := attempt()
		_, missing := os.Stat(ran)
		if c.ours != (err == nil) || c.ours != (missing == nil) || (!c.ours && !errors.Is(err, owned.ErrNotOurs)) {
			t.Errorf("%s: %v, ran: %t", c.what, err, missing == nil)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := errors.Join(os.Chmod(folder, 0o755), os.Chown(path, 12345, 0)); err != nil {
		t.Fatal(err)
	}
	if err := attempt(); !errors.Is(err, owned.ErrNotOurs) {
		t.Errorf("of another user: %v", err)
	}
}
