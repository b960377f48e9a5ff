package fence

// Attempt is one finished try at a fence intent.
type Attempt struct {
	Fencer  string  `json:"fencer"`
	Level   int     `json:"level"`
	Outcome Outcome `json:"outcome"`
}

// Step is the next try.
type Step struct {
	Fencer string
	Level  int
}

// triesPerFencer bounds how often one node tries one level before another
// node is asked: a BMC may be reachable from there.
const triesPerFencer = 2

// Rounds bounds how often all fencers go through all levels before the intent
// waits for an operator or a change.
const Rounds = 3

// Next returns the try that follows the given ones, where each level is tried as
// often as by default.
func Next(levels int, fencers []string, tried []Attempt) (Step, bool) {
	attempts := make([]int, levels)
	for i := range attempts {
		attempts[i] = triesPerFencer
	}
	return NextOf(attempts, fencers, tried)
}

// NextOf returns the try that follows the given ones: each level in order, each
// level by every fencer in turn, as often as its attempts say. It returns false
// when the limit is reached.
func NextOf(attempts []int, fencers []string, tried []Attempt) (Step, bool) {
	perRound := 0
	for _, a := range attempts {
		perRound += a * len(fencers)
	}
	if perRound == 0 || len(tried) >= perRound*Rounds {
		return Step{}, false
	}
	position := len(tried) % perRound
	for level, a := range attempts {
		if position < a*len(fencers) {
			return Step{Fencer: fencers[position/a], Level: level}, true
		}
		position -= a * len(fencers)
	}
	return Step{}, false
}
