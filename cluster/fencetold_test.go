package cluster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
)

// tries makes one attempt every half a minute for so long, and returns the lines
// that the timeline told of them.
func tries(b *clustertest.Book, node string, long time.Duration, ends func(i int) cluster.FenceDone) (lines []string) {
	b.T.Helper()
	for i, until := 0, b.At.Add(long); b.At.Before(until); i++ {
		b.At = b.At.Add(28 * time.Second) // and one for each entry
		told := b.Must(cluster.AssignFence{Node: node, Fencer: []string{"node2", "node3"}[i%2]}).Events
		for _, e := range append(told, b.Must(ends(i)).Events...) {
			lines = append(lines, e.Why.String())
		}
	}
	return lines
}

func endsSo(b *clustertest.Book, node, evidence string) cluster.FenceDone {
	c := b.Shot(node, fence.Unknown)
	c.Result.Evidence = []string{evidence}
	return c
}

// An intent that stays open is told of every time at first and once an hour in the
// end; what is new is told soon, and figures alone are nothing new.
func TestAnOpenFenceIsToldOfEverMoreSeldom(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(endsSo(b, "node1", "no answer after 1 s"))
	silent := func(i int) cluster.FenceDone {
		return endsSo(b, "node1", fmt.Sprintf("no answer after %d s from port %d", i, 40000+i))
	}
	if lines := tries(b, "node1", 10*time.Minute, silent); len(lines) != 2*20 {
		t.Errorf("%d lines in the first ten minutes, want two for each attempt", len(lines))
	}
	if lines := tries(b, "node1", 12*time.Hour, silent); len(lines) < 2*10 || len(lines) > 2*18 {
		t.Errorf("%d lines in the next twelve hours, want two for each of some fourteen attempts:\n%s", len(lines),
			strings.Join(lines, "\n"))
	}
	if lines := tries(b, "node1", 3*time.Hour, silent); len(lines) > 2*4 {
		t.Errorf("%d lines in three hours of the same", len(lines))
	}
	lines := tries(b, "node1", 5*time.Minute,
		func(int) cluster.FenceDone { return endsSo(b, "node1", "it refuses the login") })
	if told := strings.Join(lines, "\n"); !strings.Contains(told, "refuses the login") || len(lines) > 4 {
		t.Errorf("%d lines of what is new:\n%s", len(lines), told)
	}
	words := []string{"a", "b", "c", "d", "e", "f", "g"}
	if lines := tries(b, "node1", time.Hour,
		func(i int) cluster.FenceDone { return endsSo(b, "node1", "ever new words "+words[i%7]) }); len(lines) > 2+6 {
		t.Errorf("%d lines in an hour of ever new words", len(lines))
	}
	if open, _ := b.S.Fences.Get("node1"); len(open.Told) > 2 || open.TriedTotal < 1500 {
		t.Errorf("%d fencers are remembered after %d attempts", len(open.Told), open.TriedTotal)
	}
}

// A node that was cut off and keeps something is no news every half a minute.
func TestACutOffNodeIsToldOfSeldom(t *testing.T) {
	b := clustertest.GuardedBook(t, clustertest.Level("san"))
	b.Lose("node1")
	b.Must(b.Shoot("node1", "node2"))
	b.Must(proves(b, "node1", isCut))
	again := func(int) cluster.FenceDone { return proves(b, "node1", isCut) }
	tries(b, "node1", 12*time.Minute, again)
	lines := tries(b, "node1", 6*time.Hour, again)
	if told := strings.Join(lines, "\n"); len(lines) < 2*5 || len(lines) > 2*12 ||
		!strings.Contains(told, "cut off from its storage as before") {
		t.Errorf("%d lines in six hours:\n%s", len(lines), told)
	}
	if !b.S.Fences.Has("node1") {
		t.Error("the intent was closed although vm:b is kept")
	}
}

func TestANoteQuotesADeviceBriefly(t *testing.T) {
	for said, want := range map[string]string{
		"no answer from the BMC": "no answer from the BMC",
		"bmc1: BMC bmc1 (10.0.0.1) did not log in: it does not answer; check that this node " +
			"reaches it; bmc1: again": "bmc1: BMC bmc1 (10.0.0.1) did not log in: it does not answer",
		"": "",
	} {
		if got := cluster.Briefly(message.Words(said)); got != message.Words(want) {
			t.Errorf("%q is quoted as %q, want %q", said, got, want)
		}
	}
	long := cluster.Briefly(message.Words(strings.Repeat("ä", 400))).String()
	if utf8.RuneCountInString(long) != cluster.Briefest || !strings.HasSuffix(long, "...") {
		t.Errorf("%d letters are quoted: %q", utf8.RuneCountInString(long), long)
	}
	doubted := message.FenceDoubted.With("bmc1: off read twice; bmc1: again", message.KeptNotCut.With())
	if got := cluster.Briefly(doubted); got != message.Words("bmc1: off read twice") {
		t.Errorf("what is doubted is quoted as %q", got)
	}
	if ours := message.FencerLost.With("node1"); cluster.Briefly(ours) != ours {
		t.Errorf("what no device said is quoted as %q", cluster.Briefly(ours))
	}
}
