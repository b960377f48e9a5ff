package vouching

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/pki"
)

func nodeKey(name, fingerprint string) pki.Peer {
	return pki.Peer{Kind: pki.KindNode, Name: name, Fingerprint: fingerprint}
}

// TestAKeyThatNobodyVouchesForIsLeftAloneForAWhile: it stays unknown all along; a removed one is
// remembered for long, one that nobody knew for a moment, and neither list nor memory grow with
// those who come.
func TestAKeyThatNobodyVouchesForIsLeftAloneForAWhile(t *testing.T) {
	book, err := membership.OpenKeyBook(membership.Folder(t.TempDir()), "demo")
	if err != nil {
		t.Fatal(err)
	}
	told := 0
	book.OnStranger(func(pki.Peer) { told++ })
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	expect := func(what string, peer pki.Peer, after time.Duration, want int) {
		t.Helper()
		told = 0
		if standing := book.VouchedFor(peer, start.Add(after)); standing.Kind != pki.StandingUnknown {
			t.Errorf("%s: %+v", what, standing)
		}
		if told != want {
			t.Errorf("%s: told %d times, not %d", what, told, want)
		}
	}
	r := &Registry{Options: Options{Book: book, Logger: slog.New(slog.DiscardHandler)}}
	gone, ghost := nodeKey("gone", "removed"), nodeKey("ghost", "unknown")
	expect("at first", ghost, 0, 1)
	r.noteWord(gone, inquiry.Removed, start)
	r.noteWord(ghost, "", start)
	expect("nobody knew it", ghost, vouchAgain-1, 0)
	expect("nobody knew it then", ghost, vouchAgain, 1)
	expect("it was removed", gone, membership.VouchedLife-1, 0)
	expect("it was removed long ago", gone, membership.VouchedLife, 1)
	for i := range 3 * membership.MaxVouched {
		r.noteWord(nodeKey("ghost", fmt.Sprint(i)), "", start.Add(time.Duration(i)))
	}
	if _, vain := book.Words(); vain != membership.MaxVouched {
		t.Errorf("%d keys are remembered, %d may be", vain, membership.MaxVouched)
	}
	expect("many came after a removed one", gone, time.Second, 0)
	expect("the last of many", nodeKey("ghost", fmt.Sprint(3*membership.MaxVouched-1)), time.Second, 0)
	expect("the first of many", nodeKey("ghost", "0"), time.Second, 1)
}

// TestAStrangerFillsItsOwnPlaceAlone: however often one comes, with however many keys, the next
// one has its turn after it.
func TestAStrangerFillsItsOwnPlaceAlone(t *testing.T) {
	queue := newStrangerQueue(func(string) bool { return false })
	for i := range 100 {
		queue.add(nodeKey("ghost", fmt.Sprint(i)))
	}
	queue.add(nodeKey("node4", "new"))
	for _, want := range []string{"ghost", "node4", "ghost"} {
		first, some := queue.first()
		if !some || first.Name != want {
			t.Fatalf("it is the turn of %q, not of %s", first.Name, want)
		}
		queue.add(nodeKey(want, "again")) // its place is its own until it is done
		if len(queue.waiting) > 2 {
			t.Fatalf("%d wait", len(queue.waiting))
		}
		queue.done(first)
		queue.add(nodeKey("ghost", "again"))
	}
	for i := range 100 {
		queue.add(nodeKey(fmt.Sprint(i), "any"))
	}
	if len(queue.waiting) != mostStrangers {
		t.Errorf("%d wait, %d may", len(queue.waiting), mostStrangers)
	}
}

// TestMembersHavePlacesOfTheirOwn: whoever makes names as he likes fills the places of strangers,
// and shows keys of his own under a member's name too. Neither keeps a member from its turn.
func TestMembersHavePlacesOfTheirOwn(t *testing.T) {
	queue := newStrangerQueue(func(name string) bool { return name == "node4" })
	crowd := func() {
		for i := range 100 {
			queue.add(nodeKey(fmt.Sprint("ghost", i), "any"))
		}
	}
	turns := func(want string) {
		t.Helper()
		for range 2 {
			first, _ := queue.first()
			queue.done(first)
			crowd()
			if first.Name+" "+first.Fingerprint == want {
				return
			}
		}
		t.Errorf("two have had their turn, and not %s", want)
	}
	crowd()
	queue.add(nodeKey("node4", "new"))
	turns("node4 new")
	queue.expect(nodeKey("node5", "new")) // this node's State does not know it
	turns("node5 new")
	queue.add(nodeKey("node4", "invented"))
	queue.expect(nodeKey("node4", "new"))
	turns("node4 new")
	queue.add(nodeKey("node4", "invented"))
	for asked, _ := queue.first(); asked.Name != "node4"; asked, _ = queue.first() {
		queue.done(asked)
	}
	queue.expect(nodeKey("node4", "new")) // while the other key is being asked about
	queue.done(nodeKey("node4", "invented"))
	turns("node4 new")
	for i := range 3 * membership.MaxVouched {
		queue.expect(nodeKey(fmt.Sprint("member", i), "any"))
	}
	if len(queue.members) != membership.MaxVouched || len(queue.waiting) > mostStrangers {
		t.Errorf("%d members and %d others wait", len(queue.members), len(queue.waiting))
	}
}

// TestARosterIsToldInPages: each answer stays small, and all of them name every member.
func TestARosterIsToldInPages(t *testing.T) {
	root := &cluster.State{}
	for i := range 40 {
		name := fmt.Sprintf("%060d", i)
		root.Nodes.Set(name, cluster.Member{Name: name, Fingerprint: strings.Repeat("f", 64),
			KeyTurn: &cluster.KeyTurn{Fingerprint: strings.Repeat("e", 64)}})
	}
	seen, after := map[string]bool{}, ""
	for range 4 {
		page := RosterAfter(root, after)
		text, err := json.Marshal(inquiry.Answer{Cluster: strings.Repeat("c", 64), Roster: page})
		if err != nil || len(text) > 3800 {
			t.Fatalf("an answer has %d bytes: %v", len(text), err)
		}
		for _, after = range slices.Sorted(maps.Keys(page)) {
			seen[after] = true
		}
	}
	if len(seen) != 40 {
		t.Errorf("%d of 40 were told", len(seen))
	}
}
