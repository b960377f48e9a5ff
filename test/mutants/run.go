package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/test/mutants/breaks"
)

const (
	buildTags = "libvirt_dlopen,urfave_cli_no_docs"
	// The deadlines are long because machines are busy; a break that makes the
	// code run forever is caught by them.
	buildDeadline = 10 * time.Minute // all woven mutants at once
	runDeadline   = 4 * time.Minute
	// seedDeadline is added for each history that a run may have to play.
	seedDeadline = 2 * time.Second
	maxOutput    = 1 << 20
)

// outcome is what a mutant came to.
type outcome struct {
	caught bool
	net    string
	// seeds is the seed that showed it, or how many it survived; 0 for plain tests.
	seeds int
	// why is the first thing that the net said.
	why string
	// alsoWithout is what showed it although the faults it is said to need were
	// left out.
	alsoWithout string
	took        time.Duration
}

// failing are the seeds whose histories fail without any break; what they show of
// a break proves nothing.
type failing map[int]bool

// tells returns the first line about a seed that does not fail anyway and that
// is of the kind asked for.
func (f failing) tells(output []byte, kind *regexp.Regexp) string {
	for _, found := range seedLine.FindAllSubmatch(output, -1) {
		if seed, err := strconv.Atoi(string(found[1])); err == nil && !f[seed] && (kind == nil || kind.Match(found[0])) {
			return strings.TrimSpace(string(found[0]))
		}
	}
	return ""
}

// kindOf matches complaints of the same kind as the one given.
func kindOf(complaint string) *regexp.Regexp {
	if found := breaks.LawBroken.FindStringSubmatch(complaint); found != nil {
		return regexp.MustCompile(`s: (State at index \d+: )?` + regexp.QuoteMeta(found[2]))
	}
	return nil
}

// deadlines are when the runner ends a run, and when the tests would end themselves: later, since
// that would look like a break that was caught.
func deadlines(n breaks.Net) (runner time.Duration, tests string) {
	runner = runDeadline + time.Duration(n.Seeds)*seedDeadline
	return runner, (runner + time.Minute).String()
}

// learn runs all histories of a net without a break, on all processors, and notes the seeds that
// fail.
func (r *runner) learn(ctx context.Context, n breaks.Net) error {
	binary, err := r.woven.binary(ctx, r.root, n)
	if err != nil {
		return err
	}
	deadline, endsLater := deadlines(n)
	environment := []string{"GOGC=1600", "NOSHRINK=1", fmt.Sprintf("SEEDS=%d", n.Seeds), "WORLD=" + n.World,
		fmt.Sprintf("GOMAXPROCS=%d", runtime.NumCPU())}
	t := tests{net: n, folder: filepath.Join(r.root, n.Pkg), binary: binary}
	output, err := t.run(ctx, deadline, environment, nil, "-test.v", "-test.timeout", endsLater)
	for _, found := range seedLine.FindAllSubmatch(output, -1) {
		if seed, err := strconv.Atoi(string(found[1])); err == nil {
			r.anyway[seed] = true
			fmt.Printf("not counted, because it fails anyway: %.150s\n", bytes.TrimSpace(found[0]))
		}
	}
	if !bytes.Contains(output, []byte("figure: seeds=")) {
		return fmt.Errorf("%s did not come to its end without a break (%w): %s", n.Name, err, firstComplaint(string(output)))
	}
	const most = 30
	if err != nil && (len(r.anyway) == 0 || len(r.anyway) > most) {
		return fmt.Errorf("%d seeds of %s fail without any break, that is no ground to stand on: %w", len(r.anyway), n.Name,
			err)
	}
	return ctx.Err()
}

// tests are those of a net, built.
type tests struct {
	net            breaks.Net
	folder, binary string
	// mutant is the one of a woven binary that is meant; "" for a binary of a single one.
	mutant string
}

// run runs them with a deadline, until the output is enough.
func (t tests) run(ctx context.Context, deadline time.Duration, environment []string, enough func([]byte) bool,
	arguments ...string) ([]byte, error) {
	return command(ctx, deadline, t.folder, append(environment, wovenName+"="+t.mutant), enough, t.binary,
		append([]string{"-test.run", t.net.Run}, arguments...)...)
}

