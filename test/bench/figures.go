package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// samples are measured times of one kind.
type samples []time.Duration

func (s samples) median() time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// table keeps samples by what was measured, in the order of their first appearance.
type table struct {
	title string
	names []string
	rows  map[string]samples
}

func newTable(title string) *table { return &table{title: title, rows: map[string]samples{}} }

func (t *table) add(name string, took time.Duration) {
	if _, known := t.rows[name]; !known {
		t.names = append(t.names, name)
	}
	t.rows[name] = append(t.rows[name], took)
}

func (t *table) median(name string) int64 { return t.rows[name].median().Milliseconds() }

// String is the table with one line for each name, in milliseconds.
func (t *table) String() string {
	longest := len("milliseconds")
	for _, name := range t.names {
		longest = max(longest, len(name))
	}
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s\n  %-*s  %7s %7s %7s   n\n", t.title, longest, "milliseconds", "median", "min", "max")
	for _, name := range t.names {
		row := t.rows[name]
		fmt.Fprintf(&text, "  %-*s  %7d %7d %7d  %2d\n", longest, name, row.median().Milliseconds(),
			slices.Min(row).Milliseconds(), slices.Max(row).Milliseconds(), len(row))
	}
	return text.String()
}
