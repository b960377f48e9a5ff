package program

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// MaxOutput bounds what a program may print, to each of its two outputs.
const MaxOutput = 1 << 20

// newOutput is a file in memory. Whoever writes to it needs no reader.
func newOutput(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make room for a program's output: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// overflows tells that more was written than anybody will read.
func overflows(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Size() > MaxOutput
}

// printed reads what was written, and lets nobody write more: what a program
// leaves behind may go on printing, and would fill the memory in a year.
func printed(file *os.File) (text []byte, full bool) {
	_, _ = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_GROW)
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return nil, false // most say nothing
	}
	text = make([]byte, min(info.Size(), MaxOutput))
	n, err := file.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false
	}
	// A program that truncates what it was given leaves a hole before what follows.
	return bytes.ReplaceAll(text[:n], []byte{0}, nil), info.Size() > MaxOutput
}
