package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Program is what to run.
type Program struct {
	Path        string
	Arguments   []string
	Environment []string
	// Limit bounds the run; it must not be zero.
	Limit time.Duration
	// Place is the control group it runs in, or nil.
	Place *Place
	// Outlives tells that it is left to itself when the caller goes away before its
	// time is over: a daemon that stops does not break off what it began.
	Outlives bool
	// Begun is called with its process group as soon as it runs; it may be nil.
	Begun func(Group)
}

// Ended is how it ended.
type Ended struct {
	// Code is what it exited with; it counts only without Err.
	Code int
	// Stdout and Stderr are what it printed, at most MaxOutput each.
	Stdout, Stderr []byte
	// Err tells that there is no exit code that means anything: it could not be
	// run, was ended by a signal, printed too much, or took too long.
	Err error
	// Left tells that the caller went away and the program goes on.
	Left bool
	// Overran tells that it was ended because its time was over. Group may then
	// still be alive, and what it was doing may still happen.
	Overran bool
	Group   Group
}

// The errors of Ended.
var (
	// ErrOverran: the deadline ended it.
	ErrOverran = errors.New("did not end in time and was killed")
	// ErrLeft: whoever waited went away, and it goes on.
	ErrLeft = errors.New("was left to itself")
	// ErrFlooded: it printed more than MaxOutput.
	ErrFlooded = fmt.Errorf("printed more than %d KiB", MaxOutput>>10)
)

// floodWatch is how often the output is looked at while a program runs.
const floodWatch = 20 * time.Millisecond

// lastGasp bounds the waiting for a killed program. One that sits in the kernel,
// on dead storage say, does not die before that answers.
const lastGasp = 2 * time.Second

// Run runs a program to its end. When its time is over, or the caller's, its
// process group is killed.
func Run(ctx context.Context, p Program) Ended {
	stdout, err := newOutput("stdout")
	if err != nil {
		return Ended{Err: err}
	}
	defer stdout.Close()
	stderr, err := newOutput("stderr")
	if err != nil {
		return Ended{Err: err}
	}
	defer stderr.Close()
	command := exec.Command(p.Path, p.Arguments...)
	command.Env, command.Dir = p.Environment, "/"
	command.Stdout, command.Stderr = stdout, stderr
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if p.Place != nil {
		command.SysProcAttr.UseCgroupFD, command.SysProcAttr.CgroupFD = true, int(p.Place.Fd())
	}
	if err := start.begin(command); err != nil {
		return Ended{Err: fmt.Errorf("cannot be run: %w", err)}
	}
	group := groupOf(command.Process.Pid)
	ordinary(command.Process.Pid)
	if p.Begun != nil {
		p.Begun(group)
	}
	ended := wait(ctx, command, group, p, func() bool { return overflows(stdout) || overflows(stderr) })
	var full [2]bool
	ended.Stdout, full[0] = printed(stdout)
	ended.Stderr, full[1] = printed(stderr)
	if ended.Err == nil && (full[0] || full[1]) {
		ended.Err = ErrFlooded
	}
	return ended
}

// ordinary takes from the program what the daemon has for itself: being the
// last that the kernel kills when memory runs out.
func ordinary(pid int) {
	_ = os.WriteFile(filepath.Join("/proc", strconv.Itoa(pid), "oom_score_adj"), []byte("0"), 0)
}

func wait(ctx context.Context, command *exec.Cmd, group Group, p Program, floods func() bool) Ended {
	ended := Ended{Group: group}
	watch := time.NewTicker(floodWatch)
	defer watch.Stop()
	exited := make(chan error, 1)
	go func() { exited <- command.Wait() }()
	timer := time.NewTimer(p.Limit)
	defer timer.Stop()
	for ended.Err == nil {
		select {
		case err := <-exited:
			ended.Code, ended.Err = exitCode(err)
			return ended
		case <-watch.C:
			if floods() {
				ended.Err = ErrFlooded
			}
		case <-timer.C:
			ended.Err, ended.Overran = fmt.Errorf("%w (%s)", ErrOverran, p.Limit), true
		case <-ctx.Done():
			if p.Outlives && errors.Is(ctx.Err(), context.Canceled) {
				ended.Left, ended.Err = true, ErrLeft
				return ended
			}
			ended.Err, ended.Overran = fmt.Errorf("%w: %w", ErrOverran, context.Cause(ctx)), true
		}
	}
	group.Kill()
	timer.Reset(lastGasp)
	select {
	case <-exited:
	case <-timer.C:
	}
	return ended
}

// exitCode tells what an end means.
func exitCode(err error) (int, error) {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return 0, fmt.Errorf("its end is not known: %w", err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 0, fmt.Errorf("was ended by signal %d (%s)", status.Signal(), status.Signal())
	}
	return exit.ExitCode(), nil
}
