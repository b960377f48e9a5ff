package cib

import (
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

// verdict is whether a rule about dates holds.
type verdict int

const (
	// sometimes: it holds at some times, or that cannot be read from the text.
	sometimes verdict = iota
	// always: it holds, and will not cease to.
	always
	// never: it does not hold, and never will again.
	never
)

// dateLayouts are the forms of ISO 8601 that people write into a CIB; Pacemaker
// takes more of them, which are left undecided.
var dateLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05Z", "2006-01-02 15:04:05", "2006-01-02 15:04Z07:00",
	"2006-01-02 15:04",
	"2006-01-02", "20060102T150405Z07:00", "20060102T150405", "20060102",
}

// readDate reads a date. One without a zone is that of the host that reads it, as
// Pacemaker has it.
func readDate(text string, zone *time.Location) (time.Time, bool) {
	for _, layout := range dateLayouts {
		if at, err := time.ParseInLocation(layout, strings.TrimSpace(text), zone); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// dates judges a <date_expression> for good: what is true today and false
// tomorrow is neither.
func (t *translation) dates(e *importing.Element) verdict {
	start, hasStart := readDate(e.Get("start"), t.now.Location())
	end, hasEnd := readDate(e.Get("end"), t.now.Location())
	if t.now.IsZero() || len(e.Children) > 0 || e.Has("start") && !hasStart || e.Has("end") && !hasEnd {
		return sometimes
	}
	switch operation := withDefault(e.Get("operation"), "in_range"); {
	case operation == "gt" && hasStart && t.now.After(start):
		return always
	case operation == "lt" && hasEnd && !t.now.Before(end):
		return never
	case operation == "in_range" && hasEnd && t.now.After(end):
		return never
	case operation == "in_range" && hasStart && !hasEnd && t.now.After(start):
		return always
	}
	return sometimes
}

// lasting judges a rule that speaks of dates alone.
func (t *translation) lasting(rule *importing.Element) verdict {
	// What settles the rule by itself, and what does not.
	settles, leaves := never, always
	if strings.EqualFold(rule.Get("boolean-op"), "or") {
		settles, leaves = always, never
	}
	whole := leaves
	for _, child := range rule.Children {
		part := sometimes
		switch child.Name {
		case "date_expression":
			part = t.dates(child)
		case "rule":
			part = t.lasting(child)
		}
		if part == settles {
			return settles
		}
		if part == sometimes {
			whole = sometimes
		}
	}
	if len(rule.Children) == 0 {
		return sometimes
	}
	return whole
}

// lastingAll judges the rules of an element, of which each has to hold.
func (t *translation) lastingAll(rules []*importing.Element) verdict {
	whole := always
	for _, rule := range rules {
		switch t.lasting(rule) {
		case never:
			return never
		case sometimes:
			whole = sometimes
		}
	}
	return whole
}
