package recorder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/mind"
	clusterplan "github.com/clusterd/clusterd/cluster/plan"
)

// Comparison is how a plan made again compares with the recorded one.
type Comparison struct {
	// Same: today's code would do the same, perhaps in other words.
	Same bool
	// Reworded: the same, but a reason is worded otherwise.
	Reworded bool
	// Commands and Notes are the lines of both, each marked "  " (in both), "- "
	// (recorded only) or "+ " (today only). Reasons are left out of the comparison
	// of commands, and shown.
	Commands []string
	Notes    []string
}

// ErrPlanFailed is returned when this build's Plan panics on a record: it is
// damaged, or shows a fault of this build.
var ErrPlanFailed = errors.New("this clusterd cannot plan from the record")

// Replay makes the plan again with the code of this build.
func Replay(r Record) (Comparison, error) {
	decision, err := plan(r.Planned)
	if err != nil {
		return Comparison{}, err
	}
	recorded, err := commandLines(r.Planned.Decision.Commands)
	if err != nil {
		return Comparison{}, err
	}
	today, err := commandLines(decision.Commands)
	if err != nil {
		return Comparison{}, err
	}
	c := Comparison{Same: slices.EqualFunc(recorded, today, sameAct), Commands: marked(recorded, today)}
	c.Reworded = c.Same && !slices.Equal(recorded, today)
	recordedNotes, err := noteLines(r.Planned.Decision.Notes)
	if err != nil {
		return Comparison{}, err
	}
	todaysNotes, err := noteLines(decision.Notes)
	if err != nil {
		return Comparison{}, err
	}
	c.Notes = marked(recordedNotes, todaysNotes)
	return c, nil
}

// plan turns a panic into an error, so that one record does not keep the others
// from being looked at.
func plan(planned mind.Planned) (decision clusterplan.Decision, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: it panics: %v", ErrPlanFailed, fault)
		}
	}()
	return clusterplan.Plan(planned.State, planned.View), nil
}

// line is one command or note, as it is shown and as it is compared.
type line struct{ text, act string }

func sameAct(a, b line) bool { return a.act == b.act }

func commandLines(commands []cluster.Command) ([]line, error) {
	lines := make([]line, 0, len(commands))
	for _, command := range commands {
		kind := cluster.KindOf(command)
		encoded, err := json.Marshal(command)
		if err != nil {
			return nil, fmt.Errorf("write command %s: %w", kind, err)
		}
		act, err := withoutReason(encoded)
		if err != nil {
			return nil, fmt.Errorf("read command %s: %w", kind, err)
		}
		lines = append(lines, line{text: kind + " " + string(encoded), act: kind + " " + act})
	}
	return lines, nil
}

func noteLines(notes []cluster.Note) ([]line, error) {
	lines := make([]line, 0, len(notes))
	for _, note := range notes {
		encoded, err := json.Marshal(note)
		if err != nil {
			return nil, fmt.Errorf("write a note: %w", err)
		}
		lines = append(lines, line{text: string(encoded), act: string(encoded)})
	}
	return lines, nil
}

// withoutReason drops the sentence: two that mean the same are the same act.
// Numbers are kept as they are written, because indexes do not fit a float.
func withoutReason(encoded []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return "", err
	}
	delete(fields, "why")
	text, err := json.Marshal(fields)
	return string(text), err
}

// mostCompared bounds the table of marked: beyond it both lists are shown whole.
const mostCompared = 2000

// marked shows two lists as one, by their longest common part.
func marked(before, after []line) []string {
	var lines []string
	if len(before) > mostCompared || len(after) > mostCompared {
		for _, l := range before {
			lines = append(lines, "- "+l.text)
		}
		for _, l := range after {
			lines = append(lines, "+ "+l.text)
		}
		return lines
	}
	common := commonLengths(before, after)
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case i < len(before) && j < len(after) && sameAct(before[i], after[j]):
			lines = append(lines, "  "+after[j].text)
			i, j = i+1, j+1
		case j == len(after) || (i < len(before) && common[i+1][j] >= common[i][j+1]):
			lines = append(lines, "- "+before[i].text)
			i++
		default:
			lines = append(lines, "+ "+after[j].text)
			j++
		}
	}
	return lines
}

// commonLengths tells for each pair of rests how much they have in common.
func commonLengths(before, after []line) [][]int {
	common := make([][]int, len(before)+1)
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if sameAct(before[i], after[j]) {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}
