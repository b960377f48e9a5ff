package sim

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// defaultSeeds is how many histories a plain `go test` runs besides those that
// once failed; shrinkTries bounds the search for a shorter script.
const (
	defaultSeeds = 30
	shrinkTries  = 150
	seedsFile    = "../seeds.txt"
)

// figure is the last line of `make sim`.
var figure string

func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // worlds are small and short-lived
	}
	status := m.Run()
	if figure != "" {
		fmt.Println(figure)
	}
	os.Exit(status)
}

func number(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n
}

// script is a seed's, without the kinds of faults that WITHOUT names, with "|"
// between them.
func script(t *testing.T, seed int64) Script {
	t.Helper()
	s := WriteScript(seed)
	switch world := os.Getenv("WORLD"); world {
	case "":
	case "two-node":
		s = WritePairScript(seed)
	default:
		t.Fatalf("WORLD=%s: there is no such world; there is two-node", world)
	}
	if text := os.Getenv("WITHOUT"); text != "" {
		s.Without = strings.Split(text, "|")
	}
	for _, kind := range s.Without {
		if !slices.Contains(FaultKinds(), kind) {
			t.Fatalf("WITHOUT=%s: there is no such kind of fault; there are: %s", kind, strings.Join(FaultKinds(), ", "))
		}
	}
	return s
}

// TestSim runs random histories. SEEDS=n runs n of them from FIRST (1) on, SEED=x
// replays one, with V=1 and -v its whole history.
func TestSim(t *testing.T) {
	if seed := number(t, "SEED", 0); seed != 0 {
		var trace func(string)
		if os.Getenv("V") != "" {
			trace = func(line string) { t.Log(line) }
		}
		s := script(t, seed)
		report(t, s, s.Play(trace, false))
		return
	}
	var seeds []int64
	if os.Getenv("WORLD") == "" && os.Getenv("WITHOUT") == "" { // without some faults they are other histories
		seeds = knownSeeds(t)
	}
	first := number(t, "FIRST", 1)
	for seed := first; seed < first+number(t, "SEEDS", defaultSeeds); seed++ {
		seeds = append(seeds, seed)
	}
	began := time.Now()
	total, failures := runAll(t, seeds)
	perMinute := float64(len(seeds)) / time.Since(began).Minutes()
	if os.Getenv("SEEDS") != "" {
		figure = fmt.Sprintf("%d entries in the logs\nfigure: seeds=%d per_minute=%.0f events=%d fences=%d "+
			"migrations=%d violations=%d",
			total.Entries, len(seeds), perMinute, total.Events, total.Fences, total.Migrations, failures)
	}
}

// runAll runs histories on every processor, each with a world of its own.
func runAll(t *testing.T, seeds []int64) (total Figures, failures int) {
	t.Helper()
	var next atomic.Int64
	var mutex sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(seeds); i = int(next.Add(1)) - 1 {
				s := script(t, seeds[i])
				w := s.Play(nil, false)
				mutex.Lock()
				total.Events += w.Figures.Events
				total.Entries += w.Figures.Entries
				total.Fences += w.Figures.Fences
				total.Migrations += w.Figures.Migrations
				failed := len(w.Violations) > 0
				if failed {
					failures++
				}
				shrink := failed && failures == 1
				mutex.Unlock()
				if shrink {
					report(t, s, w)
				} else if failed {
					t.Errorf("SEED=%d: %s", seeds[i], strings.Join(w.Violations, "\n"))
				}
			}
		})
	}
	workers.Wait()
	return total, failures
}

// report tells what a seed's history broke, and which faults are enough for it.
func report(t *testing.T, s Script, w *World) {
	t.Helper()
	seed := s.Seed
	if len(w.Violations) == 0 {
		return
	}
	t.Errorf("SEED=%d: %s", seed, strings.Join(w.Violations, "\n"))
	if os.Getenv("NOSHRINK") != "" {
		return
	}
	short := s.Shrink(shrinkTries)
	again := short.Play(nil, false)
	t.Logf("SEED=%d: %d of its %d faults are enough for\n%s\n%s", seed, len(short.Faults), len(s.Faults),
		strings.Join(again.Violations, "\n"), short.Tell())
	if os.Getenv("V") != "" {
		short.Play(func(line string) { t.Log("shrunk: " + line) }, false)
	}
}

