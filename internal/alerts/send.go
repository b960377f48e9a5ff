package alerts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/owned"
)

const (
	// mostOutput is what is kept of what a program or an address says.
	mostOutput = 4096
	// saidLength is what of it is repeated to a person.
	saidLength = 200
	// killGrace is how long a killed program's pipes are waited for.
	killGrace = time.Second
)

// Send makes one attempt within the alert's timeout. The error says in a sentence
// what did not work, without secrets.
func Send(ctx context.Context, alert cluster.Alert, m Message) error {
	alert = alert.WithDefaults()
	ctx, cancel := context.WithTimeout(ctx, alert.Timeout)
	defer cancel()
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("the event cannot be written: %w", err)
	}
	if alert.Program != "" {
		return run(ctx, alert, m, body)
	}
	return post(ctx, alert, m, body)
}

// run gives the event to a program: no shell, a deadline, and its whole process
// group is gone afterwards.
func run(ctx context.Context, alert cluster.Alert, m Message, body []byte) error {
	if err := owned.Program(alert.Program); err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return fmt.Errorf("%s could not be started: %w", alert.Program, err)
	}
	program := exec.CommandContext(ctx, alert.Program, alert.Arguments...)
	program.Dir = "/"
	program.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
		"HOME=/"}, m.Environment()...)
	program.Stdin = bytes.NewReader(append(body, '\n'))
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }
	program.WaitDelay = killGrace
	said := &clipped{}
	program.Stdout, program.Stderr = said, said
	if err := program.Start(); err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return fmt.Errorf("%s could not be started: %w", alert.Program, err)
	}
	awaitExit(program.Process.Pid)
	// Not reaped yet, so the number is still that of its group.
	_ = syscall.Kill(-program.Process.Pid, syscall.SIGKILL)
	err := program.Wait()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s did not end within %s and was killed", alert.Program, alert.Timeout)
	case program.ProcessState.Success():
		return nil // also when it left something behind that held the pipes
	case program.ProcessState.Exited():
		return fmt.Errorf("%s ended with exit code %d%s", alert.Program, program.ProcessState.ExitCode(), said.quoted())
	}
	return fmt.Errorf("%s failed: %w%s", alert.Program, err, said.quoted())
}

// awaitExit returns when a child has ended, and leaves it to be reaped.
func awaitExit(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
		continue
	}
}

// clipped keeps the beginning of what is written.
type clipped struct{ kept bytes.Buffer }

func (c *clipped) Write(text []byte) (int, error) {
	if room := mostOutput - c.kept.Len(); room > 0 {
		c.kept.Write(text[:min(len(text), room)])
	}
	return len(text), nil
}

// quoted is what was said, as the end of a sentence.
func (c *clipped) quoted() string { return quoted(c.kept.Bytes()) }

func quoted(text []byte) string {
	printable := strings.Map(func(letter rune) rune {
		if unicode.IsPrint(letter) {
			return letter
		}
		return ' '
	}, strings.ToValidUTF8(string(text), ""))
	words := strings.Join(strings.Fields(printable), " ")
	if words == "" {
		return ""
	}
	if letters := []rune(words); len(letters) > saidLength {
		words = string(letters[:saidLength]) + "..."
	}
	return ": " + words
}
