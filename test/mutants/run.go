package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

const (
	buildTags = "libvirt_dlopen,urfave_cli_no_docs"
	// The deadlines are long because machines are busy; a break that makes the
	// code run for ever is caught by them.
	buildDeadline = 4 * time.Minute
	runDeadline   = 4 * time.Minute
	maxOutput     = 1 << 20
)

// outcome is what a mutant came to.
type outcome struct {
	caught bool
	net    string
	// seeds is the step at which it was caught, or the limit it survived; 0 for
	// plain tests.
	seeds int
	// why is the first thing that the net said.
	why  string
	took time.Duration
}

// try runs a mutant against its nets, one after the other, until one catches it.
func try(ctx context.Context, root string, m mutant) (outcome, error) {
	began := time.Now()
	folder, err := os.MkdirTemp("", "clusterd-mutant-")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(folder)
	overlay := ""
	if len(m.edits) > 0 {
		if overlay, err = m.overlay(root, folder); err != nil {
			return outcome{}, err
		}
	}
	var last outcome
	for i, n := range m.nets {
		last, err = n.try(ctx, root, overlay, filepath.Join(folder, fmt.Sprintf("net%d.test", i)))
		last.took = time.Since(began)
		if err != nil {
			return last, fmt.Errorf("mutant %s: %w", m.name, err)
		}
		if last.caught {
			break
		}
	}
	return last, nil
}

// try builds the net's tests with the overlay and runs them in steps.
func (n net) try(ctx context.Context, root, overlay, binary string) (outcome, error) {
	arguments := []string{"test", "-c", "-tags", buildTags, "-o", binary}
	if overlay != "" {
		// Vet would refuse what a break leaves behind, like a condition that is never true.
		arguments = append(arguments, "-vet=off", "-overlay", overlay)
	}
	output, err := command(ctx, buildDeadline, root, nil, "go", append(arguments, n.pkg)...)
	if err != nil {
		return outcome{}, fmt.Errorf("it does not build (%w):\n%s", err, output)
	}
	steps := n.seeds
	if steps == nil {
		steps = []int{0}
	}
	last := outcome{net: n.name}
	for _, seeds := range steps {
		var environment []string
		if seeds > 0 {
			environment = append(environment, fmt.Sprintf("SEEDS=%d", seeds), "SHRINK=0")
		}
		output, err := command(ctx, runDeadline, filepath.Join(root, n.pkg), environment, binary, "-test.run", n.run, "-test.failfast", "-test.timeout", "3m")
		if ctx.Err() != nil {
			return outcome{}, ctx.Err()
		}
		last.seeds = seeds
		if err != nil {
			last.caught, last.why = true, firstComplaint(string(output))
			return last, nil
		}
		if strings.Contains(string(output), "no tests to run") {
			return outcome{}, fmt.Errorf("no test of %s is called %s", n.pkg, n.run)
		}
	}
	return last, nil
}

var (
	seedLine = regexp.MustCompile(`SEED=\d+:? .*`)
	failLine = regexp.MustCompile(`(?m)^\s*--- FAIL: \S+`)
	saidLine = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: (.*)`)
	hungLine = regexp.MustCompile(`(?m)^panic: .*`)
)

// firstComplaint is the first sentence of a failed run.
func firstComplaint(output string) string {
	text := "it ended without a word"
	switch {
	case seedLine.MatchString(output):
		text = seedLine.FindString(output)
	case hungLine.MatchString(output):
		text = hungLine.FindString(output)
	case failLine.MatchString(output):
		text = strings.TrimPrefix(strings.TrimSpace(failLine.FindString(output)), "--- FAIL: ")
		if said := saidLine.FindStringSubmatch(output); said != nil {
			text += ": " + said[1]
		}
	}
	const limit = 170
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}

// command runs a program with a deadline, without a shell, its output bounded;
// at the deadline its whole process group ends.
func command(ctx context.Context, deadline time.Duration, folder string, environment []string, name string, arguments ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), append([]string{"GOMAXPROCS=1", "SEED=", "REWRITE="}, environment...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	output := &bounded{}
	cmd.Stdout, cmd.Stderr = output, output
	err := cmd.Run()
	return output.text.Bytes(), err
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ text bytes.Buffer }

// Write takes everything and keeps what there is room for.
func (b *bounded) Write(data []byte) (int, error) {
	if room := maxOutput - b.text.Len(); room > 0 {
		b.text.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}
