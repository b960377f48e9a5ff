package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
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

// What an attack returns that was not played: because this machine does not let it be, which is
// counted apart, or because something was not there that has to be, which is a failure.
var (
	errLeftOut = errors.New("it needs root")
	errUntried = errors.New("so nothing was tried")
)

// stages are played in order, each on the cluster as the one before left it.
var stages = []struct {
	headline string
	attacks  []attack
}{
	{"a node was removed, and its disk and the authority's key are out", strangers},
	{"the same people come to the port of live moves", tunnelers},
	{"the same people send signs of life", beaters},
	{"machines join with a token, and lie", joiners},
	{"a member forwards what no member could apply", poisoners},
	{"crowds of strangers, and a host loses its power meanwhile", crowds},
	{"people with a certificate go further than it lets them", clients},
	{"the same on hosts of the lab, with a real libvirt", inLab},
}

func main() {
	tools := flag.String("tools", "bin", "the `FOLDER` of the build")
	only := flag.String("only", "", "play the attacks whose names match this `EXPRESSION`")
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
	chosen, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
		os.Exit(2)
	}
	held, err := run(ctx, *tools, chosen, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "attack:", err)
	}
	if err != nil || !held {
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, tools string, chosen *regexp.Regexp, verbose bool) (held bool, err error) {
	s, err := newSite(ctx, tools)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, stage := range stages {
		fmt.Println("===", stage.headline)
		for _, a := range stage.attacks {
			if chosen.MatchString(a.name) {
				s.play(ctx, a, verbose)
			}
		}
	}
	ratio := "-"
	if s.worst > 0 {
		ratio = fmt.Sprintf("%.2f", s.worst)
	}
	fmt.Printf("figure: attacks=%d held=%d left_out=%d failover_ratio_worst=%s\n", s.attacks, s.held, s.leftOut, ratio)
	return s.attacks > 0 && s.held == s.attacks, nil
}

// play plays one attack, and counts it as what it was.
func (s *site) play(ctx context.Context, a attack, verbose bool) {
	began := time.Now()
	got := a.try(ctx, s)
	if errors.Is(got, errLeftOut) {
		s.leftOut++
		fmt.Printf("[left out] %s: %v\n", a.name, got)
		return
	}
	if got == nil {
		got = s.stillDecides(ctx)
	}
	took := time.Since(began).Round(time.Millisecond)
	s.attacks++
	switch {
	case got == nil:
		s.held++
		fmt.Printf("[held]   %s (%s)\n", a.name, took)
		return
	case errors.Is(got, errUntried):
		fmt.Printf("[UNTRIED] %s: %v (%s)\n", a.name, got, took)
	default:
		fmt.Printf("[GOT IN] %s: %v (%s)\n", a.name, got, took)
	}
	if verbose {
		s.showLogs()
	}
}
