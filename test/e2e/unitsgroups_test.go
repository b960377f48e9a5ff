package e2e

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hierarchy is one tree of control groups of this machine.
type hierarchy struct {
	// controllers is empty for version 2, and name=systemd for that tree of version 1.
	controllers string
	// own is the group of this process in it.
	own string
}

// forest is what a systemd of a test gets: a group in each tree.
type forest struct {
	// alone says that version 2 is the only one that systemd shall see.
	alone bool
	trees []hierarchy
}

// limits reports whether a controller is in force in the forest.
func (f forest) limits(controller string) bool {
	if !f.alone {
		return slices.ContainsFunc(f.trees, func(h hierarchy) bool {
			return slices.Contains(strings.Split(h.controllers, ","), controller)
		})
	}
	for _, h := range f.trees {
		if h.controllers == "" {
			text, err := os.ReadFile(filepath.Join(h.own, "cgroup.controllers"))
			return err == nil && slices.Contains(strings.Fields(string(text)), controller)
		}
	}
	return false
}

// hierarchiesOfMachine finds the trees, and the place of this process in each.
func hierarchiesOfMachine() ([]hierarchy, error) {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return nil, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var found []hierarchy
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if mount := mountOf(string(mounts), parts[1]); mount != "" {
			found = append(found, hierarchy{controllers: parts[1], own: filepath.Join(mount, parts[2])})
		}
	}
	return found, nil
}

func mountOf(mounts, controllers string) string {
	for line := range strings.Lines(mounts) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		if controllers == "" && fields[2] == "cgroup2" {
			return fields[1]
		}
		if controllers != "" && fields[2] == "cgroup" && hasAll(fields[3], controllers) {
			return fields[1]
		}
	}
	return ""
}

func hasAll(options, words string) bool {
	have := strings.Split(options, ",")
	for word := range strings.SplitSeq(words, ",") {
		if !slices.Contains(have, word) {
			return false
		}
	}
	return true
}

// newForest makes a group in each tree and removes it at the end of the whole test, of which t, the
// one that asks and that a fault ends, may be a part. Version 2 alone
// is what Debian has; where its controllers belong to version 1, both are given, as the limits are
// in force nowhere else.
func newForest(t, whole *testing.T, alone bool) forest {
	t.Helper()
	trees, err := hierarchiesOfMachine()
	if err != nil {
		t.Fatal(err)
	}
	f := forest{alone: alone}
	for _, tree := range trees {
		if alone && tree.controllers != "" {
			continue
		}
		group := filepath.Join(tree.own, "clusterd-units-"+strconv.Itoa(os.Getpid()))
		if tree.controllers == "" {
			// A group with processes hands no controllers down; the root may.
			group = filepath.Join(mountPointOf(tree), filepath.Base(group))
		}
		if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			t.Skipf("control groups cannot be made here: %v", err)
		}
		whole.Cleanup(func() { removeTree(whole, group) })
		if strings.Contains(tree.controllers, "cpuset") {
			inherit(t, tree.own, group, "cpuset.cpus", "cpuset.mems")
		}
		f.trees = append(f.trees, hierarchy{controllers: tree.controllers, own: group})
	}
	if !slices.ContainsFunc(f.trees, func(h hierarchy) bool { return h.controllers == "" }) {
		t.Skip("systemd cannot run here: there are no control groups of version 2")
	}
	return f
}

// unifiedAlone reports whether this machine limits memory by version 2, as Debian does.
func unifiedAlone(t *testing.T) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(mountPointOf(hierarchy{}), "cgroup.subtree_control"))
	return err == nil && slices.Contains(strings.Fields(string(text)), "memory")
}

func mountPointOf(tree hierarchy) string {
	mounts, _ := os.ReadFile("/proc/mounts")
	return mountOf(string(mounts), tree.controllers)
}

// inherit fills what a new group of version 1 has empty, and without which nobody may enter.
func inherit(t *testing.T, from, to string, files ...string) {
	t.Helper()
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(from, file))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, file), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// removeTree ends what lives in groups and removes them from the leaves up; the kernel takes a
// moment to empty them.
func removeTree(t *testing.T, top string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var folders []string
		_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
				killMembers(path)
			}
			return nil
		})
		for _, folder := range slices.Backward(folders) {
			_ = os.Remove(folder)
		}
		if _, err := os.Stat(top); errors.Is(err, fs.ErrNotExist) {
			return
		}
		if time.Now().After(end) {
			t.Errorf("the control groups below %s cannot be removed", top)
			return
		}
	}
}

func killMembers(group string) {
	text, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	for word := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
