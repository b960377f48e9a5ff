// Fuzz runs every fuzz target of the tree in turn and shares the time among them. What the
// engine finds worth keeping stays in Go's build cache and is where the next run begins; an
// input that fails is written below the package's testdata, where every later test run meets it.
// A small corpus for each target lies there too, which every test run goes through; -keep makes it.
// The last line is
//
//	figure: fuzz_targets=N failed=N executions=N
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is one fuzz function.
type target struct{ folder, name string }

var (
	declaration = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)
	executed    = regexp.MustCompile(`execs: (\d+)`)
)

func main() {
	total := flag.Duration("time", 2*time.Minute, "how long all of it may fuzz; building comes on top")
	only := flag.String("only", "", "run the targets whose name or folder contains this `TEXT`")
	tags := flag.String("tags", "", "the build `TAGS`")
	seeds := flag.Int("keep", 0, "put up to `N` small inputs for each target into its package's testdata, and do not fuzz")
	flag.Parse()
	if os.Getenv(bounding) != "" {
		fmt.Fprintln(os.Stderr, "fuzz:", bounded(flag.Args()))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	targets, err := find(*only)
	if err != nil || len(targets) == 0 {
		fmt.Fprintln(os.Stderr, "fuzz: no target was found:", err)
		os.Exit(2)
	}
	if *seeds > 0 {
		if err := keep(ctx, targets, *seeds); err != nil {
			fmt.Fprintln(os.Stderr, "fuzz:", err)
			os.Exit(1)
		}
		return
	}
	share := max(*total/time.Duration(len(targets)), time.Second)
	failed, executions := 0, 0
	for _, t := range targets {
		count, err := runAtAll(ctx, t, share, *tags)
		executions += count
		word := "ok    "
		if err != nil {
			failed++
			word = "FAILED"
		}
		fmt.Printf("%s %-28s %-36s %9d executions\n", word, t.name, t.folder, count)
		if ctx.Err() != nil {
			break
		}
	}
	fmt.Printf("figure: fuzz_targets=%d failed=%d executions=%d\n", len(targets), failed, executions)
	if failed > 0 || ctx.Err() != nil {
		os.Exit(1)
	}
}

func find(only string) ([]target, error) {
	var found []target
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != "." && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, match := range declaration.FindAllStringSubmatch(string(text), -1) {
			if t := (target{"./" + filepath.Dir(path), match[1]}); strings.Contains(t.folder+" "+t.name, only) {
				found = append(found, t)
			}
		}
		return nil
	})
	slices.SortFunc(found, func(a, b target) int { return strings.Compare(a.folder+a.name, b.folder+b.name) })
	return found, err
}

// Of its time a run takes what it needs to go through its corpus first, and on a busy machine that
// may be all of it. A target that was not executed was not fuzzed, and the next run has longer.
const (
	tries  = 3
	longer = 4
)

var errNotRun = errors.New("it was never executed")

// runAtAll fuzzes one target until it was executed.
func runAtAll(ctx context.Context, t target, share time.Duration, tags string) (executions int, err error) {
	for range tries {
		if executions, err = run(ctx, t, share, tags); err != nil || executions > 0 || ctx.Err() != nil {
			return executions, err
		}
		share *= longer
	}
	return 0, errNotRun
}

// run fuzzes one target. Without minimising: an engine that minimises what is only interesting
// spends its whole time on that where a target is slow.
func run(ctx context.Context, t target, share time.Duration, tags string) (executions int, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	command := exec.CommandContext(ctx, "go", "test", "-tags", tags, "-exec", self, "-run", "^$", "-fuzz", "^"+t.name+"$",
		"-fuzztime", share.String(), "-fuzzminimizetime", "1x", "-parallel", "2", t.folder)
	command.Env = append(os.Environ(), bounding+"=1", "GOMEMLIMIT="+strconv.Itoa(mostMemory/2))
	output, err := command.CombinedOutput()
	if found := executed.FindAllSubmatch(output, -1); len(found) > 0 {
		executions, _ = strconv.Atoi(string(found[len(found)-1][1]))
	}
	if err != nil {
		fmt.Printf("%s\n", output)
	}
	return executions, err
}
