package breaks

import "regexp"

// Edit replaces one text in one file of the module.
type Edit struct {
	File, Old, New string
}

// Mutant is one deliberate break.
type Mutant struct {
	Name string
	// Law is L1 to L10, or R for rules between services and standing orders.
	Law string
	// Broken says in a sentence what the break does.
	Broken string
	Edits  []Edit
	Nets   []Net
	// Harmless is for a single break where another net holds; the sentence names
	// that net. Such a mutant must break no law.
	Harmless string
	// Faults are the kinds of fault that the simulation needs to show it: without
	// them it must survive as many histories as showed it with them, and some more.
	Faults []string
}

// Net is one thing that can notice a break.
type Net struct {
	Name string
	// Pkg and Run select the tests.
	Pkg, Run string
	// Seeds is how many random histories are run at most; 0 for plain tests.
	Seeds int
	// World is the kind of world that is simulated; "" for the usual ones.
	World string
	// Kind is what kind of complaint counts; nil for all.
	Kind *regexp.Regexp
	// Without are kinds of faults that are left out of the histories.
	Without []string
}

// The limits of seeds: within which a break must be caught, and how many a
// harmless one must survive.
const (
	SeedsToCatch   = 250
	seedsToSurvive = 60
)

// Simulation runs random histories, shortSimulation fewer, for breaks that must show nothing;
// stories are those of test/scenarios.
var (
	Simulation      = Net{Name: "simulation", Pkg: "./test/sim", Run: "^TestSim$", Seeds: SeedsToCatch}
	shortSimulation = Net{Name: "simulation", Pkg: "./test/sim", Run: "^TestSim$", Seeds: seedsToSurvive, Kind: LawBroken}
	twoNodes        = Net{Name: "simulation of two nodes", Pkg: "./test/sim", Run: "^TestSim$", Seeds: SeedsToCatch,
		World: "two-node"}
	stories = Net{Name: "scenarios", Pkg: "./test/scenarios", Run: "^TestScenarios$"}
)

// tests is a net of named tests of one package.
func tests(pkg, run string) Net { return Net{Name: "tests of " + pkg, Pkg: "./" + pkg, Run: run} }

// LawBroken matches what a broken law looks like, in contrast to a world that
// only does not come to rest.
var LawBroken = regexp.MustCompile(`s: (State at index \d+: )?(L\d|limits|needless|rules|room|orders|lock|index \d)`)
