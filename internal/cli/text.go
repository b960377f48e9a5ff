package cli

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clusterd/clusterd/internal/api"
)

// NoQuorum is the line in front of what a node without quorum shows: it may be out of date.
func NoQuorum(status api.Status) string {
	if status.Quorate {
		return ""
	}
	return "NO QUORUM: what follows is what " + status.Local + " last knew; it may be out of date. See clustat.\n"
}

// Wrap breaks text into lines of at most width columns. The first line starts with first, all
// further ones with rest. A word that is longer than a line stands on its own.
func Wrap(text, first, rest string, width int) string {
	var out strings.Builder
	line, empty := first, true
	for _, word := range strings.Fields(text) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			out.WriteString(strings.TrimRight(line, " ") + "\n")
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+word, false
	}
	out.WriteString(strings.TrimRight(line, " ") + "\n")
	return out.String()
}

// fit pads or cuts text to exactly width columns.
func fit(text string, width int) string {
	letters := []rune(text)
	if len(letters) >= width {
		return string(letters[:max(width, 0)])
	}
	return text + strings.Repeat(" ", width-len(letters))
}

// Span writes a duration the way the timeline and progress show it: 960 ms, 1.234 s, 2m 03s.
func Span(d time.Duration) string {
	sign := ""
	if d = d.Round(time.Millisecond); d < 0 {
		sign, d = "-", -d
	}
	switch {
	case d < time.Second:
		return fmt.Sprintf("%s%d ms", sign, d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%s%.3f s", sign, d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%s%dm %02ds", sign, int(d.Minutes()), int(d.Seconds())%60)
}

// Bytes writes a size in binary units.
func Bytes(count uint64) string {
	const units = "KMGTPE"
	if count < 1024 {
		return fmt.Sprintf("%d B", count)
	}
	value, unit := float64(count)/1024, 0
	for value >= 1024 && unit < len(units)-1 {
		value, unit = value/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
