package blockserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// ErrTwoWriters is returned when a record shows that a disk had two writers.
var ErrTwoWriters = errors.New("two writers")

// ErrRecordFull is returned when a record has been cut short, so that nothing can be sworn by it.
var ErrRecordFull = errors.New("the record of writers is incomplete")

const (
	runsLimit = 4096
	// returnsTooSoon is the shortest time another host's turn may last. A migration there and back
	// takes libvirt several times as long; two copies that write in turns do so every tenth of a
	// second.
	returnsTooSoon = 250 * time.Millisecond
)

// Stamp is what our guest writes into a sector: "CLGT NONCE BOOT TICK MS". The nonce names one
// run of the guest and moves with it, the boot counter grows by one each time the guest starts
// from that disk.
type Stamp struct {
	Nonce string
	Boot  uint64
	Tick  uint64
}

// ParseStamp reads a stamp; ok is false for a sector that some other program wrote.
func ParseStamp(sector []byte) (stamp Stamp, ok bool) {
	line, _, found := bytes.Cut(sector[:min(len(sector), 128)], []byte("\n"))
	fields := strings.Fields(string(line))
	if !found || len(fields) < 5 || fields[0] != "CLGT" {
		return Stamp{}, false
	}
	boot, bootError := strconv.ParseUint(fields[2], 10, 64)
	tick, tickError := strconv.ParseUint(fields[3], 10, 64)
	if bootError != nil || tickError != nil {
		return Stamp{}, false
	}
	return Stamp{Nonce: fields[1], Boot: boot, Tick: tick}, true
}

// Write is an unbroken run of writes by one run of a guest on one host. Nonce is empty for
// writes that carry no stamp.
type Write struct {
	Host      string    `json:"host"`
	Nonce     string    `json:"nonce,omitempty"`
	Boot      uint64    `json:"boot,omitempty"`
	At        time.Time `json:"at"`
	Until     time.Time `json:"until"`
	FirstTick uint64    `json:"first_tick"`
	LastTick  uint64    `json:"last_tick"`
	Count     uint64    `json:"count"`
}

// String tells the run on one line, for people.
func (w Write) String() string {
	nonce := w.Nonce
	if nonce == "" {
		nonce = "(no stamp)"
	}
	return fmt.Sprintf("%s to %s  %-8s guest %s boot %d  ticks %d..%d  %d writes", w.At.Format("15:04:05.000"),
		w.Until.Format("15:04:05.000"), w.Host, nonce, w.Boot, w.FirstTick, w.LastTick, w.Count)
}

// record is the history of one export. A violation inside a run (a tick that goes backwards on
// one host) starts a new run, so that the runs alone suffice to judge.
type record struct {
	Runs []Write `json:"runs"`
	Full bool    `json:"full,omitempty"`
}

// add notes one write and says whether it began a new run.
func (r *record) add(host string, stamp Stamp, at time.Time) bool {
	if len(r.Runs) > 0 {
		last := &r.Runs[len(r.Runs)-1]
		if last.Host == host && last.Nonce == stamp.Nonce && last.Boot == stamp.Boot && stamp.Tick >= last.LastTick {
			last.Until, last.LastTick, last.Count = at, stamp.Tick, last.Count+1
			return false
		}
	}
	if len(r.Runs) >= runsLimit {
		r.Full = true
		return false
	}
	r.Runs = append(r.Runs, Write{
		Host: host, Nonce: stamp.Nonce, Boot: stamp.Boot, At: at, Until: at, FirstTick: stamp.Tick, LastTick: stamp.Tick,
		Count: 1,
	})
	return true
}

func (r *record) save(path string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(content, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// CheckSingleWriter judges a history in the order in which the writes arrived. It returns
// [ErrTwoWriters], with the two runs in the text, unless all of these hold:
//
//   - A guest that another guest has followed never writes again: two nonces that alternate are
//     two virtual machines.
//   - A new guest's boot counter is higher than its predecessor's: equal ones started from the
//     same sector at once.
//   - A guest that moves to another host goes on with a higher tick, every time: a copy that was
//     left behind on the source repeats ticks, however slowly the two alternate.
//   - A host's turn between two turns of another is not shorter than a migration there and back
//     could be.
func CheckSingleWriter(runs []Write) error {
	followed := map[string]Write{}
	for index := 1; index < len(runs); index++ {
		previous, run := runs[index-1], runs[index]
		if run.Nonce != previous.Nonce {
			followed[previous.Nonce] = run
			if successor, was := followed[run.Nonce]; was {
				return violation("a guest writes again although another guest followed it", successor, run)
			}
			if run.Nonce != "" && run.Boot <= previous.Boot {
				return violation("a guest did not see its predecessor's writes when it started", previous, run)
			}
		} else if run.Nonce != "" && run.FirstTick <= previous.LastTick {
			return violation("one guest repeats ticks, so it runs twice", previous, run)
		}
		if index < 2 {
			continue
		}
		if earlier := runs[index-2]; earlier.Host == run.Host && previous.Host != run.Host &&
			run.At.Sub(earlier.Until) < returnsTooSoon {
			return violation("two hosts write in turns", previous, run)
		}
	}
	return nil
}

func violation(what string, first, second Write) error {
	return fmt.Errorf("%w: %s:\n  %v\n  %v", ErrTwoWriters, what, first, second)
}
