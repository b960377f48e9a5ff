// Package cgroup freezes and kills sets of processes, with cgroups of version 2 or, on an old
// machine, of version 1. The caller needs root, and must end each [Group] with [Group.Kill].
package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Group is the set of processes of one host (or of the hub). It freezes them, and it finds them
// again after the lab process was killed, which pid files could not do safely.
type Group struct {
	path    string
	version int // 1 or 2.
}

// AvoidVersion2 lets a test take the way of an old machine on a hybrid one.
var AvoidVersion2 bool

// Root finds where to make cgroups. Version 2 is preferred also on a hybrid machine, because it
// freezes and kills by one write each and lets a process start inside its cgroup.
func Root() (path string, version int, err error) {
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "", 0, err
	}
	version1 := ""
	scanner := bufio.NewScanner(bytes.NewReader(mounts))
	for scanner.Scan() {
		fields := strings.Fields(scanner.Text())
		if len(fields) < 4 {
			continue
		}
		if fields[2] == "cgroup2" && !AvoidVersion2 {
			return fields[1], 2, nil
		}
		if fields[2] == "cgroup" && strings.Contains(","+fields[3]+",", ",freezer,") {
			version1 = fields[1]
		}
	}
	if version1 == "" {
		return "", 0, errors.New("this machine has neither cgroup2 nor the cgroup v1 freezer mounted; the lab needs one " +
			"to cut a host's power")
	}
	return version1, 1, nil
}

// New makes a cgroup, or takes the one that has this name.
func New(name string) (*Group, error) {
	root, version, err := Root()
	if err != nil {
		return nil, err
	}
	group := &Group{path: filepath.Join(root, name), version: version}
	if err := os.Mkdir(group.path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	return group, nil
}

// Start runs a command as a member of the cgroup from its first instruction on; with version 1
// from right after its start, which is why a host's init waits for a word before it makes
// children.
func (g *Group) Start(command *exec.Cmd) error {
	if command.SysProcAttr == nil {
		command.SysProcAttr = &syscall.SysProcAttr{}
	}
	if g.version == 2 {
		directory, err := os.Open(g.path)
		if err != nil {
			return err
		}
		defer directory.Close()
		command.SysProcAttr.UseCgroupFD = true
		command.SysProcAttr.CgroupFD = int(directory.Fd())
		return command.Start()
	}
	if err := command.Start(); err != nil {
		return err
	}
	return g.write("cgroup.procs", strconv.Itoa(command.Process.Pid))
}

func (g *Group) write(file, value string) error {
	return os.WriteFile(filepath.Join(g.path, file), []byte(value), 0o644)
}

// Freeze stops every process and returns once all have stopped, or with an error after the
// patience is over; those that can be stopped are, also then.
func (g *Group) Freeze(patience time.Duration) error {
	if g.version == 2 {
		if err := g.write("cgroup.freeze", "1"); err != nil {
			return err
		}
		return g.waitFor("cgroup.events", "frozen 1", patience)
	}
	if err := g.write("freezer.state", "FROZEN"); err != nil {
		return err
	}
	return g.waitFor("freezer.state", "FROZEN", patience)
}

// Thaw lets the processes go on.
func (g *Group) Thaw() error {
	if g.version == 2 {
		return g.write("cgroup.freeze", "0")
	}
	return g.write("freezer.state", "THAWED")
}

// ReleaseKilled lets frozen processes that were sent SIGKILL die. With version 2 they need no help.
func (g *Group) ReleaseKilled() error {
	if g.version == 2 {
		return nil
	}
	return g.Thaw()
}

func (g *Group) waitFor(file, text string, patience time.Duration) error {
	deadline := time.Now().Add(patience)
	for {
		content, err := os.ReadFile(filepath.Join(g.path, file))
		if err != nil {
			return err
		}
		if strings.Contains(string(content), text) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cgroup %s does not become %q", g.path, text)
		}
		time.Sleep(time.Millisecond)
	}
}

func (g *Group) processes() []int {
	content, err := os.ReadFile(filepath.Join(g.path, "cgroup.procs"))
	if err != nil {
		return nil
	}
	var pids []int
	for _, word := range strings.Fields(string(content)) {
		// Zero stands for a process of a foreign pid namespace, which cannot be ours.
		if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Kill ends every process and removes the cgroup. It returns an error when something is still
// alive after the deadline: a host is only off when nothing of it is left.
func (g *Group) Kill() error {
	if _, err := os.Stat(g.path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if g.version == 2 {
			_ = g.write("cgroup.kill", "1")
		}
		for _, pid := range g.processes() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if g.version == 1 {
			// A frozen process of version 1 takes its SIGKILL only once it is thawed; it dies before it
			// runs.
			_ = g.Thaw()
		}
		if err := os.Remove(g.path); err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes %v in %s do not die", g.processes(), g.path)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// KillMatching ends every cgroup whose name matches, for tidying up after a program that was
// killed.
func KillMatching(names *regexp.Regexp) error {
	root, version, err := Root()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	var failures []error
	for _, entry := range entries {
		if entry.IsDir() && names.MatchString(entry.Name()) {
			group := &Group{path: filepath.Join(root, entry.Name()), version: version}
			failures = append(failures, group.Kill())
		}
	}
	return errors.Join(failures...)
}
