package apply

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
)

// founded is a State with one node.
func foundedState(t testing.TB) *cluster.State {
	t.Helper()
	s := new(cluster.State)
	applied := Apply(s, cluster.Entry{Index: 1, At: time.Unix(1_000_000, 0), Commands: []cluster.Command{
		cluster.Init{Cluster: "alpha", ID: "c-1", Level: cluster.CurrentLevel},
		cluster.Join{Node: "node1", Fingerprint: "f1", HardwareUUID: "h1", Address: "10.0.0.1:7440"},
	}})
	if err := applied.Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

func jsonOf(t testing.TB, s *cluster.State) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWhatCannotBeAppliedIsNotFit: nothing of it reaches the State, not even by trying.
func TestWhatCannotBeAppliedIsNotFit(t *testing.T) {
	s := foundedState(t)
	before := jsonOf(t, s)
	deep, arm := strings.Repeat("[", 20000)+strings.Repeat("]", 20000), `{"v":1,"kind":"arm","body":{}}`
	one := func(kind, body string) string { return fmt.Sprintf(`[{"v":1,"kind":%q,"body":%s}]`, kind, body) }
	for name, c := range map[string]struct{ data, says string }{
		"no JSON":          {"\x00\x01", "reading a log entry"},
		"nothing":          {"", "reading a log entry"},
		"an object":        {"{}", "reading a log entry"},
		"an unknown kind":  {one("no-such-command", "{}"), `"no-such-command"`},
		"a newer shape":    {`[{"v":2,"kind":"ask","body":{}}]`, "version 2"},
		"a body of text":   {one("ask", `"hello"`), "reading command ask"},
		"no body":          {`[{"v":1,"kind":"ask"}]`, "reading command ask"},
		"nesting":          {one("configure", `{"document":`+deep+"}"), "depth"},
		"a level too high": {one("raise-level", `{"level":99}`), "version 99 is not known here"},
		"a good one and a bad one": {
			`[{"v":1,"kind":"told","body":{}},{"v":1,"kind":"no-such-command","body":{}}]`, `"no-such-command"`},
		"too many": {"[" + strings.Repeat(arm+",", maxCommands) + arm + "]", "commands"},
		"a backup of tomorrow": {
			one("restore", `{"state":{"id":"c-1","cluster":"alpha","level":99},"node":"node1"}`), "version 99 is in force"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Fit(s, time.Unix(1_000_001, 0), []byte(c.data))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error that says %q", err, c.says)
			}
			if after := jsonOf(t, s); after != before {
				t.Errorf("the State changed:\n%s\n%s", before, after)
			}
		})
	}
	// What a law refuses may be in the log.
	data, err := cluster.Encode([]cluster.Command{cluster.RemoveNode{Node: "nobody"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := Fit(s, time.Unix(1_000_001, 0), data); err != nil {
		t.Errorf("a command that is refused: %v", err)
	}
}

// breaking is a rule with a bug, found when half of its work is done.
func breaking(t *transaction, _ cluster.Thaw) rules.Refusal {
	t.Nodes.Delete("node1")
	t.Document.Cluster = "half done"
	var missing []string
	missing[len(t.Document.Cluster)] = "out of range"
	return rules.Accepted
}

// TestAnEntryThatBreaksApplyChangesNothing: a bug in one rule is not the end of every member.
func TestAnEntryThatBreaksApplyChangesNothing(t *testing.T) {
	broken := &Rules{release: cluster.Current, appliers: maps.Clone(appliers)}
	broken.appliers["thaw"] = by(breaking).does
	s := foundedState(t)
	before := jsonOf(t, s)
	data := []byte(`[{"v":1,"kind":"thaw","body":{}}]`)
	if err := broken.Fit(s, time.Unix(1_000_001, 0), data); err == nil || !strings.Contains(err.Error(), "fit_test.go:") {
		t.Errorf("got %v, want an error that names the place", err)
	}
	if _, _, err := broken.ApplyData(s, cluster.Entry{Index: 2}, data); err == nil {
		t.Error("it was applied")
	}
	if after := jsonOf(t, s); after != before {
		t.Errorf("the State changed:\n%s\n%s", before, after)
	}
	applied := StepOver(s, cluster.Entry{Index: 2}, "sha256 12345678")
	if s.Index != 2 || len(applied.Events) != 1 ||
		!strings.Contains(applied.Events[0].Why.String(), "log entry 2 (sha256 12345678)") {
		t.Errorf("stepped over to index %d with %v", s.Index, applied.Events)
	}
}

// FuzzFit gives the leader's check whatever a peer may forward. What it lets pass, Apply must take.
func FuzzFit(f *testing.F) {
	for _, kind := range cluster.Kinds() {
		f.Add([]byte(fmt.Sprintf(`[{"v":1,"kind":%q,"body":{}}]`, kind)))
		f.Add([]byte(fmt.Sprintf(`[{"v":1,"kind":%q,"body":null}]`, kind)))
		f.Add([]byte(fmt.Sprintf(`[{"v":1,"kind":%q,"body":{"node":"node1","service":"vm:a","by":"x"}}]`, kind)))
	}
	f.Add([]byte(`[]`))
	f.Add([]byte(`null`))
	s := foundedState(f)
	before := jsonOf(f, s)
	f.Fuzz(func(t *testing.T, data []byte) {
		at := time.Unix(1_000_001, 0)
		if Fit(s, at, data) == nil {
			next, _, err := ApplyData(s, cluster.Entry{Index: s.Index + 1, At: at}, bytes.Clone(data))
			if err != nil {
				t.Errorf("it was let pass and cannot be applied: %v", err)
			}
			if next != nil && next.Index != s.Index+1 {
				t.Errorf("index %d after it", next.Index)
			}
		}
		if after := jsonOf(t, s); after != before {
			t.Errorf("the State changed by trying:\n%s\n%s", before, after)
		}
	})
}
