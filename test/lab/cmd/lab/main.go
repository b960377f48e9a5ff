// Command lab keeps a little cluster of pretend hosts for use by hand. "lab up" leaves it
// running in the background; "lab down" removes it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/test/lab"
)

const usage = `lab - pretend hosts on one machine, for real libvirt, QEMU and IPMI (needs root)

  lab up [N]                    build a lab of N hosts (default 3) and leave it up
  lab down                      remove it, and what a killed one left
  lab status                    show hosts, addresses, boot ids
  lab enter HOST [-- COMMAND]   run a command (default: a shell) inside a host
  lab crash|boot|shutdown|freeze|thaw HOST
  lab cut|heal HOST [mgmt|store|bmc|guest ...]     cables; mgmt if none is named
  lab bmc HOST healthy|refuses|stuck|lies|dead     let a BMC fail
  lab bmc HOST slow DURATION                       let power off take its time
  lab xml NAME NUMBER           print the domain of a tiny guest, for virsh create
  lab writers DISK              who wrote to a disk, and the verdict
  lab demo-smoke                build a lab, move a guest, cut a power, and remove it

The environment variable LAB_PREFIX (default cl) keeps two labs apart.
`

func main() {
	lab.Reexec()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:])
	var exit exitCode
	if errors.As(err, &exit) {
		os.Exit(int(exit))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// exitCode passes on the exit code of a command that was run inside a host.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func prefix() string {
	if prefix := os.Getenv("LAB_PREFIX"); prefix != "" {
		return prefix
	}
	return "cl"
}

func run(ctx context.Context, words []string) error {
	if len(words) == 0 {
		fmt.Print(usage)
		return exitCode(2)
	}
	directory := lab.DefaultDirectory(prefix())
	verb, rest := words[0], words[1:]
	switch verb {
	case "up":
		return up(ctx, rest)
	case "serve":
		return serve(ctx, rest)
	case "down":
		return down(ctx, directory)
	case "status":
		return printStatus(ctx, directory)
	case "enter":
		return enter(ctx, directory, rest)
	case "xml":
		return printXML(rest)
	case "demo-smoke":
		return demoSmoke(ctx)
	case "writers":
		answer, err := lab.Ask(ctx, directory, "writers", rest...)
		fmt.Print(answer.Text)
		return explain(err, directory)
	case "crash", "boot", "shutdown", "freeze", "thaw", "cut", "heal", "bmc":
		if len(rest) == 0 {
			return fmt.Errorf("%s which host? for example: lab %s node1", verb, verb)
		}
		began := time.Now()
		request := append([]string{rest[0], verb}, rest[1:]...)
		if _, err := lab.Ask(ctx, directory, "host", request...); err != nil {
			return explain(err, directory)
		}
		fmt.Printf("%s %s: done in %v\n", verb, strings.Join(rest, " "), time.Since(began).Round(time.Millisecond))
		return nil
	case "help", "-h", "--help":
		fmt.Print(usage)
		return nil
	}
	return fmt.Errorf("unknown verb %q; \"lab help\" lists them", verb)
}

// explain turns the error of a missing socket into what it means.
func explain(err error, directory string) error {
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no lab is up in %s; start one with: lab up", directory)
	}
	if errors.Is(err, os.ErrPermission) {
		return lab.ErrNotRoot
	}
	return err
}
