package alerts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNotOurs is returned for a program that somebody else could change: it would
// run as the daemon does, which is as root.
var ErrNotOurs = errors.New("somebody else may change it")

// owned holds a program, and the folder where it lies, against who may change them.
func owned(path string) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(target)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no file", path)
	}
	if err := onlyOurs(target, info, 0o022); err != nil {
		return err
	}
	folder := filepath.Dir(target)
	info, err = os.Stat(folder)
	if err != nil {
		return err
	}
	others := fs.FileMode(0o022)
	if info.Mode()&fs.ModeSticky != 0 {
		others = 0 // nobody replaces there what is not his own
	}
	return onlyOurs(folder, info, others)
}

func onlyOurs(path string, info fs.FileInfo, others fs.FileMode) error {
	who, known := info.Sys().(*syscall.Stat_t)
	if !known || (who.Uid != 0 && int(who.Uid) != os.Geteuid()) {
		return fmt.Errorf("%w: %s belongs to another user; chown root %s", ErrNotOurs, path, path)
	}
	if info.Mode().Perm()&others != 0 {
		return fmt.Errorf("%w: %s has mode %04o; chmod go-w %s", ErrNotOurs, path, info.Mode().Perm(), path)
	}
	return nil
}
