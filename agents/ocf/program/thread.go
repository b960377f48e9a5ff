package program

import (
	"os/exec"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// starter begins all programs from one thread of its own, because of the
// umask: the daemon's own files are nobody's business, and those of a web server
// that an agent starts are not the daemon's. A thread that shares its file system
// context with no other has an umask of its own, which its children inherit.
type starter struct {
	once  sync.Once
	tasks chan task
}

type task struct {
	command *exec.Cmd
	begun   chan error
}

var start starter

// childUmask is what init systems give to services.
const childUmask = 0o022

func (s *starter) begin(command *exec.Cmd) error {
	s.once.Do(func() {
		s.tasks = make(chan task)
		go s.run()
	})
	t := task{command: command, begun: make(chan error, 1)}
	s.tasks <- t
	return <-t.begun
}

func (s *starter) run() {
	// Never unlocked: a thread with another umask must not run anything else.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS); err == nil {
		unix.Umask(childUmask)
	}
	for t := range s.tasks {
		t.begun <- t.command.Start()
	}
}
