package cluster

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// everyCommand has one of each kind, with every field filled.
func everyCommand() []Command {
	at := founded.Add(90 * time.Millisecond)
	seen := resources.Observation{Service: "vm:a", UUID: "u", Title: "a", Condition: resources.Paused, Reason: "ioerror", Explained: true, Disks: []resources.Disk{{Identity: "d", Shared: true, ReadOnly: true}}, Evidence: "e"}
	return []Command{
		Init{Cluster: "c", ID: "i", Secrets: Secrets{Authority: "a", AuthorityKey: []byte("k")}, Level: 2},
		Restore{State: json.RawMessage(`{"id":"x"}`), Node: "n", By: "root"},
		Recover{Generation: 3, Dead: []string{"node1"}, Through: 4, By: "root"},
		GoAlone{Generation: 2, Node: "n", Peer: "m", Through: 9, Why: "w", LastHeard: at, Decided: at, Result: fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off"}, Phases: []fence.Phase{{What: "off", At: at}}, Duration: time.Second}},
		Readmit{Node: "m", Generation: 2},
		LoseLog{Node: "m", Log: "l", Before: "b", Why: "w"},
		RaiseLevel{Level: 2},
		AddToken{ID: "t", Token: Token{Hash: "h", Expires: at, Replace: "node1", By: "root"}},
		Join{Token: "t", Node: "n", Fingerprint: "f", Key: []byte{1}, HardwareUUID: "h", Address: "a",
			Witness: true, By: "root"},
		RemoveNode{Node: "n", By: "root", Why: "sold"},
		AddClient{Fingerprint: "f", User: "alice", Role: "admin", Expires: at, By: "root"},
		RevokeClients{User: "alice", By: "root"},
		NodeUp{Node: "n", Fingerprint: "f", Boot: "b", Address: "a", Version: "v", MaxLevel: 1, Session: "s",
			Previous: new(uint64), Log: "l"},
		Inventory{Node: "n", Incarnation: 4, Boot: "b", Found: []Found{{Service: "vm:a", Observation: seen}}},
		Leave{Node: "n", By: "root"},
		NodeGone{Node: "n", Incarnation: 4},
		Contact{Node: "n", Incarnation: 4, State: NodeLost, Silence: time.Second, Why: "w"},
		BeginFence{Node: "n", Boot: "b", Fencer: "m", Why: "w", By: "root", Override: true, Drill: true, Level: 1, Word: true, Reboot: true, Service: "vm:a"},
		AssignFence{Node: "n", Fencer: "m", Level: 1, Why: "w"},
		FenceDone{Node: "n", Act: 5, Ordinal: 1, Fencer: "m", Incarnation: 2, Result: fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off"}, Phases: []fence.Phase{{What: "off", At: at}}, Duration: time.Second}},
		ConfirmFence{Node: "node2", Boot: "boot-2", By: "root", Why: "its plug is in my hand"},
		CheckDevice{Device: "d", Check: fence.Check{Power: fence.PowerOn, Identity: "i", Problem: "p"}, By: "n"},
		CheckFrom{Device: "d", Check: fence.Check{Power: fence.PowerOn, Identity: "i", Problem: "p"}, OldLogin: true, By: "n"},
		Disarm{For: time.Minute, By: "root", Why: "the switch is replaced"},
		Arm{Expired: true, By: "root"},
		PowerOnDone{Node: "n", Act: 5, Fencer: "m", Incarnation: 2, Problem: "refused"},
		BeginDrill{Node: "n", Level: 1, By: "root", Scheduled: true},
		EndDrill{Node: "n", Act: 5, OK: true, Why: "w"},
		Begin{Service: "vm:a", Intent: IntentMigrate, Node: "n", Target: "m", Definition: "d", Purpose: ForRestart, Kill: true, By: "root", Why: "w"},
		Done{Service: "vm:a", Act: 6, Node: "n", Incarnation: 2, Result: resources.Result{OK: true, Source: resources.Absent, Target: resources.Running, Why: "w", Total: 2, Downtime: 1, Phases: []resources.Phase{{What: "p", At: at}}}},
		Looked{Service: "vm:a", Node: "n", Incarnation: 2, Since: 7, UUID: "u", Observation: seen, AsOf: 7},
		Observed{Service: "vm:a", Node: "n", Incarnation: 2, Observation: seen, AsOf: 8},
		Probed{Service: "vm:a", Node: "n", At: at},
		Ask{Request: "r", Op: OpMigrate, Service: "vm:a", Node: "n", By: "root", Reason: "w", For: time.Minute,
			DeclaredDisks: true},
		Thaw{Service: "vm:a", Until: at}, LockCluster{By: "root", Why: "w", Stop: true}, UnlockCluster{By: "root", Why: "w", Start: true},
		OrderNode{Node: "n", Order: OrderDrain, By: "root", Why: "w", Within: time.Minute}, NodeEmpty{Node: "n", Order: 3},
		EndMove{Service: "vm:a", Act: 7, By: "root"}, TellKey{Node: "n", Since: 3, Fingerprint: "f", Key: []byte{1}},
		GiveUp{Service: "vm:a", Request: "r", Code: -7, Why: "w"},
		configure(document("vm:a"), 3),
		Told{Alert: "a", Node: "n", Index: 4, Ordinal: 1, Sent: 3, Failed: 2, Dropped: 1, Problem: "p", Trouble: "t"},
		Guarded{Node: "n", Incarnation: 4, Guard: fence.Guard{Boot: "b", Timeout: 2, Lease: 1, Pills: []string{"/p"}, Keys: []string{"/k"}}},
		KeyBack{Node: "n", Boot: "b", Disk: "/k", By: "m", Again: true, Why: "w"},
		LostKeys{Node: "n", Incarnation: 4, Boot: "b"}, DaemonStopping{Node: "n", Incarnation: 4},
		SetAddress{Node: "n", Address: "a", By: "root"}, NodeHypervisor{Node: "n", Incarnation: 4, Why: "w"},
		TurnKey{Node: "n", Since: 3, Fingerprint: "f", Epoch: 2, Wrap: []byte{1}},
		NodeVolume{Node: "n", Incarnation: 4, Volume: Volume{Why: "w", Failing: true}},
		Rekey{Epoch: 3, Wraps: map[string][]byte{"n": {1}}, AuthorityKey: []byte{2},
			NextKey: []byte{4}, Sealed: map[string][]byte{"s": {3}}, By: "root", Why: "w"},
		RotateAuthority{Certificate: "c", Key: []byte{1}, Epoch: 2, By: "root", Why: "w"}, AbortAuthority{By: "root"},
		NodeAuthority{Node: "n", Since: 3, Held: true}, AbortKey{Node: "n", By: "root"},
		RotateKey{Node: "n", By: "root", Why: "w", Anyway: true},
	}
}

func TestEveryCommandSurvivesTheLog(t *testing.T) {
	commands := everyCommand()
	if len(commands) < len(Kinds()) {
		t.Errorf("%d commands are tried, %d kinds are known", len(commands), len(Kinds()))
	}
	data, err := Encode(commands)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range commands {
		if !reflect.DeepEqual(decoded[i], c) {
			t.Errorf("%s was written as\n%+v and read as\n%+v", c.Kind(), c, decoded[i])
		}
		if value := reflect.ValueOf(c); c.Kind() != "configure" {
			for field := range value.NumField() {
				if value.Field(field).IsZero() {
					t.Errorf("%s.%s is not tried", c.Kind(), value.Type().Field(field).Name)
				}
			}
		}
	}
}

func TestAnUnknownCommandIsAnErrorWithWords(t *testing.T) {
	for _, data := range []string{`[{"v":1,"kind":"dance","body":{}}]`, `[{"v":2,"kind":"leave","body":{}}]`} {
		if _, err := Decode([]byte(data)); !errors.Is(err, ErrUnknownCommand) {
			t.Errorf("%s: %v", data, err)
		}
	}
	if _, err := Decode([]byte("{")); err == nil || errors.Is(err, ErrUnknownCommand) {
		t.Errorf("broken data: %v", err)
	}
}

func bytesOf(t interface{ Fatal(...any) }, s *State) string {
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// busy draws a history of plausible and implausible commands.
func busy(t *rapid.T, s *State) []Command {
	nodes, services := []string{"node1", "node2", "node3"}, []string{"vm:a", "vm:b"}
	node := rapid.SampledFrom(nodes).Draw(t, "node")
	service := rapid.SampledFrom(services).Draw(t, "service")
	n, _ := s.Nodes.Get(node)
	running, _ := s.Services.Get(service)
	open, _ := s.Fences.Get(node)
	stale := rapid.Uint64Range(0, 5).Draw(t, "stale")
	if stale > 1 {
		stale = 0 // mostly what would count, sometimes what is old
	}
	incarnation, act, since := n.Incarnation-stale, uint64(0), uint64(0)
	if running.Intent != nil {
		act = running.Intent.Index - stale
	}
	if h, held := running.holder(node); held {
		since = h.Since - stale
	}
	condition := rapid.SampledFrom([]resources.Condition{resources.Absent, resources.Running, resources.Paused, resources.Unknown, resources.Crashed, resources.Incoming}).Draw(t, "condition")
	seen := resources.Observation{Condition: condition}
	outcome := rapid.SampledFrom([]fence.Outcome{fence.Confirmed, fence.Unknown}).Draw(t, "outcome")
	boot := node + rapid.SampledFrom([]string{"-boot-1", "-boot-2"}).Draw(t, "boot")
	all := []Command{
		Begin{Service: service, Intent: IntentStart, Node: node, Definition: "definition-" + service},
		Begin{Service: service, Intent: IntentStop, Node: node, Purpose: ForCleanup},
		Begin{Service: service, Intent: IntentMigrate, Node: node, Target: "node3"},
		Done{Service: service, Act: act, Node: node, Incarnation: incarnation, Result: resources.Result{OK: condition == resources.Running, Source: condition}},
		Observed{Service: service, Node: node, Incarnation: incarnation, AsOf: 1 << 40, Observation: seen},
		Looked{Service: service, Node: node, Incarnation: incarnation, Since: since, Observation: seen},
		Contact{Node: node, Incarnation: incarnation, State: NodeLost},
		Contact{Node: node, Incarnation: incarnation, State: NodeOnline},
		BeginFence{Node: node, Boot: boot, Fencer: "node3"},
		AssignFence{Node: node, Fencer: "node3"},
		FenceDone{Node: node, Act: open.Index, Ordinal: open.TriedTotal, Fencer: "node3", Incarnation: open.Incarnation, Result: fence.Result{Outcome: outcome}},
		NodeUp{Node: node, Fingerprint: "key-" + node, Boot: boot, MaxLevel: 1},
		Inventory{Node: node, Incarnation: incarnation, Boot: boot, Found: []Found{{Service: service, Observation: seen}}},
		Ask{Request: rapid.StringMatching("[a-z]{3}").Draw(t, "request"), Op: rapid.SampledFrom([]Operation{OpEnable, OpDisable, OpStop, OpRelocate}).Draw(t, "op"), Service: service},
		AddToken{ID: boot, Token: Token{Expires: founded.Add(time.Hour)}},
	}
	return rapid.SliceOfN(rapid.SampledFrom(all), 1, 3).Draw(t, "commands")
}

// TestForksNeverChange: a fork is what it was, whatever is applied to its parent
// or to a fork of it later; and equal entries give equal bytes, also when the
// State came from a snapshot.
func TestForksNeverChange(t *testing.T) {
	base := newBook(t, 3, "vm:a", "vm:b")
	rapid.Check(t, func(t *rapid.T) {
		s := base.s.Fork()
		snapshot := &State{}
		if err := json.Unmarshal([]byte(bytesOf(t, s)), snapshot); err != nil {
			t.Fatal(err)
		}
		type kept struct {
			fork  *State
			bytes string
		}
		var forks []kept
		for range rapid.IntRange(1, 30).Draw(t, "entries") {
			fork := s.Fork()
			forks = append(forks, kept{fork, bytesOf(t, fork)})
			entry := Entry{Index: s.Index + 1, At: founded.Add(time.Duration(s.Index) * time.Second), Commands: busy(t, s)}
			applied := Apply(s, entry)
			if again := Apply(snapshot, entry); !reflect.DeepEqual(applied, again) {
				t.Fatalf("the same entry was answered\n%+v and\n%+v", applied, again)
			}
			if side := s.Fork(); rapid.Bool().Draw(t, "also a side line") {
				Apply(side, Entry{Index: side.Index + 1, At: founded, Commands: busy(t, s)})
			}
			if wrong := Check(s); len(wrong) > 0 {
				t.Fatalf("after %+v: %s", entry.Commands, strings.Join(wrong, "; "))
			}
		}
		if bytesOf(t, s) != bytesOf(t, snapshot) {
			t.Fatal("two States of the same log differ")
		}
		for i, k := range forks {
			if bytesOf(t, k.fork) != k.bytes {
				t.Fatalf("fork %d changed after it was made", i)
			}
		}
	})
}

func TestSecretsStayOutOfTheTimeline(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	data, err := json.Marshal(b.s.Timeline)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); strings.Contains(text, "secret") || strings.Contains(text, "token-node2") {
		t.Error("the timeline tells a secret")
	}
}

func TestARestoredClusterKnowsNothing(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	b.running("vm:a", "node1")
	b.must(Ask{Request: "r", Op: OpStop, Service: "vm:a"})
	backup := bytesOf(t, b.s)
	fresh := &book{t: t, s: &State{}, at: b.at}
	fresh.must(Restore{State: json.RawMessage(backup), By: "root"})
	fresh.is("vm:a", resources.Uninitialized, "", "node1", "node2", "node3")
	fresh.answer("r", codeAborted)
	if fresh.s.Generation != 2 || len(Work(fresh.s, "node1")) != 0 {
		t.Errorf("generation %d, work %v", fresh.s.Generation, Work(fresh.s, "node1"))
	}
	fresh.up("node1", "node1-boot-2")
	fresh.is("vm:a", resources.Uninitialized, "", "node2", "node3")
}
