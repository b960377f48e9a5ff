package simulated

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	began = "began"
	ended = "ended"
)

// run is one line of the record: a guest began or ended to execute on a node.
type run struct {
	At       time.Time `json:"at"`
	Node     string    `json:"node"`
	UUID     string    `json:"uuid"`
	Service  string    `json:"service,omitempty"`
	Instance string    `json:"instance"`
	What     string    `json:"what"`
}

func (w world) recordLocked(line run) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(w.recordPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("record a run: %w", err)
	}
	_, err = file.Write(append(text, '\n'))
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("record a run: %w", err)
	}
	return nil
}

// Run is one stretch of execution of one guest on one node.
type Run struct {
	Service  string
	UUID     string
	Node     string
	Instance string
	From     time.Time
	// To is zero while it goes on.
	To time.Time
}

// Runs returns who ran what when, in the order of their beginnings.
func Runs(dir string) (runs []Run, err error) {
	w := world{dir}
	err = w.locked(func(time.Time) error {
		runs, err = w.runsLocked()
		return err
	})
	return runs, err
}

func (w world) runsLocked() ([]Run, error) {
	file, err := os.Open(w.recordPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the record of runs: %w", err)
	}
	defer file.Close()
	var runs []Run
	going := map[[2]string]int{} // by node and UUID
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line run
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("read the record of runs: %w", err)
		}
		key := [2]string{line.Node, line.UUID}
		if line.What == began {
			going[key] = len(runs)
			runs = append(runs, Run{Service: line.Service, UUID: line.UUID, Node: line.Node, Instance: line.Instance,
				From: line.At})
		} else if number, found := going[key]; found {
			runs[number].To = line.At
			delete(going, key)
		}
	}
	return runs, lines.Err()
}

// CheckSingle returns an error that names each pair of overlapping runs: a VM
// that executed on two nodes at once.
func CheckSingle(dir string) error {
	runs, err := Runs(dir)
	if err != nil {
		return err
	}
	var twice []error
	last := map[string]Run{}
	for _, next := range runs {
		before, found := last[next.UUID]
		if found && before.Node != next.Node && (before.To.IsZero() || before.To.After(next.From)) {
			twice = append(twice, fmt.Errorf("%s began on %s at %s while it ran on %s since %s",
				next.Service, next.Node, next.From.Format(time.TimeOnly), before.Node, before.From.Format(time.TimeOnly)))
		}
		if !found || before.Node != next.Node || !before.To.IsZero() {
			last[next.UUID] = next
		}
	}
	return errors.Join(twice...)
}
