package doorkeeper

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// libvirtd stands in for libvirt's daemon: a process with a pid file.
func libvirtd(t *testing.T) (pidFile string) {
	t.Helper()
	process := exec.Command("sleep", "60")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	pidFile = filepath.Join(t.TempDir(), "libvirtd.pid")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(process.Process.Pid)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return pidFile
}

// hookSince installs the hook and lets it look so old.
func hookSince(t *testing.T, at time.Time) (hooks string, d Door) {
	t.Helper()
	hooks, d = t.TempDir(), door(t)
	if _, err := Install(hooks, "/usr/sbin/clusterd-doorkeeper", d, 9000000); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(hooks, "qemu"), at, at); err != nil {
		t.Fatal(err)
	}
	return hooks, d
}

func TestADaemonThatIsOlderThanTheHookDoesNotCallIt(t *testing.T) {
	pidFile := libvirtd(t)
	hooks, _ := hookSince(t, time.Now().Add(time.Minute))
	if _, err := Seen(hooks, []string{"/nowhere.pid", pidFile}); !errors.Is(err, ErrNotSeen) {
		t.Fatalf("a hook that came later: %v", err)
	}
	// Somebody else's hook that was there before is enough: libvirt then looks for ours in each call.
	beside := filepath.Join(hooks, "qemu.d")
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Mkdir(beside, 0o755), os.WriteFile(filepath.Join(beside, "50-other"), []byte("#!/bin/sh\n"),
		0o755), os.Chtimes(filepath.Join(beside, "50-other"), old, old)); err != nil {
		t.Fatal(err)
	}
	if known, err := Seen(hooks, []string{pidFile}); !known || err != nil {
		t.Fatalf("with an older hook beside it: %t, %v", known, err)
	}
}

func TestADaemonThatStartedAfterTheHookCallsIt(t *testing.T) {
	pidFile := libvirtd(t)
	hooks, d := hookSince(t, time.Now().Add(-time.Minute))
	if known, err := Seen(hooks, []string{pidFile}); !known || err != nil {
		t.Fatalf("%t, %v", known, err)
	}
	// Another text of the hook needs no restart, so it must not look younger.
	if restart, err := Install(hooks, "/usr/bin/clusterd-doorkeeper", d, 9000000); restart || err != nil {
		t.Fatalf("replaced: restart %t, %v", restart, err)
	}
	if known, err := Seen(hooks, []string{pidFile}); !known || err != nil {
		t.Fatalf("after it was replaced: %t, %v", known, err)
	}
}

func TestWithoutADaemonNothingIsSaidAboutIt(t *testing.T) {
	hooks, _ := hookSince(t, time.Now().Add(time.Minute))
	if known, err := Seen(hooks, []string{filepath.Join(t.TempDir(), "none.pid")}); known || err != nil {
		t.Fatalf("%t, %v", known, err)
	}
}
