package program

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// MaxOutput bounds what a program may print, to each of its two outputs.
const MaxOutput = 1 << 20

// newOutput is a file in memory that cannot grow beyond MaxOutput: whoever
// writes more gets an error and no signal.
func newOutput(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make room for a program's output: %w", err)
	}
	file := os.NewFile(uintptr(fd), name)
	if err := file.Truncate(MaxOutput); err != nil {
		file.Close()
		return nil, fmt.Errorf("make room for a program's output: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_GROW); err != nil {
		file.Close()
		return nil, fmt.Errorf("bound a program's output: %w", err)
	}
	return file, nil
}

// printed reads what was written; full tells that there was no room for more.
func printed(file *os.File) (text []byte, full bool) {
	end, err := file.Seek(0, io.SeekCurrent)
	if err != nil || end == 0 {
		return nil, false
	}
	text = make([]byte, min(end, MaxOutput))
	n, err := file.ReadAt(text, 0)
	if err != nil && n == 0 {
		return nil, false
	}
	return text[:n], end >= MaxOutput
}
