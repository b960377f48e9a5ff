package mind

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// stepper steps one node against a book.
type stepper struct {
	t    *testing.T
	b    *clustertest.Book
	node *Node
	now  time.Duration
}

func newMind(t *testing.T, b *clustertest.Book, self string) *stepper {
	t.Helper()
	return &stepper{t: t, b: b, node: NewNode(self), now: time.Hour}
}

func (m *stepper) step(after time.Duration, in Input) Output {
	m.t.Helper()
	m.now += after
	in.State, in.Incarnation = m.b.S.Fork(), m.b.Node(m.node.self).Incarnation
	return m.node.Step(m.now, in)
}

// one returns the only proposal of an output, with its only command.
func (m *stepper) one(out Output) (uint64, cluster.Command) {
	m.t.Helper()
	if len(out.Propose) != 1 || len(out.Propose[0].Commands) != 1 {
		m.t.Fatalf("proposed %+v, want one command", out.Propose)
	}
	return out.Propose[0].ID, out.Propose[0].Commands[0]
}

func (m *stepper) silent(out Output) {
	m.t.Helper()
	if len(out.Propose) > 0 {
		m.t.Fatalf("proposed %+v, want nothing", out.Propose)
	}
}

// TestANodeWhoseStateDiffersNeitherPlansNorWorks: what it was to do waits until its State is right.
func TestANodeWhoseStateDiffersNeitherPlansNorWorks(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	m := newMind(t, b, "node1")
	b.Must(b.StartOf("vm:a", "node1"))
	out := m.step(0, Input{Odd: true, Leading: true, Leader: "node1"})
	if len(out.Do) > 0 || out.Planned != nil {
		t.Fatalf("handed out %+v, planned %+v", out.Do, out.Planned)
	}
	if _, told := m.one(out); told != any(cluster.NodeHypervisor{Node: "node1", Incarnation: b.Node("node1").Incarnation,
		Why: message.NodeStandsBy.With()}) {
		t.Fatalf("told %+v", told)
	}
	if _, idle := m.node.IdleUntil(); idle {
		t.Fatal("it is not asked again once its State is right")
	}
	if out := m.step(time.Second, Input{}); len(out.Do) != 1 || out.Do[0].Kind != cluster.DutyStart {
		t.Fatalf("handed out %+v", out.Do)
	}
}

func TestAResultIsProposedUntilItIsInTheLogAndThenNeverAgain(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	m := newMind(t, b, "node1")
	b.Must(b.StartOf("vm:a", "node1"))
	out := m.step(0, Input{})
	if len(out.Do) != 1 || out.Do[0].Kind != cluster.DutyStart || out.Do[0].Definition == "" {
		t.Fatalf("handed out %+v", out.Do)
	}
	duty := out.Do[0]
	if again := m.step(time.Second, Input{}); len(again.Do) > 0 {
		t.Fatalf("the same duty was handed out twice: %+v", again.Do)
	}
	id, _ := m.one(m.step(cluster.Tick,
		Input{Results: []DutyResult{{Duty: duty, Result: resources.Result{OK: true, Source: resources.Running}}}}))
	m.silent(m.step(cluster.Tick, Input{})) // it is on its way
	m.silent(m.step(cluster.Tick, Input{Proposals: []ProposalDone{{ID: id, Failed: true}}}))
	id, command := m.one(m.step(plan.PauseAfterFailure, Input{}))
	applied := b.Must(command)
	m.silent(m.step(cluster.Tick, Input{Proposals: []ProposalDone{{ID: id, Refused: applied.Refused}}}))
	m.silent(m.step(time.Minute, Input{}))
	if len(m.node.outbox) != 0 || len(m.node.handed) != 0 || len(m.node.held) != 0 {
		t.Errorf("left behind: %v %v %v", m.node.outbox, m.node.handed, m.node.held)
	}
}

