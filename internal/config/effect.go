package config

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/cluster"
)

// Effect says what becomes of a change of the document.
type Effect string

// The effects, in the order in which they are shown.
const (
	// EffectNow is a change in place: nothing is started or stopped for it.
	EffectNow Effect = "in place, at once"
	// EffectNextStart waits: what runs goes on as it was started.
	EffectNextStart Effect = "from the next start on"
	// EffectStart is a service, or a part of one that runs, that comes up by it.
	EffectStart Effect = "started"
	// EffectRestart is a part of a service that runs and cannot go on as it is; what
	// its agent can do about that only the node knows where it runs.
	EffectRestart Effect = "changed in place where its agent can, else stopped and started"
	// EffectEnd is what the document no longer has.
	EffectEnd Effect = "removed"
)

// Effects are all of them.
var Effects = []Effect{EffectNow, EffectNextStart, EffectStart, EffectRestart, EffectEnd}

// What sentences of Diff say, and effectOf looks for.
const (
	fromNextStart = "counts from its next start"
	isStarted     = "it is started"
	isRemoved     = "is removed"
	isAdded       = "is added"
	isRestarted   = "so it is restarted unless its agent reloads"
	liesBelow     = "lies below one that changes, so it is restarted with it"
)

// Change is one sentence of a plan with its effect.
type Change struct {
	Effect Effect
	Text   string
}

// Plan is Diff, with the effect of each change.
func Plan(old, new cluster.Document) []Change {
	lines := Diff(old, new)
	changes := make([]Change, 0, len(lines))
	for _, line := range lines {
		changes = append(changes, Change{Effect: effectOf(line), Text: line})
	}
	return changes
}

func effectOf(line string) Effect {
	ofService := strings.HasPrefix(line, "service ")
	switch {
	case strings.Contains(line, ": "+isRemoved), ofService && strings.HasSuffix(line, " "+isRemoved):
		return EffectEnd
	case strings.Contains(line, "; "+isStarted), ofService && strings.HasSuffix(line, " "+isAdded):
		return EffectStart
	case strings.HasSuffix(line, liesBelow), strings.HasSuffix(line, isRestarted):
		return EffectRestart
	case strings.Contains(line, fromNextStart), strings.Contains(line, "counts from the next start"):
		return EffectNextStart
	}
	return EffectNow
}

// longestSummary is how many bytes a summary takes.
const longestSummary = 120

// Summary is a whole change in one line, for the history.
func Summary(lines []string) string {
	if len(lines) == 0 {
		return "written in another way"
	}
	first, _, _ := strings.Cut(lines[0], "; ")
	first, _, _ = strings.Cut(first, " (")
	if letters := []rune(first); len(letters) > longestSummary {
		first = string(letters[:longestSummary]) + "..."
	}
	if more := len(lines) - 1; more > 0 {
		first += fmt.Sprintf(" (and %d more)", more)
	}
	return first
}
