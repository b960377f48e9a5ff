// Command demo tells the story of a small cluster from its founding to its third lost host, with
// the real daemons, and checks each claim it makes. Its exit code is 0 only when all checks
// hold.
//
// By default the hosts are the lab's: real libvirt, QEMU, IPMI and power cuts, in namespaces of
// this machine (root). With -simulated it needs no root: the daemons, their log and their tools
// are real, hypervisor and machines are pretended, and each headline says so.
//
// With -fence it tells how hosts are made harmless when their BMCs are dead, hosts hang, or
// power comes from two sides, and with -migration how a live move is asked about, refused, limited,
// hurried and given up. With -web it tells nothing, and leaves a simulated cluster up whose nodes
// serve the page.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// longest bounds the whole story; it takes a tenth of that.
const longest = 9 * time.Minute

func main() {
	lab.Reexec()
	simulated := flag.Bool("simulated", false, "pretend hypervisor and machines; needs no root")
	tools := flag.String("tools", "bin", "the `FOLDER` with clusterd, clustat and clusvcadm")
	prefix := flag.String("prefix", "demo", "begins the names of what the lab makes on this machine")
	keep := flag.Bool("keep-files", false, "leave the lab's folder there, for its logs")
	service := flag.Bool("service", false,
		"tell the story of a service made of resources, with the agents of Debian's resource-agents")
	fencing := flag.Bool("fence", false, "tell the story of the fence devices instead; it needs the lab")
	moving := flag.Bool("migration", false, "tell the story of a live move instead; it needs the lab")
	page := flag.Bool("web", false, "leave a simulated cluster with the page up")
	vms := flag.Int("vms", 8, "how many VMs more that cluster has")
	missing := flag.Bool("missing-packages", false,
		"print the Debian packages that the lab lacks here, and do nothing else")
	flag.Parse()
	packages, story := lab.Missing(), tell
	if *service {
		packages, story = append(packages, missingForService()...), tellService
	}
	if *fencing {
		story = tellFence
	}
	if *moving {
		story = tellMigration
	}
	limit := longest
	if *page {
		*simulated, limit, story = true, pageLongest, tellPage(*vms)
	}
	if *missing {
		fmt.Println(strings.Join(packages, " "))
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	open := func() (stage.World, error) {
		if *simulated {
			return stage.NewSimulated(*tools)
		}
		return stage.NewLab(ctx, *tools, lab.Options{Prefix: *prefix, KeepFiles: *keep})
	}
	err := run(ctx, open, story)
	if errors.Is(ctx.Err(), context.Canceled) {
		err = errors.New("interrupted; nothing is left behind")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo:", err)
		os.Exit(1)
	}
}

// run opens the world, tells the story, and takes everything away again, whatever happened.
func run(ctx context.Context, open func() (stage.World, error),
	story func(context.Context, *teller, stage.World) error) (err error) {
	t := newTeller(os.Stdout)
	t.headline("Three machines are made and get power")
	if len(lab.Missing()) > 0 && os.Geteuid() == 0 {
		t.say("Packages that are missing are installed first; that takes a few minutes, once.")
	}
	world, err := open()
	if err != nil {
		return explain(err)
	}
	defer func() {
		closing := time.Now()
		err = errors.Join(err, world.Close())
		t.say("Everything was taken away again in %s.", span(time.Since(closing)))
	}()
	t.label = world.Label()
	return story(ctx, t, world)
}

// explain says what an ordinary user can do.
func explain(err error) error {
	if errors.Is(err, lab.ErrNotRoot) || errors.Is(err, lab.ErrNotDebian) {
		return fmt.Errorf("%w\nWithout that, the same story runs on a simulated hypervisor: make demo SIM=1", err)
	}
	return err
}
