package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

// limit bounds a whole run.
const limit = 8 * time.Minute

// attack is one thing that somebody tries.
type attack struct {
	// name says who tries what.
	name string
	// try returns nil when the cluster held, and else what the attacker got.
	try func(ctx context.Context, s *site) error
}

// stages are played in order, each on the cluster as the one before left it.
var stages = []struct {
	headline string
	attacks  []attack
}{
	{"a node was removed, and its disk and the authority's key are out", strangers},
	{"a member forwards what no member could apply", poisoners},
	{"crowds of strangers, and a host loses its power meanwhile", crowds},
}

func main() {
	tools := flag.String("tools", "bin", "the `FOLDER` of the build")
	only := flag.String("only", "", "play the attacks whose names contain this `TEXT`")
	verbose := flag.Bool("v", false, "show the ends of the daemons' logs when an attack got through")
	crowd := flag.String("noise", "", "be the crowd of this `NAME`; the program starts itself so")
	victims := flag.String("victims", "", "what that crowd knows, as `JSON`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *crowd != "" {
		if err := noise(ctx, *crowd, *victims); err != nil {
			fmt.Fprintln(os.Stderr, "attack:", err)
			os.Exit(1)
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	held, err := run(ctx, *tools, *only, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
	}
	if err != nil || !held {
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, tools, only string, verbose bool) (held bool, err error) {
	s, err := newSite(ctx, tools)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, stage := range stages {
		fmt.Println("===", stage.headline)
		for _, a := range stage.attacks {
			if !strings.Contains(a.name, only) {
				continue
			}
			s.attacks++
			began := time.Now()
			got := a.try(ctx, s)
			if got == nil {
				got = s.stillDecides(ctx)
			}
			took := time.Since(began).Round(time.Millisecond)
			if got != nil {
				fmt.Printf("[GOT IN] %s: %v (%s)\n", a.name, got, took)
				if verbose {
					s.showLogs()
				}
				continue
			}
			s.held++
			fmt.Printf("[held]   %s (%s)\n", a.name, took)
		}
	}
	ratio := "-"
	if s.worst > 0 {
		ratio = fmt.Sprintf("%.2f", s.worst)
	}
	fmt.Printf("figure: attacks=%d held=%d failover_ratio_worst=%s\n", s.attacks, s.held, ratio)
	return s.attacks > 0 && s.held == s.attacks, nil
}
