package stage

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// restartDelay is that of the unit file.
const restartDelay = 200 * time.Millisecond

// supervised is a process that is started again when it ends, until it is killed, as a service
// manager would.
type supervised struct {
	argv, environment []string
	logPath           string

	mu   sync.Mutex
	stop chan struct{}
	done chan struct{}
	pid  int
}

// start begins supervision; while it goes on, nothing happens.
func (s *supervised) start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return
	}
	s.stop, s.done = make(chan struct{}), make(chan struct{})
	go s.supervise(s.stop, s.done)
}

// kill ends the process at once and returns when it is gone.
func (s *supervised) kill() {
	s.mu.Lock()
	stop, done := s.stop, s.done
	s.stop, s.done = nil, nil
	s.mu.Unlock()
	if stop != nil {
		close(stop)
		<-done
	}
}

// Pid is the process's id, 0 while there is none.
func (s *supervised) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pid
}

func (s *supervised) setPid(pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pid = pid
}

// supervise keeps its thread: the kernel's promise to end the child with its parent is tied to
// the thread that started it.
func (s *supervised) supervise(stop, done chan struct{}) {
	runtime.LockOSThread()
	defer close(done)
	for {
		s.runOnce(stop)
		select {
		case <-stop:
			return
		case <-time.After(restartDelay):
		}
	}
}

func (s *supervised) runOnce(stop chan struct{}) {
	log, err := os.OpenFile(s.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer log.Close()
	command := exec.Command(s.argv[0], s.argv[1:]...)
	command.Env, command.Stdout, command.Stderr = s.environment, log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		_, _ = log.WriteString("start " + s.argv[0] + ": " + err.Error() + "\n")
		return
	}
	s.setPid(command.Process.Pid)
	ended := make(chan struct{})
	go func() {
		select {
		case <-stop:
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		case <-ended:
		}
	}()
	_ = command.Wait()
	close(ended)
	s.setPid(0)
}
