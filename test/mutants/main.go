package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/test/mutants/breaks"
)

type options struct {
	jobs, seeds               int
	tolerate, remember, check bool
}

func main() {
	only := flag.String("only", "", "run those of this law, or whose name contains this text; several with commas between")
	after := flag.String("after", "", "leave out those up to the one of this name: the rest of a run that was ended")
	list := flag.Bool("list", false, "say what there is, run nothing")
	jobs := flag.Int("jobs", runtime.NumCPU(), "how many mutants are tried at once")
	tolerate := flag.Bool("tolerate", false,
		"do not count seeds that fail without a break, instead of ending with an error")
	seeds := flag.Int("seeds", breaks.SeedsToCatch,
		"how many histories to try at most; more are for finding a seed to keep")
	remember := flag.Bool("remember", false, "write what seed showed each mutant into "+shownFile)
	check := flag.Bool("check", false, "build all of them, and run nothing")
	flag.Parse()
	if flag.NArg() > 0 || *jobs < 1 || *seeds < breaks.SeedsToCatch {
		flag.Usage()
		os.Exit(2)
	}
	chosen := choose(*only, *after)
	if len(chosen) == 0 {
		fmt.Fprintf(os.Stderr, "mutants: there is none called %q after %q; -list shows all\n", *only, *after)
		os.Exit(2)
	}
	if *list {
		for _, m := range chosen {
			fmt.Printf("%s  %-36s %s\n", m.Law, m.Name, m.Broken)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, chosen, options{*jobs, *seeds, *tolerate, *remember, *check}); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// choose returns the mutants of the laws, or with the texts in their names, that come after the
// named one.
func choose(only, after string) []breaks.Mutant {
	var chosen []breaks.Mutant
	reached := after == ""
	for _, m := range breaks.All() {
		if reached && slices.ContainsFunc(strings.Split(only, ","), func(name string) bool { return isCalled(m, name) }) {
			chosen = append(chosen, m)
		}
		reached = reached || m.Name == after
	}
	return chosen
}

// isCalled reports whether the name is the mutant's law, or a part of its own name.
func isCalled(m breaks.Mutant, name string) bool {
	return m.Law == name || strings.Contains(m.Name, name)
}

// run tries all chosen mutants, after it has shown that their nets find nothing
// in the sources as they are.
func run(ctx context.Context, chosen []breaks.Mutant, options options) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "clusterd-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	r := &runner{root: root}
	if r.woven, err = weave(root, folder, chosen); err != nil {
		return err
	}
	if options.check {
		return r.woven.check(ctx, root, chosen)
	}
	began := time.Now()
	if err := r.unbroken(ctx, chosen, options); err != nil {
		return err
	}
	known, err := readShown(root)
	if err != nil {
		return err
	}
	var unwritten error
	tried := withSeeds(chosen, options.seeds)
	outcomes, err := r.tryAll(ctx, tried, known, options.jobs, func(m breaks.Mutant, o outcome, err error) {
		if ctx.Err() != nil {
			return
		}
		fmt.Println(told(m, o, err))
		known.keep(m.Name, o)
		if options.remember {
			unwritten = known.write(root) // each time: a run of hours may be ended
		}
	})
	if err = errors.Join(err, unwritten); err != nil {
		return err
	}
	return summary(chosen, outcomes, time.Since(began))
}

// withSeeds has the mutants tried in more histories than those within which they must be caught.
func withSeeds(chosen []breaks.Mutant, seeds int) []breaks.Mutant {
	list := slices.Clone(chosen)
	for i, m := range list {
		list[i].Nets = slices.Clone(m.Nets)
		for j := range list[i].Nets {
			if n := &list[i].Nets[j]; n.Seeds == breaks.SeedsToCatch {
				n.Seeds = seeds
			}
		}
	}
	return list
}

// runner tries mutants of the module at the root.
type runner struct {
	root  string
	woven *woven
	// anyway are the seeds that fail without any break.
	anyway failing
}

// unbroken holds that a net finds nothing where nothing is broken; else what it
// finds later proves nothing. It notes the seeds that fail anyway, which is an
// error unless they are to be tolerated.
func (r *runner) unbroken(ctx context.Context, chosen []breaks.Mutant, o options) error {
	r.anyway = failing{}
	nets := netsOf(chosen)
	for _, n := range nets {
		if n.Seeds > 0 {
			if err := r.learn(ctx, n); err != nil {
				return err
			}
		}
	}
	if len(r.anyway) > 0 && !o.tolerate {
		return fmt.Errorf("%d seeds fail without any break; mend that first", len(r.anyway))
	}
	for _, n := range nets {
		if n.Seeds > 0 {
			continue
		}
		if err := r.findsNothing(ctx, n); err != nil {
			return err
		}
	}
	fmt.Printf("%d nets find nothing in the sources as they are, besides %d seeds that are not counted\n", len(nets),
		len(r.anyway))
	return nil
}

// findsNothing runs a net in the woven sources while no mutant is named. Tests of drivers measure
// real time, and machines are busy: they may fail once.
func (r *runner) findsNothing(ctx context.Context, n breaks.Net) error {
	binary, err := r.woven.binary(ctx, r.root, n)
	if err != nil {
		return err
	}
	t := tests{net: n, folder: filepath.Join(r.root, n.Pkg), binary: binary}
	var output []byte
	for range 2 {
		output, err = t.run(ctx, runDeadline, nil, nil, "-test.v", "-test.timeout", "3m")
		switch skipped := skipLine.FindSubmatch(output); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil && skipped != nil:
			return fmt.Errorf("the %s leave out %s here, so nothing shows what it would find; `make packages` installs "+
				"what tests need", n.Name, skipped[1])
		case err == nil:
			return nil
		}
	}
	return fmt.Errorf("the %s fail without any break: %s", n.Name, firstComplaint(string(output)))
}

