package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"github.com/clusterd/clusterd/domain"
)

// edited makes a document's text with a few lines moved, changed or gone.
func edited(random *rand.Rand, text string) string {
	lines := strings.SplitAfter(text, "\n")
	for range 1 + random.IntN(4) {
		at := random.IntN(len(lines))
		switch random.IntN(4) {
		case 0:
			lines[at] = fmt.Sprintf("  line %d: changed\n", random.IntN(100))
		case 1:
			lines = append(lines[:at:at], lines[min(at+1+random.IntN(5), len(lines)):]...)
			lines = append(lines, "\n")
		case 2:
			lines = append(lines[:at:at], append([]string{"    repeated line\n", "no end of line"}, lines[at:]...)...)
		case 3:
			other := random.IntN(len(lines))
			lines[at], lines[other] = lines[other], lines[at]
		}
	}
	return strings.Join(lines, "")
}

func TestEveryKeptVersionComesOutAsItWas(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		text := ""
		for i := range 200 {
			text += fmt.Sprintf("  service%d:\n    repeated line\n", i)
		}
		s, texts := cluster.State{Config: cluster.Config{Version: 1, Text: text}}, map[uint64]string{1: text}
		for version := uint64(2); version < 40; version++ {
			text = edited(random, text)
			if random.IntN(20) == 0 {
				text = ""
			}
			s.History = cluster.KeepRevision(s.History, s.Config, text)
			s.Config = cluster.Config{Version: version, Text: text}
			texts[version] = text
		}
		for version, want := range texts {
			if got, kept := s.TextOf(version); !kept || got != want {
				t.Fatalf("seed %d: version %d comes out as %d bytes, kept %v, want %d bytes", seed, version, len(got), kept,
					len(want))
			}
		}
		if _, kept := s.TextOf(99); kept {
			t.Error("a version that never was has a text")
		}
	}
}

func TestTheHistoryHasLimits(t *testing.T) {
	s := cluster.State{Config: cluster.Config{Version: 1}}
	for version := uint64(2); version < 2*cluster.MaxRevisions; version++ {
		s.History = cluster.KeepRevision(s.History, s.Config, fmt.Sprint(version))
		s.Config = cluster.Config{Version: version, Text: fmt.Sprint(version)}
	}
	if len(s.History) != cluster.MaxRevisions || s.History[0].Version != s.Config.Version-cluster.MaxRevisions {
		t.Errorf("%d revisions from %d on, want %d", len(s.History), s.History[0].Version, cluster.MaxRevisions)
	}
	for range 8 {
		s.History = cluster.KeepRevision(s.History, cluster.Config{Text: strings.Repeat("a", cluster.MaxHistoryBytes/4)}, "")
	}
	size := 0
	for _, revision := range s.History {
		size += revision.Size()
	}
	if size > cluster.MaxHistoryBytes || len(s.History) != 3 {
		t.Errorf("%d revisions of %d bytes, want 3 below %d", len(s.History), size, cluster.MaxHistoryBytes)
	}
}

func TestADamagedHistoryGivesNoText(t *testing.T) {
	s := cluster.State{Config: cluster.Config{Version: 2, Text: "b\n"},
		History: cluster.KeepRevision(nil, cluster.Config{Version: 1, Text: "a\nb\n"}, "b\n")}
	if text, kept := s.TextOf(1); !kept || text != "a\nb\n" {
		t.Fatalf("version 1 is %q, %v", text, kept)
	}
	for _, newest := range []string{"c\n", "", "bb"} {
		s.Config.Text = newest
		if text, kept := s.TextOf(1); kept {
			t.Errorf("from %q a text came out that never was: %q", newest, text)
		}
	}
}

func TestConfigureKeepsTheOldDocument(t *testing.T) {
	b := &clustertest.Book{T: t, S: &cluster.State{}, At: clustertest.Founded}
	b.Must(cluster.Init{Cluster: "demo", ID: "id", Level: cluster.CurrentLevel})
	for i := range uint64(3) {
		c := clustertest.Configure(clustertest.Document(), i)
		c.Text, c.By, c.Reason, c.Summary = fmt.Sprintf("text %d", i+1), "root", fmt.Sprintf("reason %d", i+1),
			fmt.Sprintf("summary %d", i+1)
		b.Must(c)
	}
	if got, want := len(b.S.History), 2; got != want {
		t.Fatalf("%d revisions, want %d", got, want)
	}
	for i, revision := range append(b.S.History, cluster.Revision{Version: b.S.Config.Version, By: b.S.Config.By,
		Reason: b.S.Config.Reason, Summary: b.S.Config.Summary}) {
		version := uint64(i + 1)
		if revision.Version != version || revision.Reason != fmt.Sprintf("reason %d", version) ||
			revision.Summary != fmt.Sprintf("summary %d", version) || revision.By != "root" {
			t.Errorf("revision %d is %+v", version, revision)
		}
		if text, kept := b.S.TextOf(version); !kept || text != fmt.Sprintf("text %d", version) {
			t.Errorf("version %d is %q, %v", version, text, kept)
		}
	}
}

func TestARehearsedDocumentTellsWhatFollowsAndChangesNothing(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node2")
	before := bytesOf(t, b.S)
	only := clustertest.Document("vm:a", "vm:b", "vm:new")
	only.Domains["there"] = domain.Domain{Name: "there", Restricted: true, Members: []domain.Member{{Node: "node3"}}}
	moved := only.Services["vm:a"]
	moved.Domain = "there"
	only.Services["vm:a"] = moved
	refused, events, _ := rehearse.RehearseDocument(b.S, cluster.View{}, clustertest.Configure(only, b.S.Config.Version))
	var told []string
	for _, e := range events {
		told = append(told, fmt.Sprintf("%s %s %s", e.Subject, e.To, e.Node))
	}
	if want := []string{"vm:a migrating node1", "vm:new starting node1"}; !refused.IsZero() || !slices.Equal(told, want) {
		t.Errorf("refused %q, told %q, want %q", refused, told, want)
	}
	if refused, _, _ = rehearse.RehearseDocument(b.S, cluster.View{}, clustertest.Configure(clustertest.Document("vm:a"),
		b.S.Config.Version)); !strings.Contains(refused.String(), "disable it") {
		t.Errorf("the removal of a running service: %q", refused)
	}
	if _, events, notes := rehearse.RehearseDocument(b.S, cluster.View{},
		clustertest.Configure(clustertest.Document("vm:a", "vm:b"), b.S.Config.Version)); len(events)+len(notes) > 0 {
		t.Errorf("from the same document follows %v, %v", events, notes)
	}
	if bytesOf(t, b.S) != before {
		t.Error("the State was changed")
	}
	// Looks and results of many services do not push the starts out.
	names := []string{"vm:a", "vm:b"}
	for i := range 120 {
		names = append(names, fmt.Sprintf("vm:many%d", i))
	}
	if _, events, _ := rehearse.RehearseDocument(b.S, cluster.View{},
		clustertest.Configure(clustertest.Document(names...), b.S.Config.Version)); len(events) != 120 {
		t.Errorf("of 120 new services %d are told to start", len(events))
	}
}
