package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// shownFile lists, for each mutant that histories caught, the seed that showed it last: a line
// "name seed net". It only saves time. A seed that no longer shows its mutant is passed over, and
// the histories are run from the first on, as if it had not been listed.
const shownFile = "test/mutants/shown.txt"

// shown is the seeds that showed mutants last, by the mutant's name and the net's.
type shown struct {
	mutex sync.Mutex
	seeds map[[2]string]int
}

// readShown reads the list below the module's root. Without the file nothing is known.
func readShown(root string) (*shown, error) {
	s := &shown{seeds: map[[2]string]int{}}
	data, err := os.ReadFile(filepath.Join(root, shownFile))
	if os.IsNotExist(err) {
		return s, nil
	} else if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for number := 1; lines.Scan(); number++ {
		var name string
		var seed int
		if _, err := fmt.Sscan(lines.Text(), &name, &seed); err != nil {
			return nil, fmt.Errorf("%s:%d: want \"name seed net\": %w", shownFile, number, err)
		}
		s.seeds[[2]string{name, strings.SplitN(lines.Text(), " ", 3)[2]}] = seed
	}
	return s, lines.Err()
}

// seed returns the seed that showed the mutant in that net last; 0 if none is known.
func (s *shown) seed(name, net string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.seeds[[2]string{name, net}]
}

// keep remembers what showed a mutant; plain tests have no seed.
func (s *shown) keep(name string, o outcome) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if o.caught && o.seeds > 0 {
		s.seeds[[2]string{name, o.net}] = o.seeds
	}
}

// write replaces the list below the module's root; mutants that there are no longer are left out.
func (s *shown) write(root string) error {
	var lines []string
	for _, m := range all() {
		for _, n := range m.nets {
			if seed := s.seed(m.name, n.name); seed > 0 {
				lines = append(lines, fmt.Sprintf("%s %d %s\n", m.name, seed, n.name))
			}
		}
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(root, shownFile), []byte(strings.Join(lines, "")), 0o644)
}

// again plays the one history that showed the mutant last. It reports what that came to, and
// whether it shows the mutant still.
func (n net) again(ctx context.Context, root string, anyway failing, binary string, seed int) (outcome, bool) {
	if seed == 0 || n.seeds == 0 {
		return outcome{}, false
	}
	environment := []string{"NOSHRINK=1", fmt.Sprintf("SEED=%d", seed), "WORLD=" + n.world}
	output, err := command(ctx, runDeadline, filepath.Join(root, n.pkg), environment, nil,
		binary, "-test.run", n.run, "-test.v", "-test.timeout", "5m")
	why := anyway.tells(output, n.kind)
	return outcome{net: n.name, caught: true, seeds: seed, why: why}, err != nil && why != ""
}
