//go:build cgo

package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm/proof"
	"github.com/clusterd/clusterd/resources"
)

const unsentUUID = "6f1c0a52-4c5e-4a77-9d4e-0f6a3f0b9a01"

// unsentStart is an agent that is not connected, and a start for it.
func unsentStart(t *testing.T) (*Agent, agents.Act) {
	t.Helper()
	definition := "<domain type='qemu'><name>a</name><uuid>" + unsentUUID + "</uuid></domain>"
	sum := sha256.Sum256([]byte(definition))
	uri := "qemu+unix:///system?socket=" + t.TempDir() + "/none"
	a, err := New(Options{Node: "node1", StateDir: t.TempDir(), URI: uri})
	if err != nil {
		t.Skip("libvirt is not installed: ", err)
	}
	t.Cleanup(func() { _ = a.Close() })
	spec := resources.Spec{Name: "vm:a", UUID: unsentUUID, Definition: hex.EncodeToString(sum[:])}
	return a, agents.Act{Spec: spec, Definition: definition, ID: "1.2.0"}
}

func TestAStartWithoutAConnectionWasNotSent(t *testing.T) {
	a, start := unsentStart(t)
	if got := a.Start(context.Background(), start); !got.Unsent || got.OK || got.Source != agents.Unknown {
		t.Errorf("a start without a connection ended with %+v; want it unsent", got)
	}
	begin(t, a)
	if got := a.Start(context.Background(), start); got.Unsent {
		t.Errorf("a start beside an open call counts as unsent: %+v", got)
	}
}

// begin leaves a create open that an earlier act sent.
func begin(t *testing.T, a *Agent) {
	t.Helper()
	if _, err := a.journal.Begin(unsentUUID, proof.Create, "1.1.0", proof.Process{}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestAStartWhoseLookIsNotAnsweredWasNotSent: libvirtd takes the connection and then hangs. What
// was not sent has not happened; what an earlier act sent may have, and so may what somebody else
// started here.
func TestAStartWhoseLookIsNotAnsweredWasNotSent(t *testing.T) {
	for _, tc := range []struct {
		name   string
		before func(*testing.T, *Agent)
		unsent bool
	}{
		{"nothing is here", func(*testing.T, *Agent) {}, true},
		{"an earlier create is open", begin, false},
		{"its QEMU is here", func(t *testing.T, _ *Agent) { qemuOf(t, unsentUUID) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, start := unsentStart(t)
			tc.before(t, a)
			hangs := &session{slots: a.slots, lost: make(chan struct{}), turn: make(chan struct{}, 1)}
			hangs.turn <- struct{}{} // a call that is not answered has it
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			got := a.startOn(ctx, hangs, start.Spec, start)
			if got.OK || got.Source != agents.Unknown || got.Unsent != tc.unsent {
				t.Errorf("it ended with %+v; want unsent %t", got, tc.unsent)
			}
		})
	}
}

// TestACreateThatWasSentIsNotUnsent: also where libvirt refused it, and its answer is in. One that
// could not be written down was not sent.
func TestACreateThatWasSentIsNotUnsent(t *testing.T) {
	for _, sent := range []bool{true, false} {
		a, start := unsentStart(t)
		conn, err := libvirt.NewConnect("test:///default")
		if err != nil {
			t.Skip("this libvirt has no test driver: ", err)
		}
		defer func() { _, _ = conn.Close() }()
		s := &session{conn: conn, slots: a.slots, lost: make(chan struct{}), turn: make(chan struct{}, 1)}
		if !sent {
			if err := os.RemoveAll(filepath.Join(a.options.StateDir, "calls")); err != nil {
				t.Fatal(err)
			}
		}
		got := a.startOn(context.Background(), s, start.Spec, start)
		if got.OK || got.Source != agents.Unknown || got.Unsent == sent {
			t.Errorf("sent: %t, and it ended with %+v", sent, got)
		}
	}
}

// qemuOf runs something that the process table shows as the QEMU of a VM.
func qemuOf(t *testing.T, uuid string) {
	t.Helper()
	guest := exec.Command("/bin/sh")
	guest.Args = []string{"qemu-fake", "-c", "echo; read end", "qemu", "-uuid", uuid}
	end, err := guest.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := guest.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := guest.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = end.Close()
		_ = guest.Wait()
	})
	if _, err := out.Read(make([]byte, 1)); err != nil { // it runs
		t.Fatal(err)
	}
}
