package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/fence"
)

// The actions used. Never reboot: it says 0 as soon as off succeeded and turns
// the machine on again.
const (
	actionOff     = "off"
	actionOn      = "on"
	actionStatus  = "status"
	actionMonitor = "monitor"
)

// The exit statuses of the protocol; anything else is a failure.
const (
	exitDone = 0
	exitOff  = 2
)

const (
	// largestOutput bounds what is kept of an agent's output.
	largestOutput = 64 << 10
	// pipeGrace is how long a child may hold the pipes after the agent ended.
	pipeGrace = 200 * time.Millisecond
	// killGrace is how long a killed agent may take to be gone.
	killGrace = 500 * time.Millisecond
	// maxPrograms bounds the agents that run at once on this node.
	maxPrograms = 32
)

// limits of one run, by action. An agent waits up to 20 seconds for the power
// to change (power_timeout) before it says that it did not.
var limits = map[string]time.Duration{
	actionOff: 40 * time.Second, actionOn: 40 * time.Second, actionStatus: 15 * time.Second,
	actionMonitor: 15 * time.Second,
}

// command is one run of an agent.
type command struct {
	path    string
	input   string
	limit   time.Duration
	largest int
	// question is set where too much output may end the program.
	question bool
}

// outcome is how a run ended.
type outcome struct {
	// exit is the exit status; it counts only when err is nil.
	exit    int
	err     error
	stdout  []byte
	stderr  []byte
	clipped bool
}

// runner starts agents: without a shell, in a process group of their own.
type runner struct {
	slots chan struct{}
	log   *slog.Logger
}

func newRunner(log *slog.Logger) *runner {
	return &runner{slots: make(chan struct{}, maxPrograms), log: log}
}

// run returns soon after the context's end, also when the agent cannot be
// killed because it hangs in the kernel; it then keeps its place among
// maxPrograms until it is gone.
func (r *runner) run(ctx context.Context, c command) outcome {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		cancel()
		return outcome{err: fmt.Errorf("%d fence agents run on this node already: %w", maxPrograms, ctx.Err())}
	}
	done := make(chan outcome, 1)
	go func() {
		defer cancel()
		defer func() { <-r.slots }()
		done <- r.runHere(ctx, c)
	}()
	select {
	case o := <-done:
		return o
	case <-ctx.Done():
	}
	grace := time.NewTimer(killGrace)
	defer grace.Stop()
	select {
	case o := <-done:
		return o
	case <-grace.C:
		return outcome{err: fmt.Errorf("it cannot even be killed: %w", ctx.Err())}
	}
}

func (r *runner) runHere(ctx context.Context, c command) outcome {
	program := exec.CommandContext(ctx, c.path)
	program.Dir = "/"
	program.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/"}
	// Through a pipe: only the agent can read it.
	program.Stdin = strings.NewReader(c.input)
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }
	program.WaitDelay = pipeGrace
	output, complaints := &clipped{room: c.largest, ends: c.question}, &clipped{room: c.largest, ends: c.question}
	program.Stdout, program.Stderr = output, complaints
	if err := program.Start(); err != nil {
		return outcome{err: fmt.Errorf("it could not be started: %w", err)}
	}
	awaitExit(program.Process.Pid)
	// What an agent leaves behind could switch power long after its intent. The
	// agent is not reaped yet, so the number is still its group's.
	_ = syscall.Kill(-program.Process.Pid, syscall.SIGKILL)
	err := program.Wait()
	if errors.Is(err, exec.ErrWaitDelay) {
		r.log.Warn("a fence agent left a process behind that could not be ended", "agent", c.path)
	}
	o := outcome{stdout: output.kept.Bytes(), stderr: complaints.kept.Bytes(), clipped: output.lost || complaints.lost}
	o.exit, o.err = exitOf(ctx, program.ProcessState)
	return o
}

// awaitExit returns when a child has ended, and leaves it to be reaped.
func awaitExit(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		continue
	}
}

// exitOf returns the exit status, or why there is none.
func exitOf(ctx context.Context, state *os.ProcessState) (int, error) {
	switch {
	case ctx.Err() != nil:
		return 0, fmt.Errorf("it was killed when its time was up: %w", ctx.Err())
	case !state.Exited():
		return 0, fmt.Errorf("it was ended by a signal: %s", state)
	}
	return state.ExitCode(), nil
}

// ended reports whether the agent ended by itself with one of these statuses.
func (o outcome) ended(statuses ...int) bool {
	for _, status := range statuses {
		if o.err == nil && o.exit == status {
			return true
		}
	}
	return false
}

// power reads the outcome of status. Two is also what argument parsers and
// interpreters exit with when they did not understand, so an outcome that
// looks like that is no reading.
func (o outcome) power() fence.Power {
	text := bytes.ToLower(append(bytes.Clone(o.stdout), o.stderr...))
	for _, mark := range []string{"usage:", "traceback (most", "unrecognized", "syntax error"} {
		if bytes.Contains(text, []byte(mark)) {
			return fence.PowerUnknown
		}
	}
	switch {
	case o.ended(exitDone):
		return fence.PowerOn
	case o.ended(exitOff):
		return fence.PowerOff
	}
	return fence.PowerUnknown
}

// String names the way it ended, without its output.
func (o outcome) String() string {
	if o.err != nil {
		return o.err.Error()
	}
	return fmt.Sprintf("exit status %d", o.exit)
}

// timedOut reports whether the deadline ended it.
func (o outcome) timedOut() bool {
	return errors.Is(o.err, context.DeadlineExceeded) || errors.Is(o.err, context.Canceled)
}

// clipped keeps the beginning of what is written to it and swallows the rest,
// so that a talkative program neither fills memory nor blocks.
type clipped struct {
	room int
	// ends makes it close the pipe instead: right for a question, while an
	// agent in the middle of switching must not be disturbed.
	ends bool
	lost bool
	kept bytes.Buffer
}

// Write fails only where too much output ends the program.
func (c *clipped) Write(p []byte) (int, error) {
	keep := min(max(c.room-c.kept.Len(), 0), len(p))
	c.kept.Write(p[:keep])
	c.lost = c.lost || keep < len(p)
	if c.lost && c.ends {
		return keep, io.ErrShortWrite
	}
	return len(p), nil
}
