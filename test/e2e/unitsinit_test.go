package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The hidden first arguments with which this test is run again on the way to a systemd: first to
// enter control groups, then as process 1.
const (
	enterArgument = "units-enter-groups"
	initArgument  = "units-become-systemd"
)

const systemdProgram = "/lib/systemd/systemd"

// reexecUnits does not return when this process was started as a helper.
func reexecUnits() {
	if len(os.Args) < 3 {
		return
	}
	var err error
	switch os.Args[1] {
	case enterArgument:
		err = enterGroups(os.Args[2:])
	case initArgument:
		err = becomeSystemd(os.Args[2], os.Args[3:])
	default:
		return
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// enterGroups moves this process into groups and becomes the program behind "--".
func enterGroups(words []string) error {
	for i, word := range words {
		if word == "--" {
			return syscall.Exec(words[i+1], words[i+1:], os.Environ())
		}
		procs := filepath.Join(word, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return err
		}
	}
	return errors.New("no program to become")
}

// becomeSystemd is process 1 of new namespaces within a host of the lab. The folder is the test's
// own; the trees of version 1 that systemd gets follow.
func becomeSystemd(folder string, trees []string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	steps := []func(string) error{mountKernel, hideMachine}
	for _, step := range steps {
		if err := step(folder); err != nil {
			return err
		}
	}
	if err := mountGroups(trees); err != nil {
		return err
	}
	for _, path := range []string{"/run", "/tmp", "/var/tmp"} {
		if err := unix.Mount("tmpfs", path, "tmpfs", unix.MS_NOSUID, "mode=1777"); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
	}
	if err := os.Chmod("/run", 0o755); err != nil {
		return err
	}
	// Outside containers systemd does that itself: what it mounts for a unit, as its credentials, is
	// seen by that unit only so.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return err
	}
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	environment := []string{"container=lab", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	return unix.Exec(systemdProgram, []string{systemdProgram, "--system", "--log-target=journal"}, environment)
}

// mountKernel mounts what shows the new namespaces. As in any container the kernel's settings,
// which are the machine's, cannot be written.
func mountKernel(folder string) error {
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	// What is merely covered still stands in /proc/mounts, by which libvirt looks for control groups.
	for unix.Unmount("/sys", unix.MNT_DETACH) == nil {
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID, ""); err != nil {
		return fmt.Errorf("mount /sys: %w", err)
	}
	if err := unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""); err != nil {
		return err
	}
	for _, path := range []string{"/sys", "/proc/sys"} {
		if err := unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID, ""); err != nil {
			return fmt.Errorf("write-protect %s: %w", path, err)
		}
	}
	boot := filepath.Join(folder, "boot-id")
	if err := unix.Mount(boot, "/proc/sys/kernel/random/boot_id", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind the boot id: %w", err)
	}
	return nil
}

// hideMachine keeps away by which a process could harm the machine.
func hideMachine(string) error {
	err := unix.Mount("/dev/null", "/proc/sysrq-trigger", "", unix.MS_BIND, "")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// mountGroups mounts version 2 alone, or it beside trees of version 1 where systemd looks for it.
func mountGroups(trees []string) error {
	const top = "/sys/fs/cgroup"
	if len(trees) == 0 {
		return unix.Mount("cgroup2", top, "cgroup2", unix.MS_NOSUID, "")
	}
	if err := unix.Mount("tmpfs", top, "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	mount := func(name, kind, options string) error {
		path := filepath.Join(top, name)
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("cgroup", path, kind, unix.MS_NOSUID, options); err != nil {
			return fmt.Errorf("mount %s: %w", path, err)
		}
		return nil
	}
	for _, tree := range trees {
		name, options := tree, tree
		if title, named := strings.CutPrefix(tree, "name="); named {
			name, options = title, "none,"+tree
		}
		if err := mount(name, "cgroup", options); err != nil {
			return err
		}
	}
	return mount("unified", "cgroup2", "")
}
