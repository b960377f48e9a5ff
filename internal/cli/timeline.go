package cli

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clusterd/clusterd/cluster"
)

// subjectLimit bounds the column of names; longer ones push their line.
const subjectLimit = 24

// Timeline writes events, oldest first, one line each: when, whom it is about, what changed and
// where, and why; the measured phases of an act follow under the event that ended it. It is a
// function of its arguments alone: times are shown in the zone they carry.
func Timeline(events []cluster.Event, width int) string { return TimelineAfter(nil, events, width) }

// TimelineAfter goes on with a timeline of which the earlier events were written already: in the
// same columns, and with a new date only on a new day.
func TimelineAfter(earlier, events []cluster.Event, width int) string {
	subjectWidth := 0
	for _, event := range slices.Concat(earlier, events) {
		if width := utf8.RuneCountInString(event.Subject); width <= subjectLimit {
			subjectWidth = max(subjectWidth, width)
		}
	}
	var out strings.Builder
	day := ""
	if len(earlier) > 0 {
		day = dayOf(earlier[len(earlier)-1])
	}
	for _, event := range events {
		if today := dayOf(event); today != day {
			out.WriteString(today + "\n")
			day = today
		}
		out.WriteString(eventLine(event, subjectWidth, width))
		out.WriteString(phaseTable(event.Phases))
	}
	return out.String()
}

func dayOf(event cluster.Event) string { return event.At.Format("Mon Jan _2 2006") }

func eventLine(event cluster.Event, subjectWidth, width int) string {
	head := event.At.Format("15:04:05.000") + "  "
	margin := strings.Repeat(" ", utf8.RuneCountInString(head)+subjectWidth+2)
	subject := clean(event.Subject)
	if short := subjectWidth - utf8.RuneCountInString(subject); short > 0 {
		subject += strings.Repeat(" ", short)
	}
	return Wrap(clean(eventText(event)), head+subject+"  ", margin, width)
}

// eventText is the event as a sentence: "starting -> started on node2: why (by whom)".
func eventText(event cluster.Event) string {
	change := ""
	switch {
	case event.From != "" && event.To != "" && event.From != event.To:
		change = event.From + " -> " + event.To
	case event.To != "":
		change = event.To
	}
	if event.Node != "" && event.Node != event.Subject {
		change = strings.TrimSpace(change + " on " + event.Node)
	}
	text := event.Why.String()
	if change != "" && text != "" {
		text = change + ": " + text
	} else if text == "" {
		text = change
	}
	if by := byText(event); by != "" {
		text += " (by " + by + ")"
	}
	return text
}

// byText is who or what decided. A first start is no recovery, although the same rule makes it.
func byText(event cluster.Event) string {
	first := event.From == "stopped" || event.From == "uninitialized"
	if event.By == "recovery" && first && event.To == "starting" {
		return "placement"
	}
	return event.By
}

// phaseTable writes measured moments: when each was, counted from the first, and how long it
// took since the one before (or as measured, where the act measured itself).
func phaseTable(phases []cluster.Phase) string {
	if len(phases) == 0 {
		return ""
	}
	longest := 0
	for _, phase := range phases {
		longest = max(longest, utf8.RuneCountInString(phase.What))
	}
	var out strings.Builder
	var first, before *cluster.Phase
	for i := range phases {
		phase := &phases[i]
		offset, span := "", ""
		if !phase.At.IsZero() {
			if first == nil {
				first = phase
			}
			offset = "+" + Span(phase.At.Sub(first.At))
			if before != nil {
				span = Span(phase.At.Sub(before.At))
			}
			before = phase
		}
		if phase.Took != 0 {
			span = Span(phase.Took)
		}
		line := fmt.Sprintf("%14s%s  %11s  %10s", "", fit(clean(phase.What), longest), offset, span)
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return out.String()
}

// InLocalTime returns the events with their times in the zone of whoever reads.
func InLocalTime(events []cluster.Event) []cluster.Event {
	local := slices.Clone(events)
	for i := range local {
		local[i].At = local[i].At.Local()
	}
	return local
}
