package cluster_test

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// everyCommand has one of each kind, with every field filled.
func everyCommand() []cluster.Command {
	at := clustertest.Founded.Add(90 * time.Millisecond)
	seen := resources.Observation{Service: "vm:a", UUID: "u", Title: "a", Condition: resources.Paused, Reason: "ioerror",
		Explained: true, Disks: []resources.Disk{{Identity: "d", Shared: true, ReadOnly: true}}, Evidence: "e"}
	list := []cluster.Command{
		cluster.Init{Cluster: "c", ID: "i", Secrets: cluster.Secrets{Authority: "a", AuthorityKey: []byte("k")}, Level: 2},
		cluster.Restore{State: json.RawMessage(`{"id":"x"}`), Node: "n", By: "root"},
		cluster.Recover{Generation: 3, Dead: []string{"node1"}, Through: 4, By: "root"},
		cluster.GoAlone{Generation: 2, Node: "n", Peer: "m", Through: 9, Why: message.Words("w"), LastHeard: at, Decided: at,
			Result: fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off"},
				Phases: []fence.Phase{{What: "off", At: at}}, Duration: time.Second}},
		cluster.Readmit{Node: "m", Generation: 2},
		cluster.LoseLog{Node: "m", Log: "l", Before: "b", Why: message.Words("w")},
		cluster.RaiseLevel{Level: 2},
		cluster.AddToken{ID: "t", Token: cluster.Token{Hash: "h", Expires: at, Replace: "node1", By: "root"}},
		cluster.Join{Token: "t", Node: "n", Fingerprint: "f", Key: []byte{1}, HardwareUUID: "h", Address: "a",
			Witness: true, By: "root"},
		cluster.RemoveNode{Node: "n", By: "root", Why: "sold"},
		cluster.AddClient{Fingerprint: "f", User: "alice", Role: "admin", Expires: at, By: "root"},
		cluster.RevokeClients{User: "alice", Fingerprint: "0badc0de", By: "root"},
		cluster.NodeUp{Node: "n", Fingerprint: "f", Boot: "b", Address: "a", Version: "v", MaxLevel: 1, Session: "s",
			Previous: new(uint64), Log: "l", Capacity: cluster.Capacity{Memory: 1, Huge: 2, CPUs: 3}},
		cluster.Inventory{Node: "n", Incarnation: 4, Boot: "b", Found: []cluster.Found{{Service: "vm:a", Observation: seen}}},
		cluster.Leave{Node: "n", By: "root"},
		cluster.NodeGone{Node: "n", Incarnation: 4},
		cluster.Contact{Node: "n", Incarnation: 4, State: cluster.NodeLost, Silence: time.Second, Why: message.Words("w")},
		cluster.BeginFence{Node: "n", Boot: "b", Fencer: "m", Why: message.Words("w"), By: "root", Override: true,
			Drill: true, Level: 1, Word: true, Reboot: true, Service: "vm:a"},
		cluster.AssignFence{Node: "n", Fencer: "m", Level: 1, Why: message.Words("w")},
		cluster.FenceDone{Node: "n", Act: 5, Ordinal: 1, Fencer: "m", Incarnation: 2,
			Result: fence.Result{Outcome: fence.Confirmed, Evidence: []string{"off"},
				Phases: []fence.Phase{{What: "off", At: at}}, Duration: time.Second}},
		cluster.ConfirmFence{Node: "node2", Boot: "boot-2", By: "root", Why: "its plug is in my hand"},
		cluster.CheckFrom{Device: "d", Check: fence.Check{Power: fence.PowerOn, Identity: "i", Problem: "p"},
			OldLogin: true, By: "n"},
		cluster.Disarm{For: time.Minute, By: "root", Why: "the switch is replaced"},
		cluster.Arm{Expired: true, By: "root"},
		cluster.PowerOnDone{Node: "n", Act: 5, Fencer: "m", Incarnation: 2, Problem: message.Words("refused")},
	}
	return slices.Concat(list, commandsAboutServices(at, seen))
}

