package cluster_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/internal/message"
)

// novelty is what rules of the first level know nothing of.
var novelty = clustertest.Novelty{Text: "hello"}

func raises(d plan.Decision) bool {
	return slices.Contains(d.Commands, cluster.Command(cluster.RaiseLevel{Level: clustertest.NextLevel}))
}

// knowing lets members say that they know a level.
func knowing(b *clustertest.Book, level int, nodes ...string) {
	for _, name := range nodes {
		n, _ := b.S.Nodes.Get(name)
		n.MaxLevel = level
		b.S.Nodes.Set(name, n)
	}
}

// newer is a cluster of one level, kept by clusterds of the next one.
func newer(t *testing.T) *clustertest.Book {
	b := clustertest.NewBook(t, 3)
	b.Newer = true
	return b
}

// TestTheFirstEntrySaysItsLevel: a newer binary that reads an old log from its
// beginning, as every one does after an upgrade, must come to the same State.
func TestTheFirstEntrySaysItsLevel(t *testing.T) {
	found := func(level int) (*cluster.State, error) {
		s := &cluster.State{}
		return s, apply.Apply(s, cluster.Entry{Index: 1,
			Commands: []cluster.Command{cluster.Init{Cluster: "c", ID: "i", Level: level}}}).Err()
	}
	for _, said := range []int{cluster.CurrentLevel, clustertest.NextLevel} {
		if s, err := found(said); err != nil || s.Level != said {
			t.Errorf("a founder of level %d makes level %d (%v)", said, s.Level, err)
		}
	}
	if s, err := found(0); err == nil || s.ID != "" {
		t.Errorf("a cluster of no level is founded: %v", err)
	}
}

// TestALevelIsRaisedWhenAllMembersKnowIt: the answer is a function of the State,
// not of what the binary that applies it knows.
func TestALevelIsRaisedWhenAllMembersKnowIt(t *testing.T) {
	b := newer(t)
	leading := cluster.View{Self: "node1", Leading: true}
	if d := plan.Plan(b.S, leading); raises(d) || slices.ContainsFunc(d.Notes, saysVersion) {
		t.Errorf("nobody knows a newer level, and it is waited for: %v", d.Notes)
	}
	knowing(b, clustertest.NextLevel, "node1", "node3")
	d := plan.Plan(b.S, leading)
	if raises(d) {
		t.Error("the leader raises the level although node2 does not know it")
	}
	if i := slices.IndexFunc(d.Notes, saysVersion); i < 0 || !strings.Contains(d.Notes[i].Why.String(), "until node2") {
		t.Errorf("nobody is told what newer rules wait for: %v", d.Notes)
	}
	b.Refused(cluster.RaiseLevel{Level: clustertest.NextLevel}, "node2 knows only cluster version 1")
	b.Refused(novelty, "upgrade the nodes")

	knowing(b, clustertest.NextLevel+1, "node1", "node3")
	knowing(b, clustertest.NextLevel, "node2")
	if d := plan.Plan(b.S, leading); !raises(d) {
		t.Error("all know it, and the leader does not raise the level")
	}
	b.Must(cluster.RaiseLevel{Level: clustertest.NextLevel})
	b.Must(novelty)
	b.Refused(cluster.RaiseLevel{Level: cluster.CurrentLevel}, "cannot follow")
	further := []cluster.Command{cluster.RaiseLevel{Level: clustertest.NextLevel + 1}}
	if why := clustertest.Next.Premature(b.S, further); !why.Is(message.VersionUnknown) {
		t.Errorf("a level that is not known here may be proposed: %q", why)
	}
}

func saysVersion(n cluster.Note) bool { return strings.Contains(n.Why.String(), "cluster version") }

// TestWhatOlderBinariesDoNotKnowStaysOut of the log, and of the State.
func TestWhatOlderBinariesDoNotKnowStaysOut(t *testing.T) {
	b := newer(t)
	mixed := []cluster.Command{cluster.Leave{Node: "node1"}, novelty}
	if why := clustertest.Next.Premature(b.S, mixed); !why.Is(message.VersionNeeded) || why.Arg("version") != "2" {
		t.Errorf("it may be proposed: %q", why)
	}
	if why := clustertest.Next.Premature(b.S, mixed[:1]); !why.IsZero() {
		t.Errorf("what all know may not be proposed: %s", why)
	}
	data, err := clustertest.Next.Encode(mixed)
	if err != nil {
		t.Fatal(err)
	}
	if err := clustertest.NextRules.Fit(b.S, time.Time{}, data); err == nil {
		t.Error("a leader that knows it lets it into the log of members that do not")
	}
	if _, err := cluster.Encode(mixed); !errors.Is(err, cluster.ErrUnknownCommand) {
		t.Errorf("a clusterd that does not know it writes it: %v", err)
	}
}

// TestATooOldDaemonSaysSoAndAppliesNothing of the rules in force, nor of a command
// that it does not know.
func TestATooOldDaemonSaysSoAndAppliesNothing(t *testing.T) {
	b := newer(t)
	entry := func(c cluster.Command) (*cluster.State, error) {
		data, err := clustertest.Next.Encode([]cluster.Command{c})
		if err != nil {
			t.Fatal(err)
		}
		s, _, err := apply.ApplyData(b.S, cluster.Entry{Index: b.S.Index + 1}, data)
		return s, err
	}
	knowing(b, clustertest.NextLevel, b.S.Nodes.Keys()...)
	if s, err := entry(cluster.RaiseLevel{Level: clustertest.NextLevel}); s != nil || err == nil ||
		!strings.Contains(err.Error(), "cluster version 2 is in force, this clusterd knows version 1") {
		t.Errorf("the entry that brings newer rules is answered with %v", err)
	}
	if b.S.Level != cluster.CurrentLevel {
		t.Errorf("level %d after an entry that was not applied", b.S.Level)
	}
	b.Must(cluster.RaiseLevel{Level: clustertest.NextLevel})
	if cluster.Unknown(b.S).IsZero() || !clustertest.Next.Unknown(b.S).IsZero() {
		t.Errorf("the State is unknown here: %q; to the newer: %q", cluster.Unknown(b.S), clustertest.Next.Unknown(b.S))
	}
	if s, err := entry(novelty); s != nil || !errors.Is(err, cluster.ErrUnknownCommand) {
		t.Errorf("a command that it does not know is answered with %v", err)
	}
	b.Refused(cluster.NodeUp{Node: "node2", Fingerprint: "key-node2", Boot: "node2-boot-2", Version: "1.0",
		MaxLevel: cluster.CurrentLevel}, "install a newer clusterd")
}