// knownSeeds are those that failed once, each with a sentence.
func knownSeeds(t *testing.T) []int64 {
	t.Helper()
	file, err := os.Open(seedsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var seeds []int64
	for lines := bufio.NewScanner(file); lines.Scan(); {
		text, sentence, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		seed, err := strconv.ParseInt(text, 10, 64)
		if err != nil || sentence == "" {
			t.Fatalf("%s: %q is not a seed and a sentence", seedsFile, lines.Text())
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

func history(seed int64, dull bool) (string, *World) {
	var lines strings.Builder
	w := WriteScript(seed).Play(func(line string) { lines.WriteString(line + "\n") }, dull)
	return lines.String(), w
}

// TestOneSeedIsOneHistory runs a history twice.
func TestOneSeedIsOneHistory(t *testing.T) {
	for seed := int64(7); seed < 10; seed++ {
		first, _ := history(seed, false)
		second, _ := history(seed, false)
		if first != second {
			t.Errorf("seed %d gave two different histories", seed)
		}
		if strings.Count(first, "\n") < 100 {
			t.Errorf("hardly anything happened in seed %d", seed)
		}
	}
}

// TestNothingRestsOnSleep: where no mind takes a shortcut and no daemon sleeps,
// the laws hold too. (In other histories each shortcut is compared with the long
// way; a daemon that sleeps may tick some milliseconds earlier or later.)
func TestNothingRestsOnSleep(t *testing.T) {
	for seed := int64(11); seed < 13; seed++ {
		if _, w := history(seed, true); len(w.Violations) > 0 {
			t.Errorf("seed %d without shortcuts: %s", seed, strings.Join(w.Violations, "\n"))
		}
	}
}

// TestHistoriesAreEventful: a simulation in which nothing happens finds nothing.
func TestHistoriesAreEventful(t *testing.T) {
	wanted := map[string]int{
		"confirmed off by": 0, "fence attempt by": 0, "the machine rebooted": 0, "moved live": 0, "did not end clean": 0,
		"both ends of the migration are asked": 0, "is out of the migration": 0, "the migration is undone": 0,
		"start failed": 0, "the guest crashed": 0,
		"disappeared from": 0, "fails back live": 0, "the result of the start is unknown": 0,
		"the result of the stop is unknown": 0,
		"leaves":                            0, "does not answer": 0,
		"confirms that the machine is off": 0, "that was in limbo is committed": 0, "gets a snapshot at": 0,
		"is a new machine": 0, "stop failed": 0,
		"ioerror": 0, "moved by hand": 0, "stayed silent": 0, "the call did not return in time": 0,
		"removed from the document": 0, "document version": 0,
		"removed from the cluster": 0, "another machine": 0, "its daemon has been silent": 0,
		"does not know level": 0, "a clusterd of level 1 is installed": 0, "it is in force now": 0,
		"service:shop executes":              0,
		"until every member runs a clusterd": 0, `"declaration-new"`: 0, "its changed declaration is in force": 0,
		"its change was broken off": 0, "uses its new key": 0, "it has a new identity key": 0,
	}
	for _, k := range faultKinds() {
		wanted[": "+k.name+" "] = 0
	}
	// That a daemon stays silent for its whole grace is rare: it happens in one history of twenty.
	for seed, missing := int64(1000), len(wanted); seed <= 1120 && missing > 0; seed++ {
		History(seed, func(line string) {
			for text, count := range wanted {
				if count == 0 && strings.Contains(line, text) {
					wanted[text]++
					missing--
				}
			}
		})
	}
	for text, count := range wanted {
		if count == 0 {
			t.Errorf("in no history anything was %q", text)
		}
	}
}