// A proposal whose end was not known was in the log after all: its twin is
// refused and the result is done with.
func TestARefusedResultIsDropped(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	m := newMind(t, b, "node1")
	b.Must(b.StartOf("vm:a", "node1"))
	duty := m.step(0, Input{}).Do[0]
	id, command := m.one(m.step(cluster.Tick,
		Input{Results: []DutyResult{{Duty: duty, Result: resources.Result{OK: true, Source: resources.Running}}}}))
	b.Must(command)
	m.silent(m.step(cluster.Tick, Input{Proposals: []ProposalDone{{ID: id, Failed: true}}}))
	id, command = m.one(m.step(time.Second, Input{}))
	applied := b.Apply(command)
	m.silent(m.step(cluster.Tick, Input{Proposals: []ProposalDone{{ID: id, Refused: applied.Refused}}}))
	m.silent(m.step(time.Minute, Input{}))
	b.Is("vm:a", resources.Started, "node1", "node1")
}

// lookAt answers the confirming look that an output hands out.
func (m *stepper) lookAt(out Output, o resources.Observation) DutyResult {
	m.t.Helper()
	if len(out.Do) != 1 || out.Do[0].Kind != cluster.DutyLook {
		m.t.Fatalf("handed out %+v, want one look", out.Do)
	}
	return DutyResult{Duty: out.Do[0], Observation: o}
}

func TestANewerObservationIsNotLostBehindOneOnItsWay(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	m := newMind(t, b, "node1")
	hint := Input{Changes: []Change{{Service: "vm:a"}}}
	first := m.lookAt(m.step(0, hint), resources.Observation{Condition: resources.Paused, Reason: "ioerror"})
	id, _ := m.one(m.step(cluster.Tick, Input{Results: []DutyResult{first}}))
	second := m.lookAt(m.step(cluster.Tick, hint), resources.Observation{Condition: resources.Crashed})
	m.silent(m.step(cluster.Tick, Input{Results: []DutyResult{second}}))
	_, command := m.one(m.step(cluster.Tick, Input{Proposals: []ProposalDone{{ID: id, Refused: []message.Text{{}}}}}))
	if o, observed := command.(cluster.Observed); !observed || o.Observation.Condition != resources.Crashed {
		t.Errorf("proposed %+v", command)
	}
}

func TestAnObservationThatCameTooLateIsLookedAtAgain(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	m := newMind(t, b, "node1")
	gone := resources.Observation{Condition: resources.Absent}
	seen := m.lookAt(m.step(0,
		Input{Changes: []Change{{Service: "vm:a", Observation: resources.Observation{Explained: true,
			Reason: "shutdown"}}}}), gone)
	id, _ := m.one(m.step(cluster.Tick, Input{Results: []DutyResult{seen}}))
	m.silent(m.step(cluster.Tick, Input{Proposals: []ProposalDone{
		{ID: id, Refused: []message.Text{message.Words("older")}}}}))
	again := m.lookAt(m.step(plan.PauseBetweenLooks, Input{}), gone)
	_, command := m.one(m.step(cluster.Tick, Input{Results: []DutyResult{again}}))
	if o, observed := command.(cluster.Observed); !observed || !o.Observation.Explained ||
		o.Observation.Reason != "shutdown" {
		t.Errorf("what was known of it is lost: %+v", command)
	}
}

func TestUnknownIsNoAnswer(t *testing.T) {
	b := clustertest.NewBook(t, 1)
	b.Must(clustertest.Configure(clustertest.Document("vm:a"), 1))
	m := newMind(t, b, "node1")
	asked := m.lookAt(m.step(0, Input{}), resources.Observation{Condition: resources.Unknown})
	m.silent(m.step(cluster.Tick, Input{Results: []DutyResult{asked}}))
	asked = m.lookAt(m.step(plan.PauseBetweenLooks, Input{}), resources.Observation{Condition: resources.Absent})
	_, command := m.one(m.step(cluster.Tick, Input{Results: []DutyResult{asked}}))
	b.Must(command)
	b.Is("vm:a", resources.Stopped, "")
}

