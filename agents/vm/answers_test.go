//go:build cgo

package vm

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// TestALibvirtdThatTakesConnectionsAndNeverAnswersDoesNotHoldTheQuestion: its socket is there,
// as that of a stopped process is, and nobody reads from it.
func TestALibvirtdThatTakesConnectionsAndNeverAnswersDoesNotHoldTheQuestion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	taken := make(chan net.Conn, 16)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			taken <- connection
		}
	}()
	a, err := New(Options{Node: "node1", StateDir: t.TempDir(), URI: "qemu+unix:///system?socket=" + path})
	if err != nil {
		t.Skip("libvirt is not installed: ", err)
	}
	defer func() { _ = a.Close() }()
	hanging := <-taken // the agent has connected, and waits for an answer
	defer func() { _ = hanging.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := a.Answers(ctx); err == nil {
		t.Error("a hypervisor that never said a word answers")
	}
	if ctx.Err() != nil {
		t.Error("the question took all the time it had, although no connection is open that it could ask on")
	}
}

// TestALibvirtdThatTakesLongToConnectIsTriedOnceAtATime: each try that hangs costs a thread.
func TestALibvirtdThatTakesLongToConnectIsTriedOnceAtATime(t *testing.T) {
	tries, answer := make(chan struct{}, 16), make(chan error)
	k := &asker{open: func() (*session, error) {
		tries <- struct{}{}
		return nil, <-answer
	}}
	hurried, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		if _, err := k.get(hurried); !errors.Is(err, errNotAsked) {
			t.Fatalf("a connection that hangs: %v", err)
		}
	}
	<-tries
	if len(tries) != 0 {
		t.Errorf("%d more tries while the first one hangs", len(tries))
	}
	refusal := errors.New("connection refused")
	ended := k.opening
	answer <- refusal
	<-ended
	go func() { answer <- refusal }()
	if _, err := k.get(t.Context()); !errors.Is(err, refusal) {
		t.Errorf("the next try: %v", err)
	}
}