func commandsAboutServices(at time.Time, seen resources.Observation) []cluster.Command {
	return []cluster.Command{
		cluster.BeginDrill{Node: "n", Level: 1, By: "root", Scheduled: true},
		cluster.EndDrill{Node: "n", Act: 5, OK: true, Why: message.Words("w")},
		cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "n", Target: "m", Definition: "d",
			Purpose: cluster.ForRestart, Kill: true, By: "root", Why: message.Words("w")},
		cluster.Done{Service: "vm:a", Act: 6, Node: "n", Incarnation: 2, Stage: cluster.StagePrepare,
			Result: resources.Result{OK: true, Source: resources.Absent, Target: resources.Running, Why: "w", Total: 2,
				Downtime: 1, Phases: []resources.Phase{{What: "p", At: at}}}},
		cluster.Looked{Service: "vm:a", Node: "n", Incarnation: 2, Since: 7, UUID: "u", Observation: seen, AsOf: 7},
		cluster.Observed{Service: "vm:a", Node: "n", Incarnation: 2, Observation: seen, AsOf: 8},
		cluster.Probed{Service: "vm:a", Node: "n", At: at},
		cluster.Ask{Request: "r", Op: cluster.OpMigrate, Service: "vm:a", Node: "n", By: "root", Reason: "w",
			For: time.Minute, Migration: resources.Migration{Bandwidth: 1},
			DeclaredDisks: true},
		cluster.Thaw{Service: "vm:a", Until: at}, cluster.LockCluster{By: "root", Why: "w", Stop: true},
		cluster.UnlockCluster{By: "root", Why: "w", Start: true},
		cluster.OrderNode{Node: "n", Order: cluster.OrderDrain, By: "root", Why: "w", Within: time.Minute},
		cluster.NodeEmpty{Node: "n", Order: 3},
		cluster.EndMove{Service: "vm:a", Act: 7, By: "root"}, cluster.TellKey{Node: "n", Since: 3, Fingerprint: "f",
			Key: []byte{1}},
		cluster.GiveUp{Service: "vm:a", Request: "r", Code: -7, Why: message.Words("w")},
		clustertest.Configure(clustertest.Document("vm:a"), 3),
		cluster.Told{Alert: "a", Node: "n", Index: 4, Ordinal: 1, Sent: 3, Failed: 2, Dropped: 1, Problem: "p", Trouble: "t"},
		cluster.Guarded{Node: "n", Incarnation: 4, Guard: fence.Guard{Boot: "b", Timeout: 2, Lease: 1,
			Pills: []string{"/p"}, Keys: []string{"/k"}}},
		cluster.KeyBack{Node: "n", Boot: "b", Disk: "/k", By: "m", Again: true, Why: "w"},
		cluster.LostKeys{Node: "n", Incarnation: 4, Boot: "b"}, cluster.DaemonStopping{Node: "n", Incarnation: 4},
		cluster.SetAddress{Node: "n", Address: "a", By: "root"},
		cluster.NodeHypervisor{Node: "n", Incarnation: 4, Why: message.Words("w")},
		cluster.NodeCapacity{Node: "n", Incarnation: 4, Capacity: cluster.Capacity{Memory: 1, Huge: 2, CPUs: 3}},
		cluster.Lead{Node: "n", Incarnation: 4, Term: 2, Why: message.Words("w")},
		cluster.TurnKey{Node: "n", Since: 3, Fingerprint: "f", Epoch: 2, Wrap: []byte{1}},
		cluster.NodeVolume{Node: "n", Incarnation: 4, Volume: cluster.Volume{Why: message.Words("w"), Failing: true}},
		cluster.Rekey{Epoch: 3, Wraps: map[string][]byte{"n": {1}}, AuthorityKey: []byte{2},
			NextKey: []byte{4}, Sealed: map[string][]byte{"s": {3}}, By: "root", Why: message.Words("w")},
		cluster.RotateAuthority{Certificate: "c", Key: []byte{1}, Epoch: 2, By: "root", Why: "w"},
		cluster.AbortAuthority{By: "root"},
		cluster.NodeAuthority{Node: "n", Since: 3, Held: true}, cluster.AbortKey{Node: "n", By: "root"},
		cluster.RotateKey{Node: "n", By: "root", Why: "w", Anyway: true},
	}
}

