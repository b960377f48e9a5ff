package daemon

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/membership"
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
	d := &Daemon{keys: book}
	gone, ghost := nodeKey("gone", "removed"), nodeKey("ghost", "unknown")
	expect("at first", ghost, 0, 1)
	d.noteWord(gone, keyRemoved, start)
	d.noteWord(ghost, "", start)
	expect("nobody knew it", ghost, vouchAgain-1, 0)
	expect("nobody knew it then", ghost, vouchAgain, 1)
	expect("it was removed", gone, membership.VouchedLife-1, 0)
	expect("it was removed long ago", gone, membership.VouchedLife, 1)
	for i := range 3 * membership.MaxVouched {
		d.noteWord(nodeKey("ghost", fmt.Sprint(i)), "", start.Add(time.Duration(i)))
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
	queue := newStrangerQueue()
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
		queue.done()
		queue.add(nodeKey("ghost", "again"))
	}
	for i := range 100 {
		queue.add(nodeKey(fmt.Sprint(i), "any"))
	}
	if len(queue.waiting) != mostStrangers {
		t.Errorf("%d wait, %d may", len(queue.waiting), mostStrangers)
	}
}

// TestMembersThatAreDownHoldUpNoQuestionForLong: a question to members of which none answers ends
// in time, and the next one goes to those that were not asked.
func TestMembersThatAreDownHoldUpNoQuestionForLong(t *testing.T) {
	inSecuredBubble(t, func(s *site) {
		s.keysAgree(t, threeNodes...)
		s.fourth(t)
		defer s.kill("node4")
		asker := s.leader()
		d := s.members[asker].daemon
		others := sortedNames(d.peers())
		for _, node := range others {
			s.cutLink(asker, node)
		}
		voucher := 0
		about := func(want string) {
			t.Helper()
			began := time.Now()
			if word := d.askAbout(context.Background(), d.store.Identity().Self, &voucher); word != want {
				t.Errorf("the word is %q, not %q", word, want)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		}
		about("")
		if len(others) != 3 || voucher == 0 {
			t.Fatalf("%d of %d were asked", voucher, len(others))
		}
		s.mendLink(asker, others[voucher%len(others)])
		about(keyOfMember)
		s.mend()
	})
}
