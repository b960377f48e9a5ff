package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		of   samples
		want time.Duration
	}{{nil, 0}, {samples{5}, 5}, {samples{9, 1, 5}, 5}, {samples{8, 2, 4, 100}, 6}} {
		if got := c.of.median(); got != c.want {
			t.Errorf("median of %v is %d, want %d", c.of, got, c.want)
		}
	}
}

func TestTableKeepsTheOrderOfRows(t *testing.T) {
	made := newTable("title")
	made.add("second", 20*time.Millisecond)
	made.add("first", 10*time.Millisecond)
	made.add("second", 40*time.Millisecond)
	text := made.String()
	if strings.Index(text, "second") > strings.Index(text, "first") {
		t.Errorf("rows were sorted:\n%s", text)
	}
	if want := "second             30      20      40   2"; !strings.Contains(text, want) {
		t.Errorf("%q is not in:\n%s", want, text)
	}
}

func TestJobFigure(t *testing.T) {
	info := "Job type:         Completed   \nTime elapsed:     934          ms\nData total:       16.000 MiB\nTotal " +
		"downtime:   31           ms\n"
	if took, found := jobFigure(info, "Total downtime"); !found || took != 31*time.Millisecond {
		t.Errorf("downtime %v (%v), want 31ms", took, found)
	}
	if took, found := jobFigure(info, "Setup time"); found {
		t.Errorf("found a setup time that is not there: %v", took)
	}
}
