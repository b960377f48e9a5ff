package owned

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// site is a program in a folder in a folder, and a link to it from elsewhere.
type site struct{ above, folder, program, linkFolder, link string }

func newSite(t *testing.T) site {
	t.Helper()
	base := t.TempDir()
	s := site{above: filepath.Join(base, "above"), linkFolder: filepath.Join(base, "links")}
	s.folder = filepath.Join(s.above, "folder")
	s.program, s.link = filepath.Join(s.folder, "program"), filepath.Join(s.linkFolder, "link")
	err := errors.Join(os.MkdirAll(s.folder, 0o755), os.MkdirAll(s.linkFolder, 0o755),
		os.WriteFile(s.program, []byte("#!/bin/sh\n"), 0o755), os.Symlink("../above/folder/program", s.link))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOnlyWhatNobodyElseCanChangeIsOurs(t *testing.T) {
	none := func(site) error { return nil }
	group := 12345
	for name, c := range map[string]struct {
		change func(site) error
		ours   bool
		root   bool
	}{
		"as it should be":                    {none, true, false},
		"writable by all":                    {func(s site) error { return os.Chmod(s.program, 0o757) }, false, false},
		"not executable":                     {func(s site) error { return os.Chmod(s.program, 0o644) }, false, false},
		"in a folder where all may write":    {func(s site) error { return os.Chmod(s.folder, 0o777) }, false, false},
		"below a folder where all may write": {func(s site) error { return os.Chmod(s.above, 0o777) }, false, false},
		"below a folder where nobody replaces": {func(s site) error {
			return os.Chmod(s.above, 0o777|os.ModeSticky)
		}, true, false},
		"by a link in a folder where all replace": {func(s site) error {
			return os.Chmod(s.linkFolder, 0o777)
		}, false, false},
		"of another user":             {func(s site) error { return os.Chown(s.program, group, 0) }, false, true},
		"below another user's folder": {func(s site) error { return os.Chown(s.above, group, 0) }, false, true},
		"by another user's link":      {func(s site) error { return os.Lchown(s.link, group, 0) }, false, true},
		"writable by a group": {func(s site) error {
			return errors.Join(os.Chown(s.program, 0, group), os.Chmod(s.program, 0o775))
		}, false, true},
		"writable by root's group": {func(s site) error {
			return errors.Join(os.Chown(s.program, 0, 0), os.Chmod(s.program, 0o775))
		}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			s := newSite(t)
			if err := c.change(s); err != nil {
				t.Fatal(err)
			}
			if err := Program(s.link); c.ours != (err == nil) {
				t.Errorf("Program: %v", err)
			}
		})
	}
}

func TestWhatIsNoProgramIsSaidSo(t *testing.T) {
	s := newSite(t)
	loop := filepath.Join(s.folder, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{s.folder, "program", loop, filepath.Join(s.folder, "none"), s.program + "/below"} {
		if err := Program(path); err == nil || errors.Is(err, ErrNotOurs) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := Program(filepath.Join(s.folder, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing program: %v", err)
	}
}

// TestWhatIsFoundByItsNameIsHeldToTheSame: the first of that name counts, so that what somebody may
// change there is told and not passed over.
func TestWhatIsFoundByItsNameIsHeldToTheSame(t *testing.T) {
	ours, open := t.TempDir(), t.TempDir()
	for _, folder := range []string{ours, open} {
		if err := os.WriteFile(filepath.Join(folder, "ipmitool"), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", ours+":"+open)
	if path, err := Find("ipmitool"); err != nil || path != filepath.Join(ours, "ipmitool") {
		t.Errorf("ours: %q, %v", path, err)
	}
	t.Setenv("PATH", open+":"+ours)
	if path, err := Find("ipmitool"); !errors.Is(err, ErrNotOurs) || path != "" {
		t.Errorf("one that anybody may replace: %q, %v", path, err)
	} else if !strings.HasPrefix(err.Error(), "refusing to run ipmitool as root: ") {
		t.Errorf("it reads as if somebody forgot to be root: %v", err)
	}
	if _, err := Find("no-such-program-here"); err == nil || errors.Is(err, ErrNotOurs) {
		t.Errorf("one that is not there: %v", err)
	}
}
