package tunnel

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// TestTheDaemonHearsWhomItsForwarderSentAway: keys at the door, and members that ask for what no
// move gives them, each counted.
func TestTheDaemonHearsWhomItsForwarderSentAway(t *testing.T) {
	w, target, _ := attacked(t)
	for _, c := range []struct{ from, act string }{
		{"node3, removed", "1.7.0"}, {"node3, removed", "1.7.0"}, {"ghost", "1.7.0"}, {"node2", "1.8.0"}, {"node2", "1.9.0"},
	} {
		if conn, err := w.reach(c.from, "node1", target.Listen, "api", c.act); err == nil {
			_ = conn.Close()
			t.Fatalf("%s got in", c.from)
		}
	}
	conn, err := w.reach("node2", "node1", target.Listen, "api", "1.7.0")
	if err != nil {
		t.Fatal(err)
	}
	forbidden := bytes.Clone(hello9)
	forbidden[15] = 209 // a storage volume's
	if _, err := conn.Write(forbidden); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()

	var mu sync.Mutex
	heard := map[string]int{}
	var texts []string
	target.Refused = func(one Refusal) {
		mu.Lock()
		defer mu.Unlock()
		heard[one.Node+" "+string(one.Knock)] += one.Count
		texts = append(texts, one.From+" "+one.Act+" "+one.Reason)
	}
	connect(t, target)
	want := map[string]int{" barred": 2, " unknown": 1, "node2 ": 3}
	until(t, "the daemon heard all", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return fmt.Sprint(heard) == fmt.Sprint(want)
	})
	for _, part := range []string{"127.0.0.1:", "was removed from the cluster", `the move "1.8.0"`,
		ErrNotExpected.Error()} {
		if !strings.Contains(strings.Join(texts, "\n"), part) {
			t.Errorf("nothing says %q: %q", part, texts)
		}
	}
}

// TestRefusalsThatWaitAreBounded: in number, in length, and none is lost count of. Strangers take
// no place of a member's.
func TestRefusalsThatWaitAreBounded(t *testing.T) {
	var waiting refusals
	long := strings.Repeat("\x01", 10_000)
	for i := range 1000 {
		for range 3 {
			waiting.note(Refusal{From: fmt.Sprintf("10.0.%d.%d:1", i/256, i%256), Act: long, Reason: long, Count: 1})
		}
	}
	waiting.note(Refusal{From: "10.0.0.1:1", Node: "node2", Act: "anything", Reason: "of a member", Count: 1})
	all, members, answers := 0, 0, 0
	for taken := waiting.take(); len(taken) > 0; taken = waiting.take() {
		text, err := json.Marshal(reply{Refusals: taken})
		if err != nil || len(text) > controlLimit {
			t.Fatalf("an answer has %d bytes: %v", len(text), err)
		}
		for _, one := range taken {
			if all += one.Count; one.Node != "" {
				members++
			}
		}
		answers++
	}
	if all != 3001 || members != 1 || answers > 2+mostRefusals/refusalsAtOnce {
		t.Errorf("%d refusals, %d of members, in %d answers", all, members, answers)
	}
}

// TestTheLogOfAForwarderIsBounded: it lies in memory, and whoever knocks has lines in it. Its end
// is kept.
func TestTheLogOfAForwarderIsBounded(t *testing.T) {
	config := testConfig(t)
	config.LogBytes = 1000
	log, err := os.OpenFile(filepath.Join(config.Dir, "forward.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	run(t, config)
	size := func() int64 {
		info, err := log.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for round := range 3 {
		if _, err := log.WriteString(strings.Repeat("knock\n", 1000) + fmt.Sprint("the last of ", round, "\n")); err != nil {
			t.Fatal(err)
		}
		until(t, "the log is short again", func() bool { return size() <= int64(config.LogBytes) })
	}
	old, err := os.ReadFile(config.logPath() + ".1")
	if err != nil || len(old) != config.LogBytes || !bytes.HasSuffix(old, []byte("the last of 2\n")) {
		t.Errorf("of the old log %d bytes are kept: %v", len(old), err)
	}
}