func TestEveryCommandSurvivesTheLog(t *testing.T) {
	commands := everyCommand()
	tried := map[string]bool{}
	for _, c := range commands {
		tried[cluster.KindOf(c)] = true
	}
	if kinds := slices.Sorted(maps.Keys(tried)); !slices.Equal(kinds, cluster.Kinds()) {
		t.Errorf("tried are\n%q\nand in the log there may be\n%q", kinds, cluster.Kinds())
	}
	data, err := cluster.Encode(commands)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := cluster.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range commands {
		if !reflect.DeepEqual(decoded[i], c) {
			t.Errorf("%s was written as\n%+v and read as\n%+v", cluster.KindOf(c), c, decoded[i])
		}
		if value := reflect.ValueOf(c); cluster.KindOf(c) != "configure" {
			for field := range value.NumField() {
				if !value.Type().Field(field).Anonymous && value.Field(field).IsZero() {
					t.Errorf("%s.%s is not tried", cluster.KindOf(c), value.Type().Field(field).Name)
				}
			}
		}
	}
}

func TestAnUnknownCommandIsAnErrorWithWords(t *testing.T) {
	for _, data := range []string{`[{"v":1,"kind":"dance","body":{}}]`, `[{"v":2,"kind":"leave","body":{}}]`} {
		if _, err := cluster.Decode([]byte(data)); !errors.Is(err, cluster.ErrUnknownCommand) {
			t.Errorf("%s: %v", data, err)
		}
	}
	if _, err := cluster.Decode([]byte("{")); err == nil || errors.Is(err, cluster.ErrUnknownCommand) {
		t.Errorf("broken data: %v", err)
	}
}

