package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

// DeclaredNode is a node with its fence levels, as `clusterd fence list` writes
// them for machines.
type DeclaredNode struct {
	Node   string             `json:"node"`
	Levels [][]DeclaredDevice `json:"levels"`
}

// DeclaredDevice is a fence device without its secrets.
type DeclaredDevice struct {
	Name    string `json:"name"`
	Driver  string `json:"driver"`
	Address string `json:"address"`
}

// FenceDeclared is what of a status was declared.
func FenceDeclared(status api.FenceStatus) []DeclaredNode {
	nodes := []DeclaredNode{}
	for _, n := range status.Nodes {
		node := DeclaredNode{Node: n.Node, Levels: [][]DeclaredDevice{}}
		for _, d := range n.Devices {
			for len(node.Levels) <= d.Level {
				node.Levels = append(node.Levels, []DeclaredDevice{})
			}
			node.Levels[d.Level] = append(node.Levels[d.Level],
				DeclaredDevice{Name: d.Name, Driver: d.Driver, Address: d.Address})
		}
		nodes = append(nodes, node)
	}
	return nodes
}

// FenceList writes each node's levels and devices.
func FenceList(status api.FenceStatus) string {
	rows := [][]string{{"NODE", "LEVEL", "DEVICE", "DRIVER", "ADDRESS"}}
	for _, n := range status.Nodes {
		if len(n.Devices) == 0 {
			rows = append(rows, []string{n.Node, "-", "none", "", ""})
		}
		for _, d := range n.Devices {
			rows = append(rows, []string{n.Node, fmt.Sprint(d.Level + 1), d.Name, d.Driver, d.Address})
		}
	}
	return columns(rows)
}

// columns pads each column to its widest cell.
func columns(rows [][]string) string {
	widths := make([]int, 0)
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(clean(cell))))
		}
	}
	var out strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += fit(clean(cell), widths[i]) + "  "
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return out.String()
}

// FenceStatus writes how each node could be fenced: every device with its last
// answer to each node that may have to use it, and when it was last used.
func FenceStatus(status api.FenceStatus, width int) string {
	var out strings.Builder
	if status.Disarmed != nil {
		out.WriteString(Wrap(clean("DISARMED "+strings.TrimPrefix(status.Disarmed.String(), "fencing is disarmed ")+
			"; nothing is shot. `clusterd fence arm` ends that."), "", "  ", width) + "\n")
	}
	if d := status.Drill; d != nil {
		out.WriteString(Wrap(clean(fmt.Sprintf("Drill of %s, level %d, by %s: %s, for %s.", d.Node, d.Level+1,
			firstOf(d.By, "somebody"), phaseText(d.Phase), age(status.At, d.PhaseAt))), "", "  ", width) + "\n")
	}
	names, drivers := 0, 0
	for _, n := range status.Nodes {
		for _, d := range n.Devices {
			names, drivers = max(names, len(d.Name)), max(drivers, len(d.Driver))
		}
	}
	for i, n := range status.Nodes {
		if i > 0 {
			out.WriteString("\n")
		}
		out.WriteString(fenceNode(status, n, names, drivers, width))
	}
	return out.String()
}

// phaseText says what a drill waits for.
func phaseText(phase cluster.DrillPhase) string {
	switch phase {
	case cluster.DrillEmptying:
		return "its services move away"
	case cluster.DrillOff:
		return "its power is being cut"
	}
	return "it is off and is to boot"
}

