package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// mostFollowing bounds what is shown of what follows from a document.
const mostFollowing = 40

// Plan writes what a change of the document does, by what becomes of each part
// of it. order are the effects in the order in which they are shown.
func Plan(reply api.ConfigReply, order []string, width int) string {
	var out strings.Builder
	for _, effect := range order {
		first := true
		for _, change := range reply.Plan {
			if change.Effect != effect {
				continue
			}
			if first {
				out.WriteString("  " + effect + "\n")
				first = false
			}
			out.WriteString(Wrap(clean(change.Text), "    ", "      ", width))
		}
	}
	if len(reply.Plan) == 0 {
		out.WriteString("  nothing changes\n")
	}
	if len(reply.Follows) > 0 {
		out.WriteString("  what the cluster does then\n")
	}
	for i, e := range reply.Follows {
		if i == mostFollowing {
			fmt.Fprintf(&out, "    and %d more\n", len(reply.Follows)-i)
			break
		}
		out.WriteString(Wrap(clean(e.Subject+" "+eventText(e)), "    ", "      ", width))
	}
	for i, note := range reply.Waits {
		if i == 0 {
			out.WriteString("  what waits then\n")
		}
		if i == mostFollowing {
			fmt.Fprintf(&out, "    and %d more\n", len(reply.Waits)-i)
			break
		}
		out.WriteString(Wrap(clean(note.Subject+": "+noteText(note)), "    ", "      ", width))
	}
	if reply.Refused != "" {
		out.WriteString(Wrap("The cluster would refuse it: "+clean(reply.Refused), "", "  ", width))
	}
	out.WriteString(Remark(reply.Ground, width))
	return out.String()
}

// History writes the versions of the document, the newest first: that is the one
// that is looked for.
func History(history api.History, width int) string {
	if len(history.Revisions) == 0 {
		return "No document was put into force yet.\n"
	}
	who := 4
	for _, revision := range history.Revisions {
		who = min(max(who, len(revision.By)), subjectLimit)
	}
	var out strings.Builder
	margin := strings.Repeat(" ", 7+2+19+2+who+2)
	fmt.Fprintf(&out, "%7s  %-19s  %-*s  %s\n", "VERSION", "WHEN", who, "WHO", "WHAT")
	for i := len(history.Revisions) - 1; i >= 0; i-- {
		r := history.Revisions[i]
		mark := ""
		if i == len(history.Revisions)-1 {
			mark = " (in force)"
		}
		what := firstOf(clean(r.Summary), "not noted down") + mark
		head := fmt.Sprintf("%7d  %-19s  %s  ", r.Version, revisionTime(r.At), fit(clean(r.By), who))
		out.WriteString(Wrap(what, head, margin, width))
		if r.Reason != "" {
			out.WriteString(Wrap(clean(r.Reason), margin+"reason: ", margin+"  ", width))
		}
	}
	return out.String()
}

func revisionTime(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Format("2006-01-02 15:04:05")
}