// netsOf joins the nets of mutants to one for each package and kind of world.
func netsOf(chosen []breaks.Mutant) []breaks.Net {
	var nets []breaks.Net
	place := map[string]int{}
	for _, m := range chosen {
		for _, n := range m.Nets {
			i, known := place[n.Pkg+n.World]
			switch {
			case !known:
				place[n.Pkg+n.World] = len(nets)
				n.Kind = nil
				nets = append(nets, n)
			case n.Seeds > 0:
				nets[i].Seeds = max(nets[i].Seeds, n.Seeds)
			default:
				nets[i].Run += "|" + n.Run
			}
		}
	}
	return nets
}

// tryAll tries the mutants, some at once, and hands each outcome on as it comes.
func (r *runner) tryAll(ctx context.Context, chosen []breaks.Mutant, known *shown, jobs int,
	tell func(breaks.Mutant, outcome, error)) ([]outcome, error) {
	outcomes, errs := make([]outcome, len(chosen)), make([]error, len(chosen))
	var wait sync.WaitGroup
	var telling sync.Mutex
	next := make(chan int)
	for range jobs {
		wait.Go(func() {
			for i := range next {
				outcomes[i], errs[i] = r.judge(ctx, chosen[i], known)
				telling.Lock()
				tell(chosen[i], outcomes[i], errs[i])
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

// seedsWithout is how many histories without its faults a mutant has to survive at most.
const seedsWithout = 60

// judge tries a mutant, and, where it is said to need certain faults, once more
// without them.
func (r *runner) judge(ctx context.Context, m breaks.Mutant, known *shown) (outcome, error) {
	folder, err := os.MkdirTemp("", "clusterd-mutant-")
	if err != nil {
		return outcome{}, err
	}
	defer os.RemoveAll(folder)
	o, err := r.try(ctx, folder, m, known)
	if err != nil || !o.caught || len(m.Faults) == 0 || o.seeds == 0 {
		return o, err
	}
	bare, n := m, breaks.Simulation
	// A kept seed, which run first, says nothing about how many are needed.
	n.Seeds, n.Kind, n.Without = min(max(2*o.seeds, 20), seedsWithout), kindOf(o.why), m.Faults
	bare.Nets = []breaks.Net{n}
	survived, err := r.try(ctx, folder, bare, &shown{})
	o.took += survived.took
	if err != nil || !survived.caught {
		return o, err
	}
	// With fewer faults a seed is another history, which nobody has tried on the sources as they are.
	anyhow, err := r.fails(ctx, n, survived.seeds)
	if err == nil && !anyhow {
		o.alsoWithout = survived.why
	}
	return o, err
}

func told(m breaks.Mutant, o outcome, err error) string {
	if err != nil {
		return fmt.Sprintf("%s  %-36s cannot be tried", m.Law, m.Name)
	}
	where := "by " + o.net
	switch {
	case o.seeds > breaks.SeedsToCatch:
		where = fmt.Sprintf("%s by the kept seed %d", where, o.seeds)
	case o.seeds > 0:
		where = fmt.Sprintf("%s within %d seeds", where, o.seeds)
	}
	if len(m.Faults) > 0 && o.seeds > 0 {
		where += fmt.Sprintf(", not without %q", m.Faults)
	}
	mark := map[bool]string{true: "ok ", false: "BAD"}[asItShouldBe(m, o)]
	switch {
	case o.alsoWithout != "":
		return fmt.Sprintf("%s %s  %-36s caught %s - but it is: %s", mark, m.Law, m.Name, where, o.alsoWithout)
	case o.caught:
		return fmt.Sprintf("%s %s  %-36s caught %s (%.0fs): %s", mark, m.Law, m.Name, where, o.took.Seconds(), o.why)
	case m.Harmless != "":
		return fmt.Sprintf("%s %s  %-36s harmless in %d seeds (%.0fs): %s", mark, m.Law, m.Name, o.seeds, o.took.Seconds(),
			m.Harmless)
	}
	return fmt.Sprintf("%s %s  %-36s NOT CAUGHT %s (%.0fs): %s", mark, m.Law, m.Name, where, o.took.Seconds(), m.Broken)
}

func asItShouldBe(m breaks.Mutant, o outcome) bool {
	return o.caught == (m.Harmless == "") && o.alsoWithout == ""
}

// summary ends with the figure, and with an error if a mutant was not as it
// should be.
func summary(chosen []breaks.Mutant, outcomes []outcome, took time.Duration) error {
	mutants, caught, harmless, wrong := 0, 0, 0, []string{}
	for i, m := range chosen {
		switch {
		case m.Harmless != "":
			harmless++
		default:
			mutants++
			if outcomes[i].caught {
				caught++
			}
		}
		if !asItShouldBe(m, outcomes[i]) {
			wrong = append(wrong, m.Name)
		}
	}
	fmt.Printf("%d single breaks where another net holds; %s in all\n", harmless, took.Round(time.Second))
	fmt.Printf("figure: mutants=%d caught=%d\n", mutants, caught)
	if len(wrong) > 0 {
		return fmt.Errorf("not as they should be: %s", strings.Join(wrong, ", "))
	}
	return nil
}
