package cli

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

// Why writes why a service is where it is: what it is, the decision behind that,
// the nodes as they would be judged for a start now, and what it waits for.
func Why(e cluster.Explanation, width int) string {
	var out strings.Builder
	head := e.Service + " is " + e.State
	if e.Owner != "" {
		head += " on " + e.Owner
	}
	if !e.Reason.IsZero() {
		head += ": " + e.Reason.String()
	}
	out.WriteString(Wrap(clean(head), "", "  ", width))
	if e.Decision != nil {
		decided := clockText(e.Decision.At) + ", " + eventText(*e.Decision)
		out.WriteString(Wrap(clean(decided), "Last decision: ", "  ", width))
	}
	out.WriteString("\n" + candidateTable(e.Candidates, width))
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"Rules between services", message.Sentences(e.Rules)},
		{"What ties it to a host", e.Bonds},
		{"What it waits for", waitLines(e.Waits)},
	} {
		if len(part.lines) == 0 {
			continue
		}
		out.WriteString("\n" + part.title + "\n")
		for _, line := range part.lines {
			out.WriteString(Wrap(clean(line), "  - ", "    ", width))
		}
	}
	next := "nothing to do"
	switch {
	case !e.Next.IsZero():
		next = e.Next.String()
	case len(e.Waits) > 0:
		next = "nothing now, see what it waits for"
	}
	out.WriteString("\n" + Wrap(clean(next), "Next: ", "  ", width))
	return out.String()
}

func waitLines(notes []cluster.Note) []string {
	lines := make([]string, 0, len(notes))
	for _, note := range notes {
		lines = append(lines, noteText(note))
	}
	return lines
}

// noteText is a note with what a person can do about it.
func noteText(note cluster.Note) string {
	return withNext(note.Why.String(), note.Next.String())
}

// withNext puts what a person can do behind what happened, as a sentence of its own.
func withNext(why, next string) string {
	if next == "" {
		return why
	}
	word, _, _ := strings.Cut(next, " ")
	if plainWord(word) {
		next = strings.ToUpper(next[:1]) + next[1:]
	}
	return strings.TrimRight(why, ".") + ". " + next
}

// plainWord reports whether a word is one of the language: not a command, an option or a name
// with a number.
func plainWord(word string) bool {
	switch word {
	case "clusvcadm", "clusterd", "clustat", "systemctl", "virsh":
		return false
	}
	for _, letter := range strings.TrimRight(word, ",:") {
		if letter < 'a' || letter > 'z' {
			return false
		}
	}
	return word != ""
}

// candidateTable lists the nodes, the best first, each with what speaks for it or
// rules it out.
func candidateTable(candidates []cluster.Candidate, width int) string {
	if len(candidates) == 0 {
		return "There is no node that could run it.\n"
	}
	longest := len("Node")
	for _, c := range candidates {
		longest = min(max(longest, utf8.RuneCountInString(nodeMarked(c))), subjectLimit+len(hereMark))
	}
	counted := slices.ContainsFunc(candidates, func(c cluster.Candidate) bool { return c.Memory > 0 })
	var out strings.Builder
	free, rule := "", ""
	if counted {
		free, rule = fmt.Sprintf("%9s  ", "Free"), fmt.Sprintf("%9s  ", "----")
	}
	fmt.Fprintf(&out, " %s  Choice  Runs  %sWhy\n %s  ------  ----  %s---\n", fit("Node", longest), free,
		fit("----", longest), rule)
	for _, c := range candidates {
		choice := "never"
		if c.Order > 0 {
			choice = fmt.Sprint(c.Order)
		}
		head := fmt.Sprintf(" %s  %-6s  %4d  ", fit(nodeMarked(c), longest), choice, c.Services)
		switch {
		case counted && c.Memory > 0:
			head += fmt.Sprintf("%9s  ", c.Free)
		case counted:
			head += fmt.Sprintf("%9s  ", "unknown")
		}
		out.WriteString(Wrap(clean(c.Why.String()), head, strings.Repeat(" ", utf8.RuneCountInString(head)), width))
	}
	return out.String()
}

// hereMark stands behind the node where the service is.
const hereMark = " (here)"

func nodeMarked(c cluster.Candidate) string {
	if c.Here {
		return clean(c.Node) + hereMark
	}
	return clean(c.Node)
}

// Remark writes what an answer may lack; nothing where it lacks nothing.
func Remark(g api.Ground, width int) string {
	if g.Remark == "" {
		return ""
	}
	return Wrap(clean(g.Remark), "", "", width)
}

// Rehearsal writes what would come of a request.
func Rehearsal(r cluster.Rehearsal, width int) string {
	var out strings.Builder
	switch {
	case !r.Refused.IsZero():
		out.WriteString(Wrap(clean("It would be refused: "+CodeText(r.Code)+": "+r.Refused.String()), "", "  ", width))
	case ExitCode(r.Code) != 0 && len(r.Events) == 0:
		out.WriteString(Wrap(clean("It would be refused: "+CodeText(r.Code)+": "+r.Why.String()), "", "  ", width))
	case !r.Done:
		out.WriteString(Wrap("It would be accepted, and would wait.", "", "  ", width))
	default:
		answer := "It would end with: " + CodeText(r.Code)
		if r.Owner != "" {
			answer += ", running on " + r.Owner
		}
		if !r.Why.IsZero() {
			answer += ": " + r.Why.String()
		}
		out.WriteString(Wrap(clean(answer), "", "  ", width))
	}
	if len(r.Events) > 0 {
		out.WriteString("What would happen, in order:\n")
		for i, e := range r.Events {
			out.WriteString(Wrap(clean(e.Subject+" "+eventText(e)), fmt.Sprintf("%3d. ", i+1), "     ", width))
		}
	}
	if len(r.Notes) > 0 {
		out.WriteString("What would not be done:\n")
		for _, note := range r.Notes {
			out.WriteString(Wrap(clean(note.Subject+": "+noteText(note)), "  - ", "    ", width))
		}
	}
	return out.String()
}
