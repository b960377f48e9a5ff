package cluster

import "testing"

// A person's word releases exactly what a device's Confirmed would: the boot of
// an open intent, and only while the machine shows no life.
func TestAPersonsWordNeedsAnOpenIntentAndASilentMachine(t *testing.T) {
	b := newBook(t, 3, "vm:web")
	b.running("vm:web", "node2")
	d := document("vm:web")
	d.Nodes["node2"] = NodeSpec{} // no device could ever confirm it
	b.must(configure(d, b.s.Config.Version))
	boot := b.node("node2").Boot
	word := ConfirmFence{Node: "node2", Boot: boot, By: "root"}
	b.refused(word, "nothing to confirm")
	b.refused(BeginFence{Node: "node2", Boot: boot, Fencer: "node1", Why: "lost"}, "is online")
	b.must(BeginFence{Node: "node2", Boot: boot, Fencer: "node1", Why: "asked", By: "root", Override: true})
	b.refused(word, "shows life")
	b.lose("node2")
	b.refused(ConfirmFence{Node: "node2", Boot: "another", By: "root"}, "not for another")
	b.is("vm:web", b.service("vm:web").State, "node2", "node2")
	b.must(word)
	if n := b.node("node2"); n.State != NodeFenced {
		t.Fatalf("node2 is %s after a person answered for it", n.State)
	}
	if last := b.s.Timeline[len(b.s.Timeline)-2]; last.By != "root" {
		t.Fatalf("the timeline does not say who answered: %+v", last)
	}
	b.must(b.startOf("vm:web", "node1"))
}
