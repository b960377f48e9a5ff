package watchdog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A fencer's reads and writes happen in a process of their own: a disk that
// hangs must not take the daemon along.

type jobKind string

const (
	// jobRead reads the header.
	jobRead jobKind = "look"
	// jobPost writes a message to a node's mailbox and reads it back.
	jobPost jobKind = "post"
)

type job struct {
	Kind jobKind `json:"kind"`
	Disk string  `json:"disk"`
	Node string  `json:"node,omitempty"`
	Mail Mail    `json:"mail"`
}

type jobResult struct {
	Header Header `json:"header"`
	// Problem is empty when the job was done.
	Problem string `json:"problem,omitempty"`
}

// RunHelper carries out the job on standard input; the program named in
// Options.Helper calls it and exits.
func RunHelper(in io.Reader, out io.Writer) error {
	var e job
	if err := json.NewDecoder(io.LimitReader(in, maxLine)).Decode(&e); err != nil {
		return err
	}
	header, err := e.run()
	result := jobResult{Header: header}
	if err != nil {
		result.Problem = err.Error()
	}
	return writeLine(out, result)
}

func (e job) run() (Header, error) {
	d, err := openDisk(e.Disk)
	if err != nil {
		return Header{}, err
	}
	defer d.close()
	header, err := d.header()
	if err != nil || e.Kind == jobRead {
		return header, err
	}
	slot, err := d.find(header, e.Node)
	if err != nil {
		return header, err
	}
	return header, d.post(slot, e.Mail)
}

const (
	killGrace = 300 * time.Millisecond
	// maxHung bounds the helpers of one disk that sit in the kernel.
	maxHung = 4
)

// runner starts helpers and returns in time whatever becomes of them.
type runner struct {
	argv []string
	log  *slog.Logger

	mu      sync.Mutex
	running map[string]int
}

func (r *runner) run(ctx context.Context, e job) (jobResult, error) {
	r.mu.Lock()
	if r.running[e.Disk] >= maxHung {
		r.mu.Unlock()
		return jobResult{}, fmt.Errorf(
			"%d commands to %s have not come back; look at the storage, then restart this host", maxHung, e.Disk)
	}
	r.running[e.Disk]++
	r.mu.Unlock()
	type answer struct {
		result jobResult
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		result, err := r.runHere(ctx, e)
		r.mu.Lock()
		r.running[e.Disk]--
		r.mu.Unlock()
		done <- answer{result, err}
	}()
	select {
	case a := <-done:
		return a.result, a.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(2 * killGrace)
	defer grace.Stop()
	select {
	case a := <-done:
		return a.result, a.err
	case <-grace.C:
	}
	r.log.Error("a command to a disk for fence messages hangs in the kernel and cannot be ended", "disk", e.Disk)
	return jobResult{}, fmt.Errorf("%s hangs in the kernel: %w", e.Disk, ctx.Err())
}

func (r *runner) runHere(ctx context.Context, e job) (jobResult, error) {
	text, err := json.Marshal(e)
	if err != nil {
		return jobResult{}, err
	}
	program := exec.CommandContext(ctx, r.argv[0], r.argv[1:]...)
	program.Dir = "/"
	program.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	program.Stdin = bytes.NewReader(text)
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGKILL) }
	program.WaitDelay = killGrace
	output, complaints := &bounded{}, &bounded{}
	program.Stdout, program.Stderr = output, complaints
	if err := program.Run(); err != nil {
		return jobResult{}, fmt.Errorf("%s: %w: %s", e.Disk, errors.Join(err, ctx.Err()),
			strings.Join(strings.Fields(complaints.kept.String()), " "))
	}
	var result jobResult
	if err := json.Unmarshal(output.kept.Bytes(), &result); err != nil {
		return jobResult{}, fmt.Errorf("%s: the helper's answer cannot be read: %w", e.Disk, err)
	}
	return result, nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ kept bytes.Buffer }

func (b *bounded) Write(p []byte) (int, error) {
	b.kept.Write(p[:min(max(maxLine-b.kept.Len(), 0), len(p))])
	return len(p), nil
}
