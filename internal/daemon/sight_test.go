package daemon

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

// waitsForAProbe declares vm:a, which starts on node2 and never answers its probe, and vm:b, which
// depends on it and may run on node1 alone, which takes no services. The leader waits for the
// probe for a while, and then says that no node may run vm:b; only it knows how long it has waited.
func (s *site) waitsForAProbe() (text string) {
	s.t.Helper()
	var reply api.Reply
	standby := api.NodeRequest{ID: "standby", Op: "standby", Node: "node1"}
	s.must(s.leader(), rootUser, "POST", api.PathNodes, standby, &reply)
	text = documentOf(map[string]string{"vm:a": "node2", "vm:b": "node1"})
	domain := "  only-node1: {restricted: true, members: [node1]}\n"
	for _, change := range [][2]string{
		{"services:\n", domain + "services:\n"},
		{"    domain: on-node2\n", "    domain: on-node2\n    probe: tcp:127.0.0.1:1\n"},
		{"    domain: on-node1\n", "    domain: only-node1\n    depend: [\"vm:a\"]\n"},
	} {
		text = strings.Replace(text, change[0], change[1], 1)
	}
	change := api.ConfigChange{Base: s.status(s.leader()).ConfigVersion, Text: text}
	var answer api.ConfigReply
	s.must(s.leader(), rootUser, "POST", api.PathConfig, change, &answer)
	s.until("vm:a runs", func() bool { return s.service(s.leader(), "vm:a").State.String() == "started" })
	time.Sleep(cluster.ReadyWithin + time.Minute)
	return text
}

// notesAbout are what a node's status says of a service.
func (s *site) notesAbout(at, service string) []cluster.Note {
	s.t.Helper()
	return about(s.status(at).Notes, service)
}

func about(notes []cluster.Note, service string) []cluster.Note {
	return slices.DeleteFunc(slices.Clone(notes), func(n cluster.Note) bool { return n.Subject != service })
}

const nowhere = "no node may run it"

// TestWhySaysWhatTheLeaderActsOn compares the leader's note with what each node explains, and with
// what it says would come of a request and of a document.
func TestWhySaysWhatTheLeaderActsOn(t *testing.T) {
	inBubbleOf(t, func(s *site) { s.asks = true }, func(s *site) {
		text := s.waitsForAProbe() + "  vm:c:\n    domain: only-node1\n    depend: [\"vm:a\"]\n    definition: |\n" +
			fmt.Sprintf("      <domain type='kvm'><name>c</name><uuid>%s</uuid></domain>\n", uuidOf(7))
		notes := s.notesAbout(s.leader(), "vm:b")
		if len(notes) != 1 || !strings.Contains(notes[0].Why.String(), nowhere) {
			t.Fatalf("the leader's notes are %+v", notes)
		}
		for _, at := range threeNodes {
			if different := cmp.Diff(notes, s.notesAbout(at, "vm:b")); different != "" {
				t.Errorf("the notes of %s are others than the leader's:\n%s", at, different)
			}
			var why api.Explanation
			s.must(at, anybody, "GET", api.PathServices+"/vm:b/why", nil, &why)
			if different := cmp.Diff(notes, why.Waits); different != "" {
				t.Errorf("%s gives other reasons than the leader acts on:\n%s", at, different)
			}
			if why.Leader != s.leader() || time.Since(why.AsOf) > time.Second || why.Remark != "" {
				t.Errorf("the explanation of %s rests on %+v", at, why.Ground)
			}
			var tried api.Rehearsal
			ask := api.Request{ID: "try", Op: cluster.OpEnable, Service: "vm:b", DryRun: true}
			s.must(at, rootUser, "POST", api.PathRequests, ask, &tried)
			if !tried.Done || !strings.Contains(tried.Why.String(), nowhere) || tried.Leader != s.leader() {
				t.Errorf("a start tried at %s: %+v", at, tried)
			}
			var plan api.ConfigReply
			change := api.ConfigChange{Base: s.status(at).ConfigVersion, Text: text, DryRun: true}
			s.must(at, rootUser, "POST", api.PathConfig, change, &plan)
			if waits := about(plan.Waits, "vm:c"); len(waits) != 1 || !strings.Contains(waits[0].Why.String(), nowhere) ||
				plan.Leader != s.leader() {
				t.Errorf("a document tried at %s: %+v", at, plan)
			}
		}
	})
}

// TestAnAnswerSaysWhatItMayLack: where the leader does not answer, a node explains from its own
// State, and says so.
func TestAnAnswerSaysWhatItMayLack(t *testing.T) {
	inBubbleOf(t, func(s *site) { s.asks = true }, func(s *site) {
		s.declare(map[string]string{"vm:a": s.leader()})
		at := s.followers()[0]
		remark := func() string {
			var plan api.DrainReply
			s.must(at, anybody, "GET", api.PathNodes+"/"+at+"/plan?order=drain", nil, &plan)
			if plan.Remark != "" && (plan.Leader != "" || !plan.AsOf.IsZero()) {
				t.Errorf("an answer of %s alone is called the leader's: %+v", at, plan.Ground)
			}
			return plan.Remark
		}
		if said := remark(); said != "" {
			t.Errorf("as long as the leader answers: %q", said)
		}
		s.isolate(at)
		alone := "from the State of " + at + " alone, and may lack what the leader knows."
		if said := remark(); !strings.Contains(said, "could not be asked") || !strings.Contains(said, alone) {
			t.Errorf("when the leader does not answer: %q", said)
		}
		s.until("no leader is known", func() bool { return s.status(at).Leader == "" })
		if said := remark(); !strings.Contains(said, "No leader is known to "+at) || !strings.Contains(said, alone) {
			t.Errorf("without a leader: %q", said)
		}
	})
}
