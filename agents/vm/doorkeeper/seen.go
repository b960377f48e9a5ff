package doorkeeper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrNotSeen is returned by Seen when libvirt's daemon does not call the hook.
var ErrNotSeen = errors.New("libvirt does not call the hook yet")

// PidFiles are where libvirt's daemons that run QEMU write their process ids.
var PidFiles = []string{"/run/virtqemud.pid", "/run/libvirtd.pid"}

// clockTick is Linux's USER_HZ, in which /proc counts when a process started.
const clockTick = 10 * time.Millisecond

// Seen reports whether libvirt's daemon knows that there is a hook: it looks when it
// starts, and calls none later if there was none then (virHookInitialize in
// libvirt's sources). known is false where no such daemon is found by its pid file;
// nothing is said about it then. ErrNotSeen is returned when the daemon is older
// than every hook.
func Seen(hooksDir string, pidFiles []string) (known bool, err error) {
	first := firstHook(hooksDir)
	for _, file := range pidFiles {
		started, running := startOf(file)
		if !running || first.IsZero() {
			continue
		}
		if first.After(started.Add(time.Second)) { // /proc counts coarsely
			return true, fmt.Errorf("%w: it runs since %s, the hook is there since %s", ErrNotSeen,
				started.Format(time.DateTime), first.Format(time.DateTime))
		}
		known = true
	}
	return known, nil
}

// firstHook is when the first of libvirt's qemu hooks was put in place, whoever's
// it is; zero if there is none.
func firstHook(hooksDir string) time.Time {
	var first time.Time
	paths, _ := filepath.Glob(filepath.Join(hooksDir, "qemu.d", "[^.]*"))
	for _, path := range append(paths, filepath.Join(hooksDir, "qemu")) {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() &&
			(first.IsZero() || info.ModTime().Before(first)) {
			first = info.ModTime()
		}
	}
	return first
}

// startOf is when the process of a pid file started, by the wall clock as it goes
// now.
func startOf(pidFile string) (time.Time, bool) {
	text, err := os.ReadFile(pidFile)
	if err != nil {
		return time.Time{}, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return time.Time{}, false
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	end := bytes.LastIndexByte(stat, ')') // the name before it may hold anything
	if err != nil || end < 0 {
		return time.Time{}, false
	}
	const startField = 22 - 3 // proc(5) counts from 1, and two fields end with the name
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) <= startField {
		return time.Time{}, false
	}
	ticks, err := strconv.ParseInt(fields[startField], 10, 64)
	up, known := uptime()
	if err != nil || !known {
		return time.Time{}, false
	}
	return time.Now().Add(time.Duration(ticks)*clockTick - up), true
}

func uptime() (time.Duration, bool) {
	text, err := os.ReadFile("/proc/uptime")
	first, _, _ := strings.Cut(string(text), " ")
	seconds, bad := strconv.ParseFloat(first, 64)
	return time.Duration(seconds * float64(time.Second)), err == nil && bad == nil
}
