package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// mostOutput bounds what is told of a program's output; the test reads lines.
const mostOutput = 16 << 10

// outcome is how a program ended.
type outcome struct {
	Code   int
	Output string
}

// put is "put FILE BASE64".
func (n *node) put(_ context.Context, words []string) (any, error) {
	text, err := base64.StdEncoding.DecodeString(words[1])
	if err == nil {
		err = os.MkdirAll(filepath.Dir(words[0]), 0o755)
	}
	if err != nil {
		return nil, err
	}
	return nil, os.WriteFile(words[0], text, 0o600)
}

// run is "run FILE PROGRAM ..." with the file as the program's input.
func (n *node) run(ctx context.Context, words []string) (any, error) {
	input, err := os.Open(words[0])
	if err != nil {
		return nil, err
	}
	defer func() { _ = input.Close() }()
	command := exec.CommandContext(ctx, words[1], words[2:]...)
	var out bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = input, &out, &out
	err = command.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return nil, err
	}
	return outcome{Code: command.ProcessState.ExitCode(), Output: tail(out.Bytes())}, nil
}

// spawn is "spawn LOG PROGRAM ...": a program that goes on.
func (n *node) spawn(_ context.Context, words []string) (any, error) {
	log, err := os.OpenFile(words[0], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()
	command := exec.Command(words[1], words[2:]...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := command.Start(); err != nil {
		return nil, err
	}
	go func() { _ = command.Wait() }()
	return command.Process.Pid, nil
}

// show is "show FILE": the end of it.
func (n *node) show(_ context.Context, words []string) (any, error) {
	file, err := os.Open(words[0])
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(file)
	return tail(text), err
}

func tail(text []byte) string { return string(text[max(0, len(text)-mostOutput):]) }
