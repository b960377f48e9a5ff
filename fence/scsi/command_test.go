package scsi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheCheckOfADeviceRefusesACommandOfAnybody: that its command may not be run as root is told
// where the device is checked, and not only when a node is to be fenced.
func TestTheCheckOfADeviceRefusesACommandOfAnybody(t *testing.T) {
	b, device := newBench(t), san()
	command := filepath.Join(t.TempDir(), "command")
	if err := os.WriteFile(command, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(command, 0o777); err != nil {
		t.Fatal(err)
	}
	device.Options["command"] = command
	problem := b.driver("a").Check(within(t, 20*time.Second), device).Problem
	if !strings.Contains(problem, "refusing to run "+command+" as root: ") {
		t.Errorf("it says %q", problem)
	}
}
