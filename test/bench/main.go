// Command bench measures clusterd on the lab's pretend hosts: real libvirt, QEMU, IPMI and power
// cuts, on one machine. Its last line is one "figure:" line for each run, for comparing over
// time.
//
//	bench failover -n 10   from a power cut to the VM running elsewhere, for a follower's host and
//	                       for the leader's
//	bench migrate -n 10    clusvcadm -M beside plain virsh migrate
//	bench idle             memory and CPU of clusterd when nothing happens
//	bench join             from clusterd join to a voter, 3 and 7 nodes; needs no lab
//	bench services -n 500  many services made of resources; needs no lab
//	bench fence            from the decision to fence to the proof, one node at a time and 16 at
//	                       once; needs no lab: the daemons and the controllers' protocols are
//	                       real, the machines are pretended
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// The most rounds of one run.
const roundsLimit = 200

func main() {
	lab.Reexec()
	benches := map[string]func(context.Context, *bench) error{"failover": failover, "migrate": migrate, "idle": idle}
	if len(os.Args) < 2 || (benches[os.Args[1]] == nil && os.Args[1] != "fence" && os.Args[1] != "services" &&
		os.Args[1] != "join") {
		fmt.Fprintln(os.Stderr, "usage: bench failover|migrate|idle|services|fence|join [-n ROUNDS] [-tools FOLDER]")
		os.Exit(2)
	}
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	rounds := flags.Int("n", 10, "how many `ROUNDS` of each kind")
	tools := flags.String("tools", "bin", "the `FOLDER` with clusterd, clustat and clusvcadm")
	prefix := flags.String("prefix", "bench", "begins the names of what the lab makes on this machine")
	scsi := flags.String("scsi", "",
		"the `FIGURE` that make test-fence-vm measured, in milliseconds, for fence's last line")
	keep := flags.Bool("keep-files", false, "leave the lab's folder there, for its logs")
	_ = flags.Parse(os.Args[2:]) // It ends the program by itself.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if os.Args[1] == "services" {
		if err := services(ctx, *tools, *rounds); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if os.Args[1] == "join" {
		if err := joining(ctx, *tools); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if *rounds < 1 || *rounds > roundsLimit {
		fmt.Fprintf(os.Stderr, "bench: -n is %d; use 1 to %d\n", *rounds, roundsLimit)
		os.Exit(2)
	}
	options := lab.Options{Prefix: *prefix, KeepFiles: *keep}
	if os.Args[1] == "fence" {
		if err := fencing(ctx, *tools, *rounds, *scsi); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, *tools, options, *rounds, benches[os.Args[1]]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is a run on a lab.
type bench struct {
	world   *stage.Lab
	cluster *stage.Cluster
	rounds  int
}

func run(ctx context.Context, tools string, options lab.Options, rounds int,
	measure func(context.Context, *bench) error) (err error) {
	world, err := stage.NewLab(ctx, tools, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, world.Close()) }()
	b := &bench{world: world, cluster: &stage.Cluster{World: world}, rounds: rounds}
	err = measure(ctx, b)
	if err != nil && ctx.Err() == nil {
		for _, node := range world.Nodes() {
			fmt.Fprintf(os.Stderr, "--- the end of the log of %s\n%s\n", node, b.cluster.LogTail(node, 30))
		}
	}
	return err
}

// found makes the cluster of a plan and waits until all is at rest and each node can be fenced.
func (b *bench) found(ctx context.Context, plan stage.Plan) error {
	b.cluster.Plan = plan
	if err := b.cluster.Found(ctx); err != nil {
		return err
	}
	if err := b.cluster.Apply(ctx); err != nil {
		return err
	}
	_, err := b.cluster.Wait(ctx, "all is at rest", func(s api.Status) bool {
		return atRest(s) &&
			len(s.Services) == len(plan.Services)
	})
	return err
}

func atRest(s api.Status) bool {
	return stage.AllStarted(s) && stage.Protected(s) && len(stage.OnlineNodes(s)) == len(s.Nodes)
}

// pause lets the cluster come to rest; a benchmark measures one thing at a time.
func pause(ctx context.Context, length time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(length):
	}
}

// waitForAnswer waits until a guest is heard.
func waitForAnswer(ctx context.Context, watch stage.Watch) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if seen := watch.Seen(); seen.Answers && seen.SilentFor < 50*time.Millisecond {
			return nil
		}
		pause(ctx, 5*time.Millisecond)
	}
	return fmt.Errorf("the guest does not answer: %+v", watch.Seen())
}
