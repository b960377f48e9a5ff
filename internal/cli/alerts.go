package cli

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/internal/api"
)

// Alerts writes how each alert fares: its numbers on one line, where it goes and
// what is wrong with it below.
func Alerts(list api.Alerts, width int) string {
	if len(list.Alerts) == 0 {
		return "The document has no alerts.\n"
	}
	const longest = 24
	names, tellers := len("ALERT"), len("TOLD BY")
	for _, alert := range list.Alerts {
		names, tellers = min(max(names, len(alert.Name)), longest), min(max(tellers, len(alert.Teller)), longest)
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%-*s  %-*s  %6s  %6s  %7s  %s\n", names, "ALERT", tellers, "TOLD BY", "TOLD", "FAILED", "DROPPED",
		"STATE")
	for _, alert := range list.Alerts {
		state := "works"
		switch {
		case alert.Problem != "":
			state = "failing"
		case alert.Sent+alert.Failed+alert.Dropped == 0:
			state = "not used yet"
		}
		fmt.Fprintf(&out, "%s  %s  %6d  %6d  %7d  %s\n", fit(clean(alert.Name), names),
			fit(firstOf(clean(alert.Teller), "nobody"), tellers), alert.Sent, alert.Failed, alert.Dropped, state)
		out.WriteString(Wrap(clean(alert.Way), "    ", "      ", width))
		if alert.Problem != "" {
			out.WriteString(Wrap("since "+clockText(alert.Since)+": "+clean(alert.Problem), "    ", "      ", width))
		}
	}
	return out.String()
}
