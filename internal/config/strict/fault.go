package strict

import (
	"fmt"
	"sort"
	"strings"
)

// MostFaults is how many faults are told at once; a file with more of them is probably another
// file.
const MostFaults = 50

// Fault is one thing wrong with a file.
type Fault struct {
	File    string
	Line    int
	Column  int
	Message string
}

// Error is the fault as "file:line:column: message", the form that editors jump to.
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// Faults is the error for a file that could be read and is wrong. It is sorted by position.
type Faults struct {
	List []Fault
	// More is how many further faults were left out.
	More int
}

// Error tells every fault, one per line.
func (f *Faults) Error() string { return strings.Join(f.Lines(), "\n") }

// Lines tells every fault, one each.
func (f *Faults) Lines() []string {
	lines := make([]string, 0, len(f.List)+1)
	for _, fault := range f.List {
		lines = append(lines, fault.Error())
	}
	if f.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more faults", f.More))
	}
	return lines
}

// Add keeps the fault while there is room and counts it otherwise.
func (f *Faults) Add(fault Fault) {
	if len(f.List) >= MostFaults {
		f.More++
		return
	}
	f.List = append(f.List, fault)
}

// full reports whether a further fault would only be counted.
func (f *Faults) full() bool { return len(f.List) >= MostFaults }

// hopeless reports whether so much is wrong that reading on is a waste of time.
func (f *Faults) hopeless() bool { return f.More >= 20*MostFaults }

// Failure returns the faults as an error, sorted, or nil when there are none.
func (f *Faults) Failure() error {
	if len(f.List) == 0 {
		return nil
	}
	sort.SliceStable(f.List, func(i, j int) bool {
		a, b := f.List[i], f.List[j]
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return f
}
