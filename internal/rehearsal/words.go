package rehearsal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/cli"
)

// Placement tells where a service would be started now, node by node.
func Placement(e cluster.Explanation, width int) string {
	var out strings.Builder
	switch first := best(e); {
	case e.State == "started":
		fmt.Fprintf(&out, "%s runs on %s.\n", e.Service, e.Owner)
	case first == "":
		fmt.Fprintf(&out, "No node may run %s now.\n", e.Service)
	default:
		fmt.Fprintf(&out, "%s would be started on %s.\n", e.Service, first)
	}
	nodes := len("NODE")
	for _, c := range e.Candidates {
		nodes = max(nodes, len(c.Node))
	}
	fmt.Fprintf(&out, "%5s  %-*s  %8s  %s\n", "ORDER", nodes, "NODE", "SERVICES", "WHY")
	for _, c := range e.Candidates {
		order := "-"
		if c.Order > 0 {
			order = fmt.Sprint(c.Order)
		}
		head := fmt.Sprintf("%5s  %-*s  %8d  ", order, nodes, c.Node, c.Services)
		out.WriteString(cli.Wrap(c.Why.String(), head, strings.Repeat(" ", len(head)), width))
	}
	for _, rule := range e.Rules {
		out.WriteString(cli.Wrap(rule.String(), "rule: ", "      ", width))
	}
	for _, note := range e.Waits {
		out.WriteString(cli.Wrap(note.Why.String(), "waits: ", "       ", width))
	}
	return out.String()
}

func best(e cluster.Explanation) string {
	for _, c := range e.Candidates {
		if c.Order == 1 {
			return c.Node
		}
	}
	return ""
}

// Table tells where all services are.
func Table(standings []Standing, width int) string {
	var out strings.Builder
	names, states := 0, 0
	for _, s := range standings {
		names, states = max(names, len(s.Service)), max(states, len(s.State))
	}
	for _, s := range standings {
		place := s.Node
		switch {
		case place == "":
			place = "-"
		case s.Lost:
			place += ", as far as anybody knows"
		}
		head := fmt.Sprintf("  %-*s  %-*s  ", names, s.Service, states, s.State)
		out.WriteString(cli.Wrap(place, head, strings.Repeat(" ", len(head)), width))
	}
	return out.String()
}

// clock is the part of a line of the timeline that tells when.
const clock = len("15:04:05.000  ")

// Story tells events in order, without their times, which mean nothing here.
func Story(events []cluster.Event, width int) string {
	var out strings.Builder
	events = slices.Clone(events)
	for i := range events {
		events[i].Phases = nil
	}
	lines := strings.Split(strings.TrimSuffix(cli.Timeline(events, width+clock-2), "\n"), "\n")
	for _, line := range lines[min(1, len(lines)):] {
		out.WriteString("  " + line[min(clock, len(line)):] + "\n")
	}
	return out.String()
}

// Waiting tells what was not done, and what a person can do about it.
func Waiting(notes []cluster.Note, width int) string {
	var out strings.Builder
	for _, note := range notes {
		text := note.Subject + ": " + note.Why.String()
		if !note.Next.IsZero() {
			text += "; " + note.Next.String()
		}
		out.WriteString(cli.Wrap(text, "  ", "    ", width))
	}
	return out.String()
}
