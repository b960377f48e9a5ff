package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

const (
	// mostMemory is what a process that fuzzes may have, in bytes: no input may make a parser take
	// more. From half of it on Go's collector works harder, so that garbage alone does not reach it.
	mostMemory = 2 << 30
	// bounding is the name in the environment that has this program run another one within that.
	bounding = "CLUSTERD_FUZZ_BOUNDED"
)

// bounded turns this process into another one, which the kernel gives no more than its memory: a
// limit that Go itself counts is only a wish. The limit is that of writable private memory, because
// Go reserves far more addresses than it uses. It returns why it could not.
func bounded(program []string) error {
	if len(program) == 0 {
		return fmt.Errorf("there is nothing to run within %d MiB", mostMemory>>20)
	}
	const limitOfData = 2 // RLIMIT_DATA, the same on every Linux
	if err := syscall.Setrlimit(limitOfData, &syscall.Rlimit{Cur: mostMemory, Max: mostMemory}); err != nil {
		return fmt.Errorf("bound the memory: %w", err)
	}
	path, err := exec.LookPath(program[0])
	if err != nil {
		return err
	}
	return syscall.Exec(path, program, os.Environ())
}
