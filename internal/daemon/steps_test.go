package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/quorum"
)

// poison are entries that no member could apply, as a peer would forward them.
var poison = map[string]string{
	"an unknown kind": `[{"v":1,"kind":"no-such-command","body":{}}]`, "a newer shape": `[{"v":9,"kind":"ask","body":{}}]`,
	"no JSON": "\x00\xff", "an object": "{}", "a level of tomorrow": `[{"v":1,"kind":"raise-level","body":{"level":99}}]`,
	"a body that is none": `[{"v":1,"kind":"configure","body":[]}]`,
	"a backup of tomorrow": `[{"v":1,"kind":"restore","body":{"node":"node1","state":` +
		`{"id":"x","cluster":"alpha","level":99}}}]`,
}

// TestPoisonDoesNotEnterTheLog: by whichever node it is proposed, the leader refuses it, and
// everybody goes on.
func TestPoisonDoesNotEnterTheLog(t *testing.T) {
	inBubble(t, func(s *site) {
		for _, name := range append(s.followers(), s.leader()) {
			for what, data := range poison {
				_, err := s.members[name].daemon.log.Propose(context.Background(), []byte(data))
				if !errors.Is(err, quorum.ErrUnfit) {
					t.Errorf("%s, proposed by %s: %v", what, name, err)
				}
			}
		}
		own := s.members[s.leader()].daemon.log
		if _, err := own.ProposeHere(context.Background(), []byte(poison["no JSON"])); !errors.Is(err, quorum.ErrUnfit) {
			t.Errorf("by the leader's own way: %v", err)
		}
		large := bytes.Repeat([]byte("x"), quorum.MaxEntryBytes+1)
		if _, err := own.Propose(context.Background(), large); !errors.Is(err, quorum.ErrTooLarge) {
			t.Errorf("too large: %v", err)
		}
		for _, name := range threeNodes {
			d := s.members[name].daemon
			applied, err := d.propose(context.Background(), cluster.RemoveNode{Node: "nobody"})
			if err != nil || applied.Refused[0].IsZero() || d.replica.broken != nil {
				t.Errorf("%s after it: %v, %v", name, applied.Refused, err)
			}
		}
	})
}

// TestAMemberStepsOverAnEntryThatNoneCanApply: one that got in all the same, by a bug.
func TestAMemberStepsOverAnEntryThatNoneCanApply(t *testing.T) {
	founding := foundingEntry(t)
	at := time.Unix(1_000_000, 0)
	bad := quorum.Entry{Index: 4, At: at, Data: []byte(poison["an unknown kind"])}
	start := func(folder membership.Folder) (*replica, *string) {
		told := new(string)
		r := newReplica(func(reason string) { *told = reason }, func() {})
		if err := r.steps.Load(folder); err != nil {
			t.Fatal(err)
		}
		r.Apply(quorum.Entry{Index: 3, At: at, Data: founding})
		return r, told
	}
	var states []string
	for _, name := range []string{"node1", "node2"} {
		folder := membership.Folder(t.TempDir())
		node := nodefile.Node{Name: name, DataDir: string(folder)}
		place := membership.Membership{Cluster: "alpha", ID: "c-1", Node: name}
		if err := folder.Write(membership.MembershipFile, place); err != nil {
			t.Fatal(err)
		}
		_, err := membership.StepOver(node, 4, "", "root")
		if err == nil || !strings.Contains(err.Error(), "has not stopped at entry 4") {
			t.Errorf("before it was met, without a name: %v", err)
		}
		r, told := start(folder)
		if _, broken := r.Apply(bad).(error); !broken || !strings.Contains(*told, "log entry 4 (sha256 ") {
			t.Errorf("it was met with %q", *told)
		}
		if _, err := membership.StepOver(node, 4, "sha256 0000000000000000", "root"); err == nil {
			t.Error("another entry was to be stepped over, and it was taken")
		}
		if _, err := membership.StepOver(node, 5, "", "root"); err == nil {
			t.Error("an entry that was not met was stepped over without its name")
		}
		step, err := membership.StepOver(node, 4, "", "root")
		if err != nil {
			t.Fatal(err)
		}
		r, told = start(folder)
		applied, went := r.Apply(bad).(apply.Applied)
		if !went || *told != "" || len(applied.Events) != 1 || !strings.Contains(applied.Events[0].Why.String(), step.Name) {
			t.Errorf("stepped over: %v %q %v", went, *told, applied.Events)
		}
		// Another entry at that place, and one that can be applied, are not stepped over.
		r, told = start(folder)
		if r.Apply(quorum.Entry{Index: 4, At: at, Data: []byte(poison["no JSON"])}); *told == "" {
			t.Error("another entry was stepped over")
		}
		r, _ = start(folder)
		r.Apply(bad)
		states = append(states, fmt.Sprintf("%+v", r.Root().Timeline))
	}
	if states[0] != states[1] {
		t.Errorf("the States differ:\n%s\n%s", states[0], states[1])
	}
}

// TestTheTrailHasWhoSteppedOver: the timeline is the same on every member and names nobody, and
// each member's own trail tells once whose word it was there.
func TestTheTrailHasWhoSteppedOver(t *testing.T) {
	inBubble(t, func(s *site) {
		for name, by := range map[string]string{"node2": "alice as root", "node3": "bob as root"} {
			s.kill(name)
			folder := membership.Folder(s.members[name].node.DataDir)
			step := membership.Step{Index: 4_000_000, Name: "sha256 0123456789abcdef", By: by, At: time.Unix(1_000_000, 0).UTC()}
			if err := folder.Write("steps.json", []membership.Step{step}); err != nil {
				t.Fatal(err)
			}
			s.start(name)
			s.restart(name)
			var found []string
			for _, e := range s.trail(name) {
				if strings.HasPrefix(e.Act, "step over log entry 4000000 (sha256 0123456789abcdef)") {
					found = append(found, e.Who)
				}
			}
			if !slices.Equal(found, []string{by}) {
				t.Errorf("the trail of %s names %q, want %q once", name, found, by)
			}
		}
	})
}

// TestWhatCanBeAppliedIsNotSteppedOver: an operator's slip changes no State.
func TestWhatCanBeAppliedIsNotSteppedOver(t *testing.T) {
	folder := membership.Folder(t.TempDir())
	place := membership.Membership{Cluster: "alpha", ID: "c-1", Node: "node1"}
	if err := folder.Write(membership.MembershipFile, place); err != nil {
		t.Fatal(err)
	}
	founding := foundingEntry(t)
	node := nodefile.Node{Name: "node1", DataDir: string(folder)}
	if _, err := membership.StepOver(node, 3, membership.NameOfEntry(founding), "root"); err != nil {
		t.Fatal(err)
	}
	r := newReplica(func(reason string) { t.Error(reason) }, func() {})
	if err := r.steps.Load(folder); err != nil {
		t.Fatal(err)
	}
	if r.Apply(quorum.Entry{Index: 3, Data: founding}); r.Root().ID != "c-1" {
		t.Error("the founding was stepped over")
	}
	if _, err := os.Stat(filepath.Join(string(folder), "stuck.json")); err == nil {
		t.Error("it is noted as an entry that cannot be applied")
	}
}

func foundingEntry(t *testing.T) []byte {
	t.Helper()
	first := cluster.Init{Cluster: "alpha", ID: "c-1", Level: cluster.CurrentLevel}
	data, err := cluster.Encode([]cluster.Command{first})
	if err != nil {
		t.Fatal(err)
	}
	return data
}
