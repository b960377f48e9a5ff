package cli

import (
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// Moves writes live moves, oldest first: a table, with a line below each that did not arrive.
func Moves(moves []api.MoveOf, width int) string {
	if len(moves) == 0 {
		return "Nothing has been moved live.\n"
	}
	rows := [][]string{{"BEGAN", "SERVICE", "FROM", "TO", "TOOK", "STOOD STILL", "BY"}}
	for _, m := range moves {
		took, still := spanOf(m.Total), spanOf(m.Downtime)
		if !m.Arrived {
			took, still = "stayed", "-"
		}
		rows = append(rows, []string{dayAndTime(m.At), clean(m.Service), m.From, m.To, took, still, clean(firstOf(m.By,
			"the cluster"))})
	}
	lines := strings.SplitAfter(columns(rows), "\n")
	var out strings.Builder
	out.WriteString(lines[0])
	for i, m := range moves {
		out.WriteString(lines[i+1])
		if !m.Arrived && !m.Undone.IsZero() {
			out.WriteString(Wrap(clean(m.Undone.String()), "    ", "    ", width))
		}
	}
	return out.String()
}

// spanOf is a duration that was measured.
func spanOf(d time.Duration) string {
	if d == 0 {
		return "not known"
	}
	return Span(d)
}
