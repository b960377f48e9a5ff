package daemon

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/audit"
	"github.com/clusterd/clusterd/internal/membership/inquiry"
	"github.com/clusterd/clusterd/internal/membership/vouching"
	"github.com/clusterd/clusterd/internal/roster"
	"github.com/clusterd/clusterd/internal/tunnel"
)

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
		var round vouching.Round
		about := func(want string) {
			t.Helper()
			began := time.Now()
			if word := d.registry.AskAbout(context.Background(), d.store.Identity().Self, &round); word != want {
				t.Errorf("the word is %q, not %q", word, want)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
		}
		about("")
		if len(others) != 3 || round.Next == 0 {
			t.Fatalf("%d of %d were asked", round.Next, len(others))
		}
		s.mendLink(asker, others[round.Next%len(others)])
		about(inquiry.Member)
		s.mend()
	})
}

// TestWhoIsRefusedAtThePortOfMovesIsKept: the forwarder tells what it refused, each kind of caller
// with a brake of its own, and no refusal is left out of the count.
func TestWhoIsRefusedAtThePortOfMovesIsKept(t *testing.T) {
	inBubble(t, func(s *site) {
		s.kill("node1")
		book := &roster.Book{}
		s.books = map[string]*roster.Book{"node1": book}
		s.start("node1")
		before := len(s.trail("node1"))
		knock := tunnel.Refusal{From: "10.0.0.8:4000", Knock: tunnel.KnockBarred, Act: "connect", Reason: "barred", Count: 7}
		for range audit.MostOfWindow {
			book.Refused(knock)
		}
		book.Refused(tunnel.Refusal{From: "10.0.0.7:4000", Knock: tunnel.KnockUnknown, Act: "connect", Count: 5})
		book.Refused(tunnel.Refusal{From: "10.0.0.2:1", Node: "node2", Act: "open", Reason: "no move", Count: 3})
		time.Sleep(2 * audit.Window) // what was left out is told by then
		book.Refused(knock)
		book.Refused(tunnel.Refusal{From: "10.0.0.7:4000", Knock: tunnel.KnockUnknown, Act: "connect", Count: 1})
		counts := map[string]int{}
		for _, e := range s.trail("node1")[before:] {
			counts[e.Who+": "+e.Result] += 1 + e.More
		}
		if want := map[string]int{"somebody: refused: barred": 7*audit.MostOfWindow + 7, "node node2: refused: no move": 3,
			"somebody: refused: ": 5 + 1}; !maps.Equal(counts, want) {
			t.Errorf("kept are %v, want %v", counts, want)
		}
		told := strings.Join(s.status("node1").Warnings, "\n")
		for _, want := range []string{fmt.Sprintf("10.0.0.8 was refused %d times", 7*audit.MostOfWindow+7),
			"10.0.0.7 was refused 6 times"} {
			if !strings.Contains(told, want) {
				t.Errorf("told is %q, without %q", told, want)
			}
		}
		if strings.Contains(told, "10.0.0.2") {
			t.Error("a member is told of as a stranger")
		}
	})
}
