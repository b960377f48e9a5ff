// Package owned decides whether a program may be run as root: only when nobody but root can change
// it, or put another one in its place.
package owned

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrNotOurs is returned for a program that somebody else could change or replace.
var ErrNotOurs = errors.New("somebody else may change it")

// mostLinks is how many symbolic links are followed, as the kernel does.
const mostLinks = 40

// Program reports nil for a regular, executable file that only root (or the user that the daemon
// runs as) can change, in folders in which nobody else can replace anything, from the root on and
// along every symbolic link. Other errors than ErrNotOurs tell that there is no such program.
func Program(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is no absolute path", path)
	}
	if err := folder("/"); err != nil {
		return err
	}
	at, rest := "/", split(path)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		switch {
		case err != nil:
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			// A link has no mode. Its folder was looked at, and in a sticky one its owner counts.
			if err := ownedByUs(next, info); err != nil {
				return err
			}
			target, err := os.Readlink(next)
			if err != nil {
				return err
			}
			if links++; links > mostLinks {
				return fmt.Errorf("%s has too many symbolic links", path)
			}
			if filepath.IsAbs(target) {
				at = "/"
			}
			rest = append(split(target), rest...)
		case len(rest) > 0:
			at = next
			if err := folder(at); err != nil {
				return err
			}
		default:
			return file(path, next, info)
		}
	}
	return fmt.Errorf("%s is a folder", path)
}

// Find looks a program up as exec.LookPath does and returns its path if it may be run as root.
func Find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", err
	}
	if err := Program(path); err != nil {
		return "", fmt.Errorf("refusing to run %s as root: %w", name, err)
	}
	return path, nil
}

// split leaves ".." alone: behind a symbolic link it does not mean what the text says.
func split(path string) []string {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return parts
}

func file(path, found string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s is not an executable file", path)
	}
	return onlyOurs(found, info)
}

func folder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSticky != 0 {
		return ownedByUs(path, info) // nobody replaces there what is not his own
	}
	return onlyOurs(path, info)
}

func ownedByUs(path string, info fs.FileInfo) error {
	who, known := info.Sys().(*syscall.Stat_t)
	if !known || who.Uid != 0 && int(who.Uid) != os.Geteuid() {
		return fmt.Errorf("%w: %s belongs to another user; chown root %s", ErrNotOurs, path, path)
	}
	return nil
}

func onlyOurs(path string, info fs.FileInfo) error {
	if err := ownedByUs(path, info); err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("%w: %s has mode %04o; chmod go-w %s", ErrNotOurs, path, mode, path)
	}
	return nil
}