func bytesOf(t interface{ Fatal(...any) }, s *cluster.State) string {
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// busy draws a history of plausible and implausible commands.
func busy(t *rapid.T, s *cluster.State) []cluster.Command {
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
	if h, held := running.Holder(node); held {
		since = h.Since - stale
	}
	condition := rapid.SampledFrom([]resources.Condition{resources.Absent, resources.Running, resources.Paused,
		resources.Unknown, resources.Crashed, resources.Incoming}).Draw(t, "condition")
	seen := resources.Observation{Condition: condition}
	outcome := rapid.SampledFrom([]fence.Outcome{fence.Confirmed, fence.Unknown}).Draw(t, "outcome")
	boot := node + rapid.SampledFrom([]string{"-boot-1", "-boot-2"}).Draw(t, "boot")
	all := []cluster.Command{
		cluster.Begin{Service: service, Intent: cluster.IntentStart, Node: node, Definition: "definition-" + service},
		cluster.Begin{Service: service, Intent: cluster.IntentStop, Node: node, Purpose: cluster.ForCleanup},
		cluster.Begin{Service: service, Intent: cluster.IntentMigrate, Node: node, Target: "node3"},
		cluster.Done{Service: service, Act: act, Node: node, Incarnation: incarnation,
			Result: resources.Result{OK: condition == resources.Running, Source: condition}},
		cluster.Observed{Service: service, Node: node, Incarnation: incarnation, AsOf: 1 << 40, Observation: seen},
		cluster.Looked{Service: service, Node: node, Incarnation: incarnation, Since: since, Observation: seen},
		cluster.Contact{Node: node, Incarnation: incarnation, State: cluster.NodeLost},
		cluster.Contact{Node: node, Incarnation: incarnation, State: cluster.NodeOnline},
		cluster.BeginFence{Node: node, Boot: boot, Fencer: "node3"},
		cluster.AssignFence{Node: node, Fencer: "node3"},
		cluster.FenceDone{Node: node, Act: open.Index, Ordinal: open.TriedTotal, Fencer: "node3",
			Incarnation: open.Incarnation, Result: fence.Result{Outcome: outcome}},
		cluster.NodeUp{Node: node, Fingerprint: "key-" + node, Boot: boot, MaxLevel: 1},
		cluster.Inventory{Node: node, Incarnation: incarnation, Boot: boot,
			Found: []cluster.Found{{Service: service, Observation: seen}}},
		cluster.Ask{Request: rapid.StringMatching("[a-z]{3}").Draw(t, "request"),
			Op: rapid.SampledFrom([]cluster.Operation{cluster.OpEnable, cluster.OpDisable, cluster.OpStop,
				cluster.OpRelocate}).Draw(t, "op"), Service: service},
		cluster.AddToken{ID: boot, Token: cluster.Token{Expires: clustertest.Founded.Add(time.Hour)}},
	}
	return rapid.SliceOfN(rapid.SampledFrom(all), 1, 3).Draw(t, "commands")
}

// TestForksNeverChange: a fork is what it was, whatever is applied to its parent
// or to a fork of it later; and equal entries give equal bytes, also when the
// State came from a snapshot.
func TestForksNeverChange(t *testing.T) {
	base := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	rapid.Check(t, func(t *rapid.T) {
		s := base.S.Fork()
		snapshot := &cluster.State{}
		if err := json.Unmarshal([]byte(bytesOf(t, s)), snapshot); err != nil {
			t.Fatal(err)
		}
		type kept struct {
			fork  *cluster.State
			bytes string
		}
		var forks []kept
		for range rapid.IntRange(1, 30).Draw(t, "entries") {
			fork := s.Fork()
			forks = append(forks, kept{fork, bytesOf(t, fork)})
			entry := cluster.Entry{Index: s.Index + 1, At: clustertest.Founded.Add(time.Duration(s.Index) * time.Second),
				Commands: busy(t, s)}
			applied := apply.Apply(s, entry)
			if again := apply.Apply(snapshot, entry); !reflect.DeepEqual(applied, again) {
				t.Fatalf("the same entry was answered\n%+v and\n%+v", applied, again)
			}
			if side := s.Fork(); rapid.Bool().Draw(t, "also a side line") {
				apply.Apply(side, cluster.Entry{Index: side.Index + 1, At: clustertest.Founded, Commands: busy(t, s)})
			}
			if wrong := rules.Check(s); len(wrong) > 0 {
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
	b := clustertest.NewBook(t, 3, "vm:a")
	data, err := json.Marshal(b.S.Timeline)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(data); strings.Contains(text, "secret") || strings.Contains(text, "token-node2") {
		t.Error("the timeline tells a secret")
	}
}

func TestARestoredClusterKnowsNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	b.Must(cluster.Ask{Request: "r", Op: cluster.OpStop, Service: "vm:a"})
	backup := bytesOf(t, b.S)
	fresh := &clustertest.Book{T: t, S: &cluster.State{}, At: b.At}
	fresh.Must(cluster.Restore{State: json.RawMessage(backup), By: "root"})
	fresh.Is("vm:a", resources.Uninitialized, "", "node1", "node2", "node3")
	fresh.Answer("r", cluster.CodeAborted)
	if fresh.S.Generation != 2 || len(cluster.Work(fresh.S, "node1")) != 0 {
		t.Errorf("generation %d, work %v", fresh.S.Generation, cluster.Work(fresh.S, "node1"))
	}
	fresh.Up("node1", "node1-boot-2")
	fresh.Is("vm:a", resources.Uninitialized, "", "node2", "node3")
}
