package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// inLab are the attacks that need real hosts with a real libvirt: tests of test/e2e, which build
// their own hosts.
var inLab = []attack{
	{"a node of the lab is removed and reaches for the hypervisors of the others",
		labTest("TestLabARemovedNodeReachesNoHypervisor")},
}

// labLimit bounds one of them.
const labLimit = 5 * time.Minute

func labTest(name string) func(context.Context, *site) error {
	return func(ctx context.Context, _ *site) error {
		if os.Geteuid() != 0 {
			return errLeftOut
		}
		for _, needed := range []string{"libvirtd", "qemu-system-x86_64", "go"} {
			if _, err := exec.LookPath(needed); err != nil {
				return fmt.Errorf("%w and the lab's packages (make packages): %w", errLeftOut, err)
			}
		}
		ctx, cancel := context.WithTimeout(ctx, labLimit)
		defer cancel()
		test := exec.CommandContext(ctx, "go", "test", "-tags", "libvirt_dlopen,urfave_cli_no_docs", "-v", "-count=1",
			"-timeout", labLimit.String(), "-run", "^"+name+"$", "./test/e2e")
		test.Env = append(os.Environ(), "CLUSTERD_LAB=1")
		test.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		test.Cancel = func() error { return syscall.Kill(-test.Process.Pid, syscall.SIGTERM) }
		test.WaitDelay = 20 * time.Second // the lab takes its hosts down
		said, err := test.CombinedOutput()
		return labVerdict(name, said, err)
	}
}

// labVerdict reads how such a test ended. One that was skipped tried nothing.
func labVerdict(name string, said []byte, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s", err, lastOf(said))
	case bytes.Contains(said, []byte("--- PASS: "+name+" ")):
		return nil
	case bytes.Contains(said, []byte("--- SKIP: "+name+" ")):
		return fmt.Errorf("%w and what the lab needs: %s", errLeftOut, lastOf(said))
	}
	return errors.Join(fmt.Errorf("no test %s was run", name), errUntried)
}

// lastOf is the end of what a test said.
func lastOf(said []byte) string {
	const most = 2000
	return strings.TrimSpace(string(said[max(0, len(said)-most):]))
}
