// Command clusterd-doorkeeper is libvirt's `qemu` hook: may this VM come up
// here now? It is a program of its own, and not a command of clusterd, because
// libvirt waits for it at every start and every incoming migration: it links
// nothing but the standard library and starts in milliseconds, where a program
// that loads libvirt takes many times as long.
//
// Exit codes: 0 the VM may pass, 1 refused, 2 wrong use. What it says on
// standard error goes to libvirt's log; standard output stays empty, because
// libvirt would take it for a changed definition.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/clusterd/clusterd/agents/vm/doorkeeper"
)

func main() {
	var door doorkeeper.Door
	flag.StringVar(&door.Socket, "socket", "", "the daemon's UNIX `socket`")
	flag.StringVar(&door.Managed, "managed", "", "the `file` that lists the managed VMs")
	flag.Parse()
	if door.Socket == "" || door.Managed == "" {
		fmt.Fprintln(os.Stderr, "clusterd-doorkeeper is called by libvirt, see its hooks directory")
		os.Exit(2)
	}
	if allow, reason := door.Check(context.Background(), flag.Args(), os.Stdin); !allow {
		fmt.Fprintln(os.Stderr, reason)
		os.Exit(1)
	}
}