func fenceNode(status api.FenceStatus, n api.FenceNode, names, drivers, width int) string {
	var out strings.Builder
	text := n.State + ", can be fenced"
	if n.Unprotected != "" {
		text = n.State + ", UNPROTECTED: " + n.Unprotected
	}
	out.WriteString(Wrap(clean(text), n.Node+": ", "    ", width))
	for _, d := range n.Devices {
		head := fmt.Sprintf("  level %d  %s  %s  %s  ", d.Level+1, fit(clean(d.Name), names), fit(clean(d.Driver), drivers),
			fit(firstOf(clean(d.Power), "not asked"), 9))
		out.WriteString(Wrap(clean(checksText(status.At, d)), head, strings.Repeat(" ", len([]rune(head))), width))
		if d.Problem != "" && n.Unprotected == "" {
			out.WriteString(Wrap(clean(d.Problem), "           ! ", "             ", width))
		}
	}
	line := func(what, text string) {
		out.WriteString(Wrap(clean(text), fmt.Sprintf("  %-12s", what), strings.Repeat(" ", 14), width))
	}
	if o := n.Open; o != nil {
		text := fmt.Sprintf("for %s, because %s; %d attempts so far", age(status.At, o.At), o.Why, o.TriedTotal)
		if o.Fencer != "" {
			text += fmt.Sprintf("; %s is at level %d", o.Fencer, o.Level+1)
		} else if !o.LastWhy.IsZero() {
			text += "; the last one: " + o.LastWhy.String()
		}
		line("fencing:", text)
	}
	if r := n.LastUse; r != nil {
		line("last used:", fmt.Sprintf("%s, %s%s in %s by %s", dayAndTime(r.At), drillWord(r.Drill), r.Ending,
			Span(r.Took()), firstOf(r.Fencer, r.By, "nobody")))
	} else if len(n.Devices) > 0 {
		line("last used:", "never")
	}
	if d := n.LastDrill; d != nil {
		result := "succeeded"
		if !d.OK {
			result = "FAILED: " + d.Why.String()
		}
		line("last drill:", fmt.Sprintf("%s, level %d, %s", dayAndTime(d.At), d.Level+1, result))
	}
	return out.String()
}

// checksText groups the nodes that got the same answer.
func checksText(now time.Time, d api.FenceDevice) string {
	if len(d.Checks) == 0 {
		if d.Checked.IsZero() {
			return "not checked yet"
		}
		return fmt.Sprintf("%s %s ago", d.By, age(now, d.Checked))
	}
	var parts []string
	for _, c := range d.Checks {
		text := c.By
		if c.Asked.IsZero() {
			text += " since " + age(now, c.Changed)
		} else {
			text += " " + age(now, c.Asked) + " ago"
		}
		if c.OldLogin {
			text += " (takes the OLD login only)"
		}
		if c.Problem != "" {
			text += " FAILS: " + c.Problem
		}
		parts = append(parts, text)
	}
	slices.SortStableFunc(parts, func(a, b string) int {
		return strings.Compare(fmt.Sprint(strings.Contains(a, " FAILS")), fmt.Sprint(strings.Contains(b, " FAILS")))
	})
	return strings.Join(parts, ", ")
}

// age is how long ago something was, in one unit.
func age(now, then time.Time) string {
	switch d := now.Sub(then); {
	case then.IsZero():
		return "ever"
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int(d.Seconds()), 0))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

func dayAndTime(at time.Time) string { return at.Format("2006-01-02 15:04:05") }

func drillWord(drill bool) string {
	if drill {
		return "a drill, "
	}
	return ""
}

// FenceHistory writes closed fence intents, oldest first.
func FenceHistory(history api.FenceHistory, width int) string {
	if len(history.Records) == 0 {
		return "No node has been fenced.\n"
	}
	var out strings.Builder
	for _, r := range history.Records {
		by := "by the cluster"
		if r.By != "" {
			by = "asked for by " + r.By
		}
		out.WriteString(Wrap(clean(fmt.Sprintf("%s%s after %s, %s", drillWord(r.Drill), r.Ending, Span(r.Took()), by)),
			dayAndTime(r.At)+"  "+r.Node+": ", "    ", width))
		out.WriteString(Wrap(clean(r.Why.String()), "    why: ", "         ", width))
		if r.Attempts > 0 {
			what := fmt.Sprintf("level %d", r.Level+1)
			if len(r.Devices) > 0 {
				what += " (" + strings.Join(r.Devices, ", ") + ")"
			}
			out.WriteString(Wrap(clean(fmt.Sprintf("%s, attempt %d, by %s", what, r.Attempts, firstOf(r.Fencer, "nobody"))),
				"    how: ", "         ", width))
		}
		if !r.Evidence.IsZero() {
			out.WriteString(Wrap(clean(r.Evidence.String()), "    evidence: ", "         ", width))
		}
	}
	return out.String()
}