// try runs a mutant against its nets, one after the other, until one catches it.
func (r *runner) try(ctx context.Context, folder string, m breaks.Mutant, known *shown) (last outcome, err error) {
	began := time.Now()
	for _, n := range cheapestFirst(m, known) {
		last, err = r.tryNet(ctx, folder, m, n, known.seed(m.Name, n.Name))
		last.took = time.Since(began)
		if err != nil {
			return last, fmt.Errorf("mutant %s: %w", m.Name, err)
		}
		if last.caught {
			break
		}
	}
	return last, nil
}

// cheapestFirst are a mutant's nets in the order in which they are tried: plain tests take seconds
// and histories minutes, unless a seed is known. What needs certain faults is tried in histories
// first, because only they can leave the faults out.
func cheapestFirst(m breaks.Mutant, known *shown) []breaks.Net {
	nets := slices.Clone(m.Nets)
	if len(m.Faults) == 0 {
		cost := func(n breaks.Net) int {
			if n.Seeds > 0 && known.seed(m.Name, n.Name) == 0 {
				return 1
			}
			return 0
		}
		slices.SortStableFunc(nets, func(a, b breaks.Net) int { return cost(a) - cost(b) })
	}
	return nets
}

// tryNet runs a net with the mutant, beginning with the seed if there is one. What plain tests do
// not show of a woven mutant is left to it alone: they may start their own program anew without the
// environment, which histories never do.
func (r *runner) tryNet(ctx context.Context, folder string, m breaks.Mutant, n breaks.Net, seed int) (outcome, error) {
	t := tests{net: n, folder: filepath.Join(r.root, n.Pkg)}
	if r.woven.names[m.Name] {
		binary, err := r.woven.binary(ctx, r.root, n)
		if err != nil {
			return outcome{}, err
		}
		t.binary, t.mutant = binary, m.Name
		if o, err := t.try(ctx, r.anyway, seed); err != nil || o.caught || n.Seeds > 0 {
			return o, err
		}
	}
	t.binary, t.mutant = filepath.Join(folder, strings.ReplaceAll(n.Pkg, "/", "_")+".test"), ""
	if _, err := os.Stat(t.binary); err != nil {
		list := ""
		if len(m.Edits) > 0 {
			if list, err = overlay(m, r.root, folder); err != nil {
				return outcome{}, err
			}
		}
		if err := build(ctx, r.root, n, list, t.binary); err != nil {
			return outcome{}, err
		}
	}
	return t.try(ctx, r.anyway, seed)
}

func (t tests) try(ctx context.Context, anyway failing, seed int) (outcome, error) {
	if t.net.Seeds == 0 {
		return t.plain(ctx)
	}
	if o, shows := t.again(ctx, anyway, seed); shows {
		return o, nil
	}
	return t.histories(ctx, anyway)
}

func build(ctx context.Context, root string, n breaks.Net, overlay, binary string) error {
	arguments := []string{"test", "-c", "-tags", buildTags, "-ldflags", "-s -w", "-o", binary}
	if overlay != "" {
		// Vet would refuse what a break leaves behind, like a condition that is never true.
		arguments = append(arguments, "-vet=off", "-overlay", overlay)
	}
	output, err := command(ctx, buildDeadline, root, nil, nil, "go", append(arguments, n.Pkg)...)
	if err != nil {
		return fmt.Errorf("it does not build (%w):\n%s", err, output)
	}
	return nil
}

// plain runs tests once.
func (t tests) plain(ctx context.Context) (outcome, error) {
	n := t.net
	output, err := t.run(ctx, runDeadline, nil, nil, "-test.failfast", "-test.timeout", "3m")
	switch {
	case ctx.Err() != nil:
		return outcome{}, ctx.Err()
	case err != nil:
		return outcome{net: n.Name, caught: true, why: firstComplaint(string(output))}, nil
	case strings.Contains(string(output), "no tests to run"):
		return outcome{}, fmt.Errorf("no test of %s is called %s", n.Pkg, n.Run)
	}
	return outcome{net: n.Name}, nil
}

