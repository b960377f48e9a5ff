package doorkeeper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// ErrOtherHook is returned by Install when libvirt runs only one hook and
// somebody else's is there.
var ErrOtherHook = errors.New("another qemu hook is installed")

// mark tells our hook from others.
const mark = "# clusterd doorkeeper"

// DirectoryHooks is the first libvirt that also runs every file in qemu.d/.
const DirectoryHooks = 6_005_000

// A path that stands in the script must need no quoting.
var safePath = regexp.MustCompile(`^/[0-9A-Za-z/._+-]+$`)

// Install puts the hook into libvirt's hooks directory: as `qemu`, or as
// `qemu.d/10-clusterd` beside somebody else's `qemu` where libvirtVersion (as
// libvirt counts: 9000000) reads that directory. It is idempotent.
//
// libvirt notices a hook only when its daemon starts and none was there
// before: Install returns restart true when libvirtd must be restarted (no VM
// is touched by that) before the hook has effect.
//
// ErrOtherHook is returned when there is no room for ours.
func Install(hooksDir, binary string, door Door, libvirtVersion uint32) (restart bool, err error) {
	script, err := Script(binary, door)
	if err != nil {
		return false, err
	}
	path, err := place(hooksDir, libvirtVersion)
	if err != nil {
		return false, err
	}
	had, err := os.ReadFile(path)
	if err == nil && bytes.Equal(had, script) {
		return false, os.Chmod(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, fmt.Errorf("install the doorkeeper: %w", err)
	}
	// The temporary file starts with a dot and is not executable, so libvirt
	// does not take it for a hook.
	temporary := filepath.Join(filepath.Dir(path), ".clusterd-doorkeeper")
	if err := os.WriteFile(temporary, script, 0o600); err != nil {
		return false, fmt.Errorf("install the doorkeeper: %w", err)
	}
	// A hook that is only replaced keeps its time: Seen goes by it.
	since := time.Now()
	if info, err := os.Stat(path); err == nil {
		since = info.ModTime()
	}
	if err := errors.Join(os.Chtimes(temporary, since, since), os.Chmod(temporary, 0o755),
		os.Rename(temporary, path)); err != nil {
		return false, fmt.Errorf("install the doorkeeper: %w", err)
	}
	return had == nil, nil
}

// Script is the hook's text: nothing in it but fixed paths and libvirt's own
// arguments, passed on as they are.
func Script(binary string, door Door) ([]byte, error) {
	for _, path := range []string{binary, door.Socket, door.Managed} {
		if !safePath.MatchString(path) {
			return nil, fmt.Errorf("install the doorkeeper: %q is not a plain absolute path", path)
		}
	}
	// libvirt calls its hook several times for one start and waits each time;
	// only these two calls can refuse, so only they are worth a process.
	filter := "case \"$2\" in prepare|migrate) ;; *) exit 0 ;; esac\n"
	return []byte("#!/bin/sh\n" + mark + "\n" + filter + "exec " + binary + " --socket " + door.Socket + " --managed " +
		door.Managed + " -- \"$@\"\n"), nil
}

func place(hooksDir string, libvirtVersion uint32) (string, error) {
	single := filepath.Join(hooksDir, "qemu")
	text, err := os.ReadFile(single)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && strings.Contains(string(text), mark):
		return single, nil
	case err != nil:
		return "", fmt.Errorf("install the doorkeeper: %w", err)
	case libvirtVersion >= DirectoryHooks:
		return filepath.Join(hooksDir, "qemu.d", "10-clusterd"), nil
	}
	return "", fmt.Errorf("%w: %s is not clusterd's, and this libvirt runs no other; call clusterd-doorkeeper from "+
		"it, or remove it", ErrOtherHook, single)
}

// Installed checks that the hook is in place and executable, for the doctor.
func Installed(hooksDir, binary string, door Door) error {
	want, err := Script(binary, door)
	if err != nil {
		return err
	}
	var failures []error
	for _, path := range []string{filepath.Join(hooksDir, "qemu"), filepath.Join(hooksDir, "qemu.d", "10-clusterd")} {
		got, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(got), mark) {
			continue
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			failures = append(failures, err)
		case !bytes.Equal(got, want):
			failures = append(failures, fmt.Errorf("%s is out of date: run `clusterd doctor --repair` or join again", path))
		case info.Mode()&0o111 == 0:
			failures = append(failures, fmt.Errorf("%s is not executable", path))
		default:
			return nil
		}
	}
	if len(failures) > 0 {
		return errors.Join(failures...)
	}
	return fmt.Errorf("the doorkeeper is not installed in %s", hooksDir)
}
