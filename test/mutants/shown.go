package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/clusterd/clusterd/test/mutants/breaks"
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
	for _, m := range breaks.All() {
		for _, n := range m.Nets {
			if seed := s.seed(m.Name, n.Name); seed > 0 {
				lines = append(lines, fmt.Sprintf("%s %d %s\n", m.Name, seed, n.Name))
			}
		}
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(root, shownFile), []byte(strings.Join(lines, "")), 0o644)
}
