package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// agentName is the resource agent that this program is when it is called so: one
// whose parameter device is a disk that it writes to, which is what the cluster
// knows of Filesystem.
const agentName = "Filesystem"

const agentAbout = `<?xml version="1.0"?>
<resource-agent name="Filesystem" version="1.0">
<version>1.1</version>
<longdesc lang="en">Counts up on a disk, past every cache.</longdesc>
<shortdesc lang="en">a writer</shortdesc>
<parameters>
<parameter name="device" required="1"><longdesc lang="en">d</longdesc><shortdesc lang="en">d</shortdesc>
<content type="string"/></parameter>
<parameter name="directory" required="1"><longdesc lang="en">d</longdesc><shortdesc lang="en">d</shortdesc>
<content type="string"/></parameter>
<parameter name="fstype" required="1"><longdesc lang="en">d</longdesc><shortdesc lang="en">d</shortdesc>
<content type="string"/></parameter>
</parameters>
<actions>
<action name="start" timeout="60s"/>
<action name="stop" timeout="60s"/>
<action name="monitor" timeout="40s" interval="10s"/>
<action name="validate-all" timeout="20s"/>
<action name="meta-data" timeout="20s"/>
</actions>
</resource-agent>
`

// The exit codes of the OCF standard.
const (
	ocfOK            = 0
	ocfFailed        = 1
	ocfUnimplemented = 3
	ocfNotRunning    = 7
)

const writerPid = "/run/writer.pid"

// actAsAgent does one action and returns its exit code.
func actAsAgent(action string) int {
	switch action {
	case "meta-data":
		fmt.Print(agentAbout)
		return ocfOK
	case "validate-all":
		return ocfOK
	case "monitor":
		if writerPidOf() == 0 {
			return ocfNotRunning
		}
		return ocfOK
	case "start":
		if writerPidOf() != 0 {
			return ocfOK
		}
		if err := startWriter(os.Getenv("OCF_RESKEY_device")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return ocfFailed
		}
		return ocfOK
	case "stop":
		for pid := writerPidOf(); pid != 0 && writerPidOf() == pid; time.Sleep(20 * time.Millisecond) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return ocfOK
	}
	return ocfUnimplemented
}

// writerPidOf is the writer that runs, 0 for none.
func writerPidOf() int {
	text, err := os.ReadFile(writerPid)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return 0
	}
	// One that ended and that nobody has waited for yet no longer has a command line.
	line, err := os.ReadFile(filepath.Join("/proc", string(text), "cmdline"))
	if err != nil || !strings.Contains(string(line), "writer-process") {
		return 0
	}
	return pid
}

func startWriter(disk string) error {
	nothing, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = nothing.Close() }()
	process, err := os.StartProcess(self, []string{self, "writer-process", disk}, &os.ProcAttr{
		Files: []*os.File{nothing, nothing, nothing}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(writerPid, []byte(strconv.Itoa(process.Pid)), 0o600)
}

// counterOf is where a node counts on the disk: each has a place of its own.
func counterOf(name string) int64 {
	if name == "" {
		return counterAt
	}
	return counterAt + int64(name[0])*4096
}

// runWriter counts until a write fails, which it tells the test by the serial line.
func runWriter(disk string) error {
	booted, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	name := ""
	for _, word := range strings.Fields(string(booted)) {
		if value, found := strings.CutPrefix(word, "name="); found {
			name = value
		}
	}
	l, err := openLine("/dev/ttyS1")
	if err != nil {
		return err
	}
	file, page, err := openDirect(disk)
	if err != nil {
		return err
	}
	countUp(l, file, page, counterOf(name))
	return nil
}

// countUp counts on a disk until a write fails, which is an event with the error's
// number.
func countUp(l *line, file *os.File, page []byte, at int64) {
	for count := uint64(1); ; count++ {
		binary.BigEndian.PutUint64(page, count)
		if _, err := file.WriteAt(page, at); err != nil {
			var errno syscall.Errno
			errors.As(err, &errno)
			l.say("event write-failed %d %d", int(errno), count)
			return
		}
		if count == severalWrites {
			l.say("event writing")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
