package blockserver

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// turn is one run of writes in a story; times are in milliseconds since the story's start.
func turn(host, nonce string, boot uint64, fromMs, untilMs int, firstTick, lastTick uint64) Write {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	return Write{Host: host, Nonce: nonce, Boot: boot, At: at(fromMs), Until: at(untilMs), FirstTick: firstTick,
		LastTick: lastTick, Count: 2}
}

func TestCheckSingleWriter(t *testing.T) {
	stories := []struct {
		name  string
		runs  []Write
		wrong string // A part of the complaint; empty if all is well.
	}{
		{"nobody wrote", nil, ""},
		{"there and back by migration", []Write{
			turn("node1", "a", 1, 0, 1000, 1, 20), turn("node2", "a", 1, 1100, 2000, 21, 40),
			turn("node1", "a", 1, 2100, 3000, 41, 60),
		}, ""},
		{"restart elsewhere after a power cut, then failback", []Write{
			turn("node1", "a", 1, 0, 1000, 1, 20), turn("node2", "b", 2, 3000, 4000, 1, 20),
			turn("node1", "b", 2, 4100, 5000, 21, 40),
		}, ""},
		{"restart in place", []Write{turn("node1", "a", 1, 0, 1000, 1, 20), turn("node1", "b", 2, 1300, 2000, 1, 20)}, ""},
		{"a quick failover back to the first host by new guests", []Write{
			turn("node1", "a", 1, 0, 1000, 1, 20), turn("node2", "b", 2, 1300, 2000, 1, 20),
			turn("node1", "c", 3, 2300, 3000, 1, 20),
		}, ""},
		{"the fenced host was still alive", []Write{
			turn("node1", "a", 1, 0, 1000, 1, 20), turn("node2", "b", 2, 1300, 1400, 1, 3),
			turn("node1", "a", 1, 1900, 2000, 40, 42),
		}, "writes again although another guest followed it"},
		{"both started from the same sector", []Write{
			turn("node1", "a", 1, 0, 100, 1, 2), turn("node2", "b", 1, 150, 250, 1, 2),
		}, "did not see its predecessor's writes"},
		{"a migration that left the source running", []Write{
			turn("node1", "a", 1, 0, 1000, 1, 20), turn("node2", "a", 1, 1100, 4000, 21, 80),
			turn("node1", "a", 1, 4050, 4100, 22, 23),
		}, "repeats ticks"},
		{"two copies in step", []Write{
			turn("node1", "a", 1, 0, 1000, 1, 20), turn("node2", "a", 1, 1050, 1050, 21, 21),
			turn("node1", "a", 1, 1100, 1100, 22, 22),
		}, "two hosts write in turns"},
		{"unstamped writes in turns", []Write{
			turn("node1", "", 0, 0, 1000, 0, 0), turn("node2", "", 0, 1050, 1060, 0, 0), turn("node1", "", 0, 1100, 1100, 0, 0),
		}, "two hosts write in turns"},
	}
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			err := CheckSingleWriter(story.runs)
			if story.wrong == "" && err != nil {
				t.Fatalf("no fault expected, got: %v", err)
			}
			if story.wrong != "" && (!errors.Is(err, ErrTwoWriters) || !strings.Contains(err.Error(), story.wrong)) {
				t.Fatalf("expected a complaint with %q, got: %v", story.wrong, err)
			}
		})
	}
}

func TestRecordKeepsABackwardTickVisible(t *testing.T) {
	var history record
	now := time.Now()
	for _, tick := range []uint64{1, 3, 5, 4} {
		history.add("node1", Stamp{Nonce: "a", Boot: 1, Tick: tick}, now)
	}
	if len(history.Runs) != 2 {
		t.Fatalf("a tick that goes backwards must begin a new run, got %v", history.Runs)
	}
	if err := CheckSingleWriter(history.Runs); !errors.Is(err, ErrTwoWriters) {
		t.Fatalf("expected ErrTwoWriters, got %v", err)
	}
}

func TestRecordIsBoundedAndSaysSo(t *testing.T) {
	var history record
	for index := range runsLimit + 1 {
		history.add("node1", Stamp{Nonce: "a", Boot: uint64(index), Tick: 1}, time.Now())
	}
	if len(history.Runs) != runsLimit || !history.Full {
		t.Fatalf("got %d runs, full %v", len(history.Runs), history.Full)
	}
}

func FuzzParseStamp(f *testing.F) {
	f.Add([]byte("CLGT 00112233445566aa 2 41 2050\n\x00\x00"))
	f.Add([]byte("CLGT  \n"))
	f.Fuzz(func(t *testing.T, sector []byte) {
		stamp, ok := ParseStamp(sector)
		if !ok && stamp != (Stamp{}) {
			t.Fatalf("a refused sector gave %+v", stamp)
		}
		if ok && stamp.Nonce == "" {
			t.Fatal("a stamp without a nonce was taken")
		}
	})
}
