package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// edit replaces one text in one file of the module.
type edit struct {
	file, old, new string
}

// mutant is one deliberate break.
type mutant struct {
	name string
	// law is L1 to L10, or R for rules between services and standing orders.
	law string
	// broken says in a sentence what the break does.
	broken string
	edits  []edit
	nets   []net
	// harmless is for a single break where another net holds; the sentence names
	// that net. Such a mutant must break no law.
	harmless string
	// faults are the kinds of fault that the simulation needs to show it: without
	// them it must survive as many histories as showed it with them, and some more.
	faults []string
}

// net is one thing that can notice a break.
type net struct {
	name string
	// pkg and run select the tests.
	pkg, run string
	// seeds is how many random histories are run at most; 0 for plain tests.
	seeds int
	// world is the kind of world that is simulated; "" for the usual ones.
	world string
	// kind is what kind of complaint counts; nil for all.
	kind *regexp.Regexp
	// without are kinds of faults that are left out of the histories.
	without []string
}

// The limits of seeds: within which a break must be caught, and how many a
// harmless one must survive.
const (
	seedsToCatch   = 250
	seedsToSurvive = 60
)

var (
	simulation      = net{name: "simulation", pkg: "./test/sim", run: "^TestSim$", seeds: seedsToCatch}
	shortSimulation = net{name: "simulation", pkg: "./test/sim", run: "^TestSim$", seeds: seedsToSurvive, kind: lawBroken}
	twoNodes        = net{name: "simulation of two nodes", pkg: "./test/sim", run: "^TestSim$", seeds: seedsToCatch,
		world: "two-node"}
	stories = net{name: "scenarios", pkg: "./test/scenarios", run: "^TestScenarios$"}
)

// tests is a net of named tests of one package.
func tests(pkg, run string) net { return net{name: "tests of " + pkg, pkg: "./" + pkg, run: run} }

// mutated returns the mutant's files with the edits done, by path in the module.
func (m mutant) mutated(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.edits {
		text, known := files[e.file]
		if !known {
			data, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.name, err)
			}
			text = string(data)
		}
		if count := strings.Count(text, e.old); count != 1 {
			return nil, fmt.Errorf("mutant %s: %s contains its old text %d times, once is needed; the code has changed, "+
				"bring the mutant after it:\n%s", m.name, e.file, count, e.old)
		}
		files[e.file] = strings.Replace(text, e.old, e.new, 1)
	}
	return files, nil
}

// overlay writes the edited files into a folder, and the list that tells the
// compiler to take them. It returns the list's path.
func (m mutant) overlay(root, folder string) (string, error) {
	files, err := m.mutated(root)
	if err != nil {
		return "", err
	}
	list := struct{ Replace map[string]string }{map[string]string{}}
	for path, text := range files {
		place := filepath.Join(folder, strings.ReplaceAll(path, "/", "_"))
		if err := os.WriteFile(place, []byte(text), 0o600); err != nil {
			return "", err
		}
		list.Replace[filepath.Join(root, path)] = place
	}
	data, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	place := filepath.Join(folder, "overlay.json")
	return place, os.WriteFile(place, data, 0o600)
}

// moduleRoot is the folder of go.mod above the working folder.
func moduleRoot() (string, error) {
	folder, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder, nil
		}
		above := filepath.Dir(folder)
		if above == folder {
			return "", fmt.Errorf("no go.mod above the working folder; run it in the module")
		}
		folder = above
	}
}
