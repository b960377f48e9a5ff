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

// Next returns the try that follows the given ones: each level in order, each
// level by every fencer in turn. It returns false when the limit is reached.
func Next(levels int, fencers []string, tried []Attempt) (Step, bool) {
	if levels == 0 || len(fencers) == 0 {
		return Step{}, false
	}
	perRound := levels * len(fencers) * triesPerFencer
	if len(tried) >= perRound*Rounds {
		return Step{}, false
	}
	position := len(tried) % perRound
	level := position / (len(fencers) * triesPerFencer)
	fencer := (position / triesPerFencer) % len(fencers)
	return Step{Fencer: fencers[fencer], Level: level}, true
}
