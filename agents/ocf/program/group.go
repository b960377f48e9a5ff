package program

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Group is the process group of a program, which is named by its leader: the
// process that we began. It survives in files, so that a daemon knows a program
// that an earlier one began.
type Group struct {
	PID int `json:"pid"`
	// Born is when the leader began, in the kernel's ticks since the boot. It tells
	// the leader from another process that got its number later.
	Born uint64 `json:"born"`
}

// groupOf reads when a process began.
func groupOf(pid int) Group {
	stat, err := readStat(pid)
	if err != nil {
		return Group{PID: pid}
	}
	return Group{PID: pid, Born: stat.born}
}

// Alive reports whether any process of the group is left that can still do
// something. What cannot be read counts as alive.
func (g Group) Alive() bool {
	if g.PID <= 1 {
		return false
	}
	if err := unix.Kill(-g.PID, 0); errors.Is(err, unix.ESRCH) {
		return false
	}
	if leader, err := readStat(g.PID); err == nil && g.Born != 0 && leader.born != g.Born {
		return false // a number is given again only when its group is gone
	}
	return g.anyMember()
}

// anyMember looks for a process of the group that is no zombie: one that waits
// for its parent to hear of its end no longer does anything.
func (g Group) anyMember() bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return true
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil && stat.group == g.PID && stat.state != 'Z' && stat.state != 'X' {
			return true
		}
	}
	return false
}

// Kill ends every process of the group.
func (g Group) Kill() {
	if g.PID > 1 && g.Alive() {
		_ = unix.Kill(-g.PID, unix.SIGKILL)
	}
}

type stat struct {
	state byte
	group int
	born  uint64
}

var errStat = errors.New("a process's stat cannot be read")

// readStat reads what proc(5) says of /proc/PID/stat; the name in it may hold
// anything, so fields are counted from its end.
func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return stat{}, errStat
	}
	fields := bytes.Fields(text[end+1:])
	if len(fields) < 20 {
		return stat{}, errStat
	}
	group, err := strconv.Atoi(string(fields[2]))
	if err != nil {
		return stat{}, errStat
	}
	born, err := strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return stat{}, errStat
	}
	return stat{state: fields[0][0], group: group, born: born}, nil
}
