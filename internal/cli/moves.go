package cli

import (
	"fmt"
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

// Foresight writes what source and target say of a live move before it begins.
func Foresight(f *api.Foresight, target string, width int) string {
	if f == nil {
		return ""
	}
	var lines []string
	switch {
	case f.Ready:
		lines = append(lines, fmt.Sprintf("%s can take it: %s", target, f.Target))
	case f.Target != "":
		lines = append(lines, fmt.Sprintf("%s cannot take it now, and the move would end with nothing sent: %s", target,
			f.Target))
	}
	if f.Forecast != nil {
		lines = append(lines, forecastText(*f.Forecast))
	}
	if f.Silent != "" {
		lines = append(lines, f.Silent)
	}
	var out strings.Builder
	for _, line := range lines {
		out.WriteString(Wrap(clean(line), "", "  ", width))
	}
	return out.String()
}

func forecastText(f api.Forecast) string {
	has := fmt.Sprintf("%s to send, the guest writes %s/s, reckoned with %s/s", Bytes(f.Memory), Bytes(f.Dirty),
		Bytes(f.Rate))
	if !f.Ends {
		return "It would not end by itself: " + has + ". More bandwidth, a longer downtime, auto_converge or mode=hybrid " +
			"lets it arrive (--set)"
	}
	return fmt.Sprintf("About %s in all, the guest stands still for at most %s: %s", roughly(f.Total),
		roughly(f.Downtime), has)
}

// roughly rounds what was reckoned to what can be known of it.
func roughly(d time.Duration) string {
	if d < time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
