package cluster

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

// mayDrill: a drill cuts the power of a node in touch that holds nothing. In
// touch, because its falling silent is half of the proof.
func (t *transaction) mayDrill(n Member, c BeginFence) string {
	levels := t.Document.Nodes[n.Name].Fence
	switch held := t.heldBy(n); {
	case !c.Override:
		return "a drill needs an operator"
	case n.State != NodeOnline && n.State != NodeLeft:
		return fmt.Sprintf("%s is %s; a drill needs a node in touch", n.Name, n.State)
	case len(held) > 0:
		return fmt.Sprintf("%s may be running %s; let it leave first with `clusterd node leave %s`", n.Name, held[0], n.Name)
	case c.Level < 0 || c.Level >= len(levels):
		return fmt.Sprintf("%s has no fence level %d", n.Name, c.Level+1)
	case fence.NatureOf(t.devicesOf(n.Name, c.Level)) != fence.ByPower:
		return fmt.Sprintf("level %d of %s switches no power, so a drill would not show whose it is", c.Level+1, n.Name)
	case t.Fences.Len() > 0:
		return t.Fences.Keys()[0] + " is being fenced; a drill waits for that"
	}
	return ""
}

// drilled takes in what a drill showed, and closes its intent either way.
func (t *transaction) drilled(n Member, open Fence, c FenceDone) {
	levels := t.Document.Nodes[n.Name].Fence
	if open.Document != t.Config.Version || open.Level >= len(levels) {
		if c.Result.Outcome != fence.Confirmed {
			t.Fences.Delete(n.Name)
		}
		t.tell(Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By, Why: "the document changed during the drill, so it proved nothing about the devices that are declared now; repeat it"})
		return
	}
	devices := levels[open.Level].Devices
	if c.Result.Outcome != fence.Confirmed {
		t.Fences.Delete(n.Name)
		for _, device := range devices {
			t.Proven.Delete(device)
		}
		t.tell(Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By, Why: fmt.Sprintf("the drill proved nothing: %s: %s", c.Result.Outcome, strings.Join(c.Result.Evidence, "; "))})
		return
	}
	for _, device := range devices {
		t.Proven.Set(device, Proof{Node: n.Name, Machine: n.Machine(), At: t.at, By: open.By})
	}
	t.tell(Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By, Why: "the drill proved that " + joined(devices) + " cuts the power of " + n.Name})
}

// ProvenFor tells whether a drill showed that a device is a node's own.
func (s *State) ProvenFor(device, node string) bool {
	proof, found := s.Proven.Get(device)
	n, known := s.Nodes.Get(node)
	return found && known && proof.Node == node && proof.Machine == n.Machine()
}

// forgetProofs drops the proofs of devices whose declaration changed.
func (t *transaction) forgetProofs(old Document) {
	for _, device := range t.Proven.Keys() {
		before, after := old.Devices[device], t.Document.Devices[device]
		same := before.Driver == after.Driver && before.Address == after.Address && len(before.Options) == len(after.Options)
		for _, option := range sortedKeys(before.Options) {
			same = same && before.Options[option] == after.Options[option]
		}
		if !same {
			t.Proven.Delete(device)
		}
	}
}