// histories runs random histories, one after the other, until one of them shows
// the break; the rest need not be run.
func (t tests) histories(ctx context.Context, anyway failing) (outcome, error) {
	n := t.net
	// Histories leave much behind and keep little: collecting it rarely is a tenth of the time.
	environment := []string{"GOGC=1600", "NOSHRINK=1", fmt.Sprintf("SEEDS=%d", n.Seeds),
		"WITHOUT=" + strings.Join(n.Without, "|"), "WORLD=" + n.World}
	told := func(output []byte) bool { return anyway.tells(output, n.Kind) != "" }
	deadline, endsLater := deadlines(n)
	output, err := t.run(ctx, deadline, environment, told, "-test.v", "-test.timeout", endsLater)
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	o := outcome{net: n.Name, seeds: n.Seeds, why: anyway.tells(output, n.Kind)}
	switch {
	case o.why != "":
		o.caught = true
		_, err = fmt.Sscanf(o.why, "SEED=%d", &o.seeds)
		return o, err
	case hungLine.Match(output):
		o.caught, o.why = true, firstComplaint(string(output))
	case err != nil && !seedLine.Match(output):
		return o, fmt.Errorf("%s ended without naming a seed (%w): %s", n.Name, err, firstComplaint(string(output)))
	}
	return o, nil
}

var (
	seedLine = regexp.MustCompile(`SEED=(\d+): .*\n`)
	failLine = regexp.MustCompile(`(?m)^\s*--- FAIL: \S+`)
	saidLine = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: (.*)`)
	hungLine = regexp.MustCompile(`(?m)^panic: .*`)
	skipLine = regexp.MustCompile(`(?m)^\s*--- SKIP: (\S+)`)
)

// firstComplaint is the first sentence of a failed run.
func firstComplaint(output string) string {
	text := "it ended without a word"
	switch {
	case seedLine.MatchString(output):
		text = strings.TrimSpace(seedLine.FindString(output))
	case hungLine.MatchString(output):
		text = hungLine.FindString(output)
	case failLine.MatchString(output):
		text = strings.TrimPrefix(strings.TrimSpace(failLine.FindString(output)), "--- FAIL: ")
		if said := saidLine.FindStringSubmatch(output); said != nil {
			text += ": " + said[1]
		}
	}
	const limit = 170
	if runes := []rune(text); len(runes) > limit {
		text = string(runes[:limit]) + "…"
	}
	return text
}

// command runs a program with a deadline, without a shell, its output bounded;
// at the deadline, or once the output is enough, its whole process group ends.
func command(ctx context.Context, deadline time.Duration, folder string, environment []string,
	enough func([]byte) bool, name string, arguments ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), append([]string{"GOMAXPROCS=1", "SEED=", "FIRST=", "REWRITE=", "WITHOUT=", "WORLD="},
		environment...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	output := &bounded{enough: enough, stop: cancel}
	cmd.Stdout, cmd.Stderr = output, output
	err := cmd.Run()
	return output.text.Bytes(), err
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	text bytes.Buffer
	// enough tells that no more is required; stop ends the writer then.
	enough func([]byte) bool
	stop   func()
}

// Write takes everything and keeps what there is room for.
func (b *bounded) Write(data []byte) (int, error) {
	if room := maxOutput - b.text.Len(); room > 0 {
		b.text.Write(data[:min(room, len(data))])
	}
	if b.enough != nil && b.enough(b.text.Bytes()) {
		b.stop()
	}
	return len(data), nil
}

// again plays the one history that showed the mutant last. It reports what that came to, and
// whether it shows the mutant still.
func (t tests) again(ctx context.Context, anyway failing, seed int) (outcome, bool) {
	n := t.net
	if seed == 0 || n.Seeds == 0 {
		return outcome{}, false
	}
	environment := []string{"NOSHRINK=1", fmt.Sprintf("SEED=%d", seed), "WORLD=" + n.World}
	output, err := t.run(ctx, runDeadline, environment, nil, "-test.v", "-test.timeout", "5m")
	why := anyway.tells(output, n.Kind)
	return outcome{net: n.Name, caught: true, seeds: seed, why: why}, err != nil && why != ""
}

// fails reports whether a history of a net fails in the sources as they are.
func (r *runner) fails(ctx context.Context, n breaks.Net, seed int) (bool, error) {
	t := tests{net: n, folder: filepath.Join(r.root, n.Pkg)}
	environment := []string{"NOSHRINK=1", fmt.Sprintf("SEED=%d", seed), "WITHOUT=" + strings.Join(n.Without, "|"),
		"WORLD=" + n.World}
	var err error
	if t.binary, err = r.woven.binary(ctx, r.root, n); err != nil {
		return false, err
	}
	_, err = t.run(ctx, runDeadline, environment, nil, "-test.v", "-test.timeout", "5m")
	return err != nil, ctx.Err()
}
