package cluster

import (
	"time"

	"github.com/clusterd/clusterd/fence"
)

// Limits of what is kept of a closed fence intent.
const (
	maxFenceHistory = 256
	attemptsOfShot  = 16
	longestEvidence = 2000
)

// Ending says how a fence intent was closed.
type Ending string

// The endings.
const (
	// EndedConfirmed: a device confirmed off.
	EndedConfirmed Ending = "confirmed"
	// EndedByWord: a person answered for it.
	EndedByWord Ending = "confirmed by a person"
	// EndedByBoot: the machine showed a new boot between attempts.
	EndedByBoot Ending = "booted anew"
	// EndedCut: it can write to its disks no more.
	EndedCut Ending = "cut off from its storage"
	// EndedUnproven: a drill that proved nothing.
	EndedUnproven Ending = "proved nothing"
)

// FenceRecord is one fence intent that is closed: who, whom, why, by which
// level, on what evidence, and how long it took.
type FenceRecord struct {
	Node  string `json:"node"`
	Boot  string `json:"boot"`
	Index uint64 `json:"index"`
	// At is when the intent was committed, Ended when it was closed.
	At    time.Time `json:"at"`
	Ended time.Time `json:"ended"`
	Why   string    `json:"why"`
	By    string    `json:"by,omitempty"`
	Drill bool      `json:"drill,omitempty"`

	Ending Ending `json:"ending"`
	// Fencer, Level (counted from 0) and Devices are those of the last attempt.
	Fencer  string   `json:"fencer,omitempty"`
	Level   int      `json:"level"`
	Devices []string `json:"devices,omitempty"`
	// Attempts counts all, Tried are the last of them.
	Attempts int             `json:"attempts"`
	Tried    []fence.Attempt `json:"tried,omitempty"`
	Evidence string          `json:"evidence,omitempty"`
}

// Took is how long the intent was open.
func (r FenceRecord) Took() time.Duration { return r.Ended.Sub(r.At) }

// closeFence takes a fence intent out and keeps what is worth knowing of it. A
// State of older rules keeps none, as the binaries that made them.
func (t *transaction) closeFence(open Fence, ending Ending, evidence string) {
	t.Fences.Delete(open.Node)
	if t.Level < levelTwo {
		return
	}
	record := FenceRecord{Node: open.Node, Boot: open.Boot, Index: open.Index, At: open.At, Ended: t.at, Why: open.Why, By: open.By, Drill: open.Drill,
		Ending: ending, Level: open.Level, Attempts: open.TriedTotal, Evidence: evidence}
	record.Evidence = record.Evidence[:min(len(record.Evidence), longestEvidence)]
	if last := len(open.Tried) - 1; last >= 0 {
		record.Fencer, record.Level = open.Tried[last].Fencer, open.Tried[last].Level
		record.Tried = append(record.Tried, open.Tried[max(0, len(open.Tried)-attemptsOfShot):]...)
	}
	if levels := t.Document.Nodes[open.Node].Fence; record.Level < len(levels) && record.Attempts > 0 {
		record.Devices = levels[record.Level].Devices
	}
	t.FenceHistory = append(t.FenceHistory, record)
	if excess := len(t.FenceHistory) - maxFenceHistory; excess > 0 {
		t.FenceHistory = append([]FenceRecord(nil), t.FenceHistory[excess:]...)
	}
}
