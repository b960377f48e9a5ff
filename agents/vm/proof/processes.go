package proof

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Process names one process for good: the pid alone would be reused.
type Process struct {
	PID int `json:"pid"`
	// Ticks is the kernel's start time of the process, in clock ticks since boot.
	Ticks uint64 `json:"ticks"`
	// Boot is the OS boot id that PID and Ticks belong to.
	Boot string `json:"boot"`
}

func (p Process) String() string { return fmt.Sprintf("process %d", p.PID) }

// Processes reads a /proc.
type Processes struct{ Dir string }

func (t Processes) bootID() string {
	text, err := os.ReadFile(filepath.Join(t.Dir, "sys/kernel/random/boot_id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// identify returns the process behind a pid; ok is false when there is none
// or it is a zombie, which no longer executes anything.
func (t Processes) identify(pid int) (found Process, name string, ok bool) {
	state, ticks, name, err := t.stat(pid)
	if err != nil || state == 'Z' || state == 'X' {
		return Process{}, "", false
	}
	return Process{PID: pid, Ticks: ticks, Boot: t.bootID()}, name, true
}

// Alive reports whether exactly this process may still execute. A process that
// could not be named when it was recorded can never be proven dead.
func (t Processes) Alive(p Process) bool {
	if p.PID == 0 {
		return true
	}
	if boot := t.bootID(); boot == "" || p.Boot == "" {
		p.Boot = boot
	}
	found, _, ok := t.identify(p.PID)
	return ok && found == p
}

func (t Processes) stat(pid int) (state byte, ticks uint64, name string, err error) {
	text, err := os.ReadFile(filepath.Join(t.Dir, strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, "", err
	}
	// The name is in parentheses and may itself contain any character, so
	// fields are counted from the last closing parenthesis.
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return 0, 0, "", fmt.Errorf("stat of process %d has no name", pid)
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 20 {
		return 0, 0, "", fmt.Errorf("stat of process %d is short", pid)
	}
	ticks, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0][0], ticks, string(text[open+1 : end]), err
}

// QEMU looks for a QEMU process that carries the UUID. A dead main thread
// whose other threads have not ended (a write that hangs in the kernel) has
// Lost its command line but may still write: it is reported with blurred, for
// whichever VM is asked about, because nobody can tell whose it is.
func (t Processes) QEMU(uuid string) (found Process, blurred bool, ok bool, err error) {
	names, err := t.pids()
	if err != nil {
		return Process{}, false, false, fmt.Errorf("read the process table: %w", err)
	}
	for _, pid := range names {
		command, err := os.ReadFile(filepath.Join(t.Dir, strconv.Itoa(pid), "cmdline"))
		if err != nil {
			continue // The process ended while we looked.
		}
		if len(command) == 0 {
			if t.dyingQEMU(pid) {
				return Process{PID: pid}, true, true, nil
			}
			continue
		}
		if carriesUUID(command, uuid) {
			if p, _, alive := t.identify(pid); alive {
				return p, false, true, nil
			}
		}
	}
	return Process{}, false, false, nil
}

func (t Processes) pids() ([]int, error) {
	dir, err := os.Open(t.Dir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	pids := make([]int, 0, len(names))
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func (t Processes) dyingQEMU(pid int) bool {
	_, _, name, err := t.stat(pid)
	if err != nil || !strings.HasPrefix(name, "qemu") {
		return false
	}
	tasks, err := os.ReadDir(filepath.Join(t.Dir, strconv.Itoa(pid), "task"))
	return err == nil && len(tasks) > 1
}

// carriesUUID reports whether a command line is QEMU's and names the VM.
func carriesUUID(command []byte, uuid string) bool {
	arguments := strings.Split(strings.TrimRight(string(command), "\x00"), "\x00")
	program := filepath.Base(arguments[0])
	if !strings.HasPrefix(program, "qemu") && program != "kvm" {
		return false
	}
	for i := 1; i < len(arguments); i++ {
		if arguments[i-1] == "-uuid" && strings.EqualFold(arguments[i], uuid) {
			return true
		}
	}
	return false
}

// End returns a channel that closes when exactly this process has ended with
// all its threads; nil when it cannot be watched. The watch ends with ctx.
func (t Processes) End(ctx context.Context, p Process) <-chan struct{} {
	if p.PID == 0 {
		return nil
	}
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return nil
	}
	if !t.Alive(p) { // The pid may have been given to another process meanwhile.
		_ = unix.Close(fd)
		return nil
	}
	ended := make(chan struct{})
	go func() {
		defer func() { _ = unix.Close(fd) }()
		for ctx.Err() == nil {
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 200)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
			if ready > 0 {
				close(ended)
				return
			}
		}
	}()
	return ended
}
