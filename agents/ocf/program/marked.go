package program

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// Marked reports whether any process has this entry (NAME=VALUE) in the
// environment it was begun with. It is the answer of last resort, for a program of
// which a daemon that was killed could no longer write down the number.
func Marked(entry string) bool {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return true
	}
	want := append([]byte(entry), 0)
	for _, process := range processes {
		if _, err := strconv.Atoi(process.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile(filepath.Join("/proc", process.Name(), "environ"))
		if err == nil && (bytes.HasPrefix(text, want) || bytes.Contains(text, append([]byte{0}, want...))) {
			return true
		}
	}
	return false
}