// A leader that was paused for a minute suspects nobody for it.
func TestAPauseIsNotTakenForSilence(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	m := newMind(t, b, "node3")
	beats := []Beat{{Node: "node1"}, {Node: "node2"}}
	m.step(0, Input{Leading: true, Beats: beats})
	out := m.step(time.Minute,
		Input{Leading: true, Verdicts: []cluster.Verdict{{Node: "node1", Kernel: cluster.Silent, Daemon: cluster.Silent}}})
	m.silent(out)
	if len(out.Test) > 0 {
		t.Errorf("tests %v after a pause", out.Test)
	}
}

// lost steps a leader until it proposes something, without beats of node1.
func (m *stepper) lost(verdict cluster.Verdict, limit time.Duration) (time.Duration, Output) {
	m.t.Helper()
	m.step(0, Input{Leading: true, Beats: []Beat{{Node: "node1"}, {Node: "node2"}}})
	for waited := cluster.Tick; waited <= limit; waited += cluster.Tick {
		in := Input{Leading: true, Beats: []Beat{{Node: "node2"}}}
		if waited == 600*time.Millisecond || waited%time.Second == 0 {
			in.Verdicts = []cluster.Verdict{verdict}
		}
		if out := m.step(cluster.Tick, in); len(out.Propose) > 0 {
			return waited, out
		}
	}
	return limit, Output{}
}

func TestALostNodeIsFencedByTheVeryEntryThatSaysSo(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	m := newMind(t, b, "node3")
	waited, out := m.lost(cluster.Verdict{Node: "node1", Kernel: cluster.Silent, Daemon: cluster.Silent,
		Why: message.Words("nobody")}, time.Minute)
	if waited != time.Second {
		t.Errorf("lost after %s", waited)
	}
	if len(out.Propose) != 1 || len(out.Propose[0].Commands) != 2 {
		t.Fatalf("proposed %+v", out.Propose)
	}
	b.Must(out.Propose[0].Commands...)
	if open, fencing := b.S.Fences.Get("node1"); !fencing || open.Fencer != "node3" {
		t.Errorf("fence intent %+v", open)
	}
	m.silent(m.step(cluster.Tick, Input{Leading: true}))
}

func TestADaemonMayBeSilentForItsGrace(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	m := newMind(t, b, "node3")
	kernel := cluster.Verdict{Node: "node1", Kernel: cluster.Answers, Daemon: cluster.Silent,
		Why: message.Words("its kernel answers")}
	_, out := m.lost(kernel, time.Minute)
	b.Must(out.Propose[0].Commands...)
	if n := b.Node("node1"); n.State != cluster.NodeSilent || b.S.Fences.Len() > 0 {
		t.Fatalf("it is %s", n.State)
	}
	grace := cluster.TimingFor("").SilentGrace
	for waited := cluster.Tick; waited < grace-time.Second; waited += cluster.Tick {
		in := Input{Leading: true, Beats: []Beat{{Node: "node2"}},
			Proposals: []ProposalDone{{ID: out.Propose[0].ID, Refused: []message.Text{{}}}}}
		if waited%time.Second == 0 {
			in.Verdicts = []cluster.Verdict{kernel}
		}
		m.silent(m.step(cluster.Tick, in))
	}
}

func TestReachedByPeersIsNotLost(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	m := newMind(t, b, "node3")
	waited, out := m.lost(cluster.Verdict{Node: "node1", Kernel: cluster.Answers, Daemon: cluster.Answers,
		Why: message.Words("node2 reaches it")}, time.Minute)
	if len(out.Propose) > 0 {
		t.Errorf("after %s proposed %+v", waited, out.Propose)
	}
}

func TestALeaderThatTheStateCallsLostSpeaksForItself(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	b.Lose("node3")
	m := newMind(t, b, "node3")
	out := m.step(0, Input{Leading: true, Beats: []Beat{{Node: "node1"}, {Node: "node2"}}})
	_, command := m.one(out)
	b.Must(command)
	if n := b.Node("node3"); n.State != cluster.NodeOnline {
		t.Errorf("it is %s", n.State)
	}
}

