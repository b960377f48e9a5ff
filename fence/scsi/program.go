package scsi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	// killGrace is how long a killed helper may take to be gone.
	killGrace = 300 * time.Millisecond
	// maxHung bounds the helpers of one disk that sit in the kernel where no
	// signal reaches them: more of them would learn nothing more.
	maxHung = 4
)

// runner starts helpers and returns in time whatever becomes of them.
type runner struct {
	log *slog.Logger

	mu sync.Mutex
	// running counts the helpers of each disk that have not ended.
	running map[string]int
}

func newRunner(log *slog.Logger) *runner {
	return &runner{log: log, running: map[string]int{}}
}

// run asks one question in a process of its own. It returns soon after the
// context's end, also when the process cannot be ended.
func (r *runner) run(ctx context.Context, argv []string, q request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, longestCommand)
	if err := r.enter(q.device); err != nil {
		cancel()
		return reply{}, err
	}
	type answer struct {
		reply reply
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		defer cancel()
		defer r.leave(q.device)
		p, err := runHere(ctx, argv, q)
		done <- answer{p, err}
	}()
	select {
	case a := <-done:
		return a.reply, a.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(killGrace)
	defer grace.Stop()
	select {
	case a := <-done:
		return a.reply, a.err
	case <-grace.C:
	}
	r.log.Error("a reservation command hangs in the kernel and cannot be ended", "device", q.device, "operation",
		string(q.operation))
	return reply{}, fmt.Errorf("%s of %s hangs in the kernel and cannot be ended: %w", q.operation, q.device, ctx.Err())
}

func (r *runner) enter(device string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[device] >= maxHung {
		return fmt.Errorf("%d reservation commands to %s have not come back; look at the storage, then restart this host",
			r.running[device], device)
	}
	r.running[device]++
	return nil
}

func (r *runner) leave(device string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running[device]--
	if r.running[device] == 0 {
		delete(r.running, device)
	}
}

func runHere(ctx context.Context, argv []string, q request) (reply, error) {
	program := exec.CommandContext(ctx, argv[0], argv[1:]...)
	program.Dir = "/"
	program.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	program.Stdin = bytes.NewReader(q.encode())
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }
	program.WaitDelay = killGrace
	output, complaints := &bounded{room: maxMessage}, &bounded{room: maxDetail}
	program.Stdout, program.Stderr = output, complaints
	err := program.Run()
	if ctx.Err() != nil {
		return reply{}, fmt.Errorf("%s of %s did not end in time: %w", q.operation, q.device, ctx.Err())
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return reply{}, fmt.Errorf("%s of %s: %s: %w: %s", q.operation, q.device, argv[0], err,
			oneLine(complaints.kept.String()))
	}
	if output.lost {
		return reply{}, fmt.Errorf("%s of %s: %s answered too much", q.operation, q.device, argv[0])
	}
	p, err := decodeReply(&output.kept)
	if err != nil {
		return reply{}, fmt.Errorf("%s of %s: %s: %w", q.operation, q.device, argv[0], err)
	}
	return p, nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	room int
	kept bytes.Buffer
	lost bool
}

// Write never fails, so that a talkative program does not block.
func (b *bounded) Write(p []byte) (int, error) {
	keep := min(max(b.room-b.kept.Len(), 0), len(p))
	b.kept.Write(p[:keep])
	b.lost = b.lost || keep < len(p)
	return len(p), nil
}
