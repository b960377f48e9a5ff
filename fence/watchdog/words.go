package watchdog

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// The words between daemon and keeper: one JSON object a line each way.

type wordKind string

const (
	wordLease wordKind = "lease"
	wordFree  wordKind = "free"
	wordStop  wordKind = "stop"
	wordYield wordKind = "yield"
	wordState wordKind = "state"
)

type word struct {
	Kind wordKind `json:"word"`
	// Until is the lease's end on CLOCK_BOOTTIME.
	Until time.Duration `json:"until,omitempty"`
}

// State is how the keeper stands.
type State struct {
	Armed bool `json:"armed"`
	Info  Info `json:"info"`
	// Petting reports whether it would pet right now; Why says why not.
	Petting bool   `json:"petting"`
	Why     string `json:"why,omitempty"`
	Free    bool   `json:"free"`
	// Until is the lease's end on CLOCK_BOOTTIME.
	Until time.Duration `json:"until,omitempty"`
	// Disks are the disks watched for fence messages.
	Disks []string `json:"disks,omitempty"`
	// Warnings are what the process could not get for itself: locked memory,
	// real-time priority, protection from the OOM killer.
	Warnings []string `json:"warnings,omitempty"`
	PID      int      `json:"pid"`
}

type tellBack struct {
	State State `json:"state"`
	// Problem is empty when the word was taken; Code names a sentinel.
	Problem string `json:"problem,omitempty"`
	Code    string `json:"code,omitempty"`
}

// sentinels travel by name.
var sentinels = map[string]error{
	"not-as-asked": ErrNotAsAsked, "holding": ErrHolding, "no-way-out": ErrNoWayOut, "stale-pill": ErrStalePill,
	"pilled": ErrPilled, "yielded": ErrYielded,
}

func problemOf(state State, err error) tellBack {
	t := tellBack{State: state}
	if err == nil {
		return t
	}
	t.Problem = err.Error()
	for code, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			t.Code = code
		}
	}
	return t
}

// remoteError is a problem that the keeper told.
type remoteError struct {
	text     string
	sentinel error
}

func (e *remoteError) Error() string { return "watchdog keeper: " + e.text }
func (e *remoteError) Unwrap() error { return e.sentinel }

func (t tellBack) err() error {
	if t.Problem == "" {
		return nil
	}
	return &remoteError{t.Problem, sentinels[t.Code]}
}

// maxLine bounds a word and an answer.
const maxLine = 8 << 10

func lines(in io.Reader) *bufio.Scanner {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 0, 1024), maxLine)
	return scanner
}

func writeLine(out io.Writer, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if len(text) >= maxLine {
		return fmt.Errorf("%d bytes are too much for one word", len(text))
	}
	_, err = out.Write(append(text, '\n'))
	return err
}