// Hundreds of results at once are a few entries, and none is lost on the way.
func TestManyResultsGoInBundles(t *testing.T) {
	names := make([]string, 300)
	for i := range names {
		names[i] = fmt.Sprintf("vm:%03d", i)
	}
	b := clustertest.NewBook(t, 1)
	b.Must(clustertest.Configure(clustertest.Document(names...), 1))
	m := newMind(t, b, "node1")
	var results []DutyResult
	for _, duty := range m.step(0, Input{}).Do {
		results = append(results, DutyResult{Duty: duty, Observation: resources.Observation{Condition: resources.Absent}})
	}
	first := m.step(cluster.Tick, Input{Results: results[:20]})
	then := m.step(cluster.Tick, Input{Results: results[20:]})
	entries, proposals := 0, append(first.Propose, then.Propose...)
	for len(proposals) > 0 {
		p := proposals[0]
		entries++
		applied := b.Apply(p.Commands...)
		proposals = append(proposals[1:],
			m.step(cluster.Tick, Input{Proposals: []ProposalDone{{ID: p.ID, Refused: applied.Refused}}}).Propose...)
	}
	if entries > 30 || len(m.node.outbox) != 0 {
		t.Errorf("%d entries, %d results left", entries, len(m.node.outbox))
	}
	for _, name := range names {
		if service, _ := b.S.Services.Get(name); len(service.Holders) != 0 {
			t.Fatalf("%s is held by %v", name, service.Holders)
		}
	}
}

// What a look found is told also while an older observation, which says
// otherwise, waits for its way into the log.
func TestTheNewestLookHasTheLastWord(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	b.Running("vm:a", "node1")
	n := NewNode("node1")
	incarnation := b.Node("node1").Incarnation
	at := time.Duration(0)
	look := func(condition resources.Condition) {
		t.Helper()
		at += time.Second
		out := n.Step(at, Input{State: b.S.Fork(), Incarnation: incarnation, Changes: []Change{{Service: "vm:a"}}})
		for _, d := range out.Do {
			n.Step(at+time.Millisecond, Input{State: b.S.Fork(), Incarnation: incarnation,
				Results: []DutyResult{{Duty: d, Observation: resources.Observation{Service: "vm:a", UUID: "uuid-vm:a",
					Condition: condition}}}})
		}
	}
	look(resources.Unknown)
	look(resources.Running)
	var told []string
	for _, p := range n.outbox {
		told = append(told, string(p.command.(cluster.Observed).Observation.Condition))
	}
	if strings.Join(told, " ") != "unknown running" {
		t.Errorf("told is %v, want unknown and then running", told)
	}
}

// TestWhatOlderMembersWouldNotUnderstandWaits until the level is in force; the rest does not.
func TestWhatOlderMembersWouldNotUnderstandWaits(t *testing.T) {
	s := clustertest.NewBook(t, 3).S
	n := NewNode("node1")
	n.release = cluster.Current.With(clustertest.NextLevel, cluster.RowOf("guarded", clustertest.NextLevel,
		func(cluster.Guarded) string { return "" }))
	propose := func() []cluster.Command {
		var out Output
		commands := []cluster.Command{cluster.Guarded{Node: "node1"}, cluster.LostKeys{Node: "node1"}}
		n.proposeOnce(0, s, []string{"guarded", "lost-keys"}, commands, false, &out)
		if len(out.Propose) != 1 {
			t.Fatalf("proposed is %v", out.Propose)
		}
		return out.Propose[0].Commands
	}
	if got := propose(); len(got) != 1 || n.release.KindOf(got[0]) != "lost-keys" {
		t.Errorf("before the level is in force %v is proposed", got)
	}
	s.Level = clustertest.NextLevel
	if got := propose(); len(got) != 1 || n.release.KindOf(got[0]) != "guarded" {
		t.Errorf("when the level is in force %v is proposed", got)
	}
}
