package cgroup

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"
)

func TestGroupFreezesAndKills(t *testing.T) {
	if os.Getenv("CLUSTERD_LAB") == "" || os.Geteuid() != 0 {
		t.Skip("makes cgroups: set CLUSTERD_LAB=1 and be root")
	}
	for version, avoid := range map[int]bool{2: false, 1: true} {
		AvoidVersion2 = avoid
		if _, found, err := Root(); err != nil || found != version {
			t.Logf("no cgroup of version %d here: %v", version, err)
			continue
		}
		checkGroup(t)
	}
	AvoidVersion2 = false
}

func checkGroup(t *testing.T) {
	t.Helper()
	group, err := New("cgtest-hub")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command("sleep", "1000")
	if err := group.Start(command); err != nil {
		t.Fatal(err)
	}
	if processes := group.processes(); len(processes) != 1 || processes[0] != command.Process.Pid {
		t.Fatalf("processes %v, want %d", processes, command.Process.Pid)
	}
	if err := group.Freeze(2 * time.Second); err != nil {
		t.Fatal(err)
	}
	reaped := make(chan error, 1)
	go func() { reaped <- command.Wait() }()
	if err := KillMatching(regexp.MustCompile("^cgtest-hub$")); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := <-reaped; !errors.As(err, &exit) {
		t.Fatalf("the process ended with %v, want a signal", err)
	}
	if _, err := os.Stat(group.path); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the cgroup is left: %v", err)
	}
	if err := group.Kill(); err != nil {
		t.Fatalf("killing what is gone: %v", err)
	}
}
