package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	only := flag.String("only", "", "run those of this law, or whose name contains this text")
	list := flag.Bool("list", false, "say what there is, run nothing")
	jobs := flag.Int("jobs", runtime.NumCPU(), "how many mutants are tried at once")
	flag.Parse()
	if flag.NArg() > 0 || *jobs < 1 {
		flag.Usage()
		os.Exit(2)
	}
	chosen := choose(*only)
	if len(chosen) == 0 {
		fmt.Fprintf(os.Stderr, "mutants: there is none called %q; -list shows all\n", *only)
		os.Exit(2)
	}
	if *list {
		for _, m := range chosen {
			fmt.Printf("%s  %-36s %s\n", m.law, m.name, m.broken)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, chosen, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func choose(only string) []mutant {
	var chosen []mutant
	for _, m := range all() {
		if only == "" || m.law == only || strings.Contains(m.name, only) {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// run tries all chosen mutants, after it has shown that their nets find nothing
// in the sources as they are.
func run(ctx context.Context, chosen []mutant, jobs int) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	for _, m := range chosen {
		if _, err := m.mutated(root); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := unbroken(ctx, root, chosen); err != nil {
		return err
	}
	outcomes, err := tryAll(ctx, root, chosen, jobs)
	if err != nil {
		return err
	}
	return summary(chosen, outcomes, time.Since(began))
}

// unbroken holds that a net finds nothing where nothing is broken; else what it
// finds later proves nothing.
func unbroken(ctx context.Context, root string, chosen []mutant) error {
	known := map[string]bool{}
	for _, m := range chosen {
		for _, n := range m.nets {
			if known[n.pkg+n.run] {
				continue
			}
			known[n.pkg+n.run] = true
			if n.seeds != nil {
				n.seeds = n.seeds[:1]
			}
			o, err := try(ctx, root, mutant{name: "without a break", nets: []net{n}})
			if err != nil {
				return err
			}
			if o.caught {
				return fmt.Errorf("the sources fail %s without any break: %s", n.name, o.why)
			}
		}
	}
	fmt.Printf("%d nets find nothing in the sources as they are\n", len(known))
	return nil
}

// tryAll tries the mutants, some at once, and tells each outcome as it comes.
func tryAll(ctx context.Context, root string, chosen []mutant, jobs int) ([]outcome, error) {
	outcomes, errs := make([]outcome, len(chosen)), make([]error, len(chosen))
	var wait sync.WaitGroup
	var telling sync.Mutex
	next := make(chan int)
	for range jobs {
		wait.Go(func() {
			for i := range next {
				outcomes[i], errs[i] = try(ctx, root, chosen[i])
				telling.Lock()
				fmt.Println(told(chosen[i], outcomes[i], errs[i]))
				telling.Unlock()
			}
		})
	}
	for i := range chosen {
		next <- i
	}
	close(next)
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

func told(m mutant, o outcome, err error) string {
	if err != nil {
		return fmt.Sprintf("%s  %-36s cannot be tried", m.law, m.name)
	}
	where := "by " + o.net
	if o.seeds > 0 {
		where = fmt.Sprintf("%s, %d seeds", where, o.seeds)
	}
	mark := map[bool]string{true: "ok ", false: "BAD"}[asItShouldBe(m, o)]
	switch {
	case o.caught:
		return fmt.Sprintf("%s %s  %-36s caught %s (%.0fs): %s", mark, m.law, m.name, where, o.took.Seconds(), o.why)
	case m.harmless != "":
		return fmt.Sprintf("%s %s  %-36s harmless in %d seeds (%.0fs): %s", mark, m.law, m.name, o.seeds, o.took.Seconds(), m.harmless)
	}
	return fmt.Sprintf("%s %s  %-36s NOT CAUGHT %s (%.0fs): %s", mark, m.law, m.name, where, o.took.Seconds(), m.broken)
}

func asItShouldBe(m mutant, o outcome) bool { return o.caught == (m.harmless == "") }

// summary ends with the figure, and with an error if a mutant was not as it
// should be.
func summary(chosen []mutant, outcomes []outcome, took time.Duration) error {
	mutants, caught, harmless, wrong := 0, 0, 0, []string{}
	for i, m := range chosen {
		switch {
		case m.harmless != "":
			harmless++
		default:
			mutants++
			if outcomes[i].caught {
				caught++
			}
		}
		if !asItShouldBe(m, outcomes[i]) {
			wrong = append(wrong, m.name)
		}
	}
	fmt.Printf("%d single breaks where another net holds; %s in all\n", harmless, took.Round(time.Second))
	fmt.Printf("figure: mutants=%d caught=%d\n", mutants, caught)
	if len(wrong) > 0 {
		return fmt.Errorf("not as they should be: %s", strings.Join(wrong, ", "))
	}
	return nil
}
