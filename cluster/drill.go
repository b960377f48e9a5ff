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
	case t.Drill != nil && t.Drill.Node != n.Name:
		return fmt.Sprintf("a drill of %s is under way, one at a time", t.Drill.Node)
	case t.Drill != nil && t.Drill.Scheduled && t.brake(t.at) != "":
		return t.brake(t.at)
	case t.Fences.Len() > 0:
		return t.Fences.Keys()[0] + " is being fenced; a drill waits for that"
	}
	return ""
}

// drilled takes in what a drill showed, and closes its intent either way.
func (t *transaction) drilled(n Member, open Fence, c FenceDone) {
	levels := t.Document.Nodes[n.Name].Fence
	if open.Document != t.Config.Version || open.Level >= len(levels) {
		why := "the document changed during the drill, so it proved nothing about the devices that are declared now; repeat it"
		t.tell(Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By, Why: why})
		t.drillOff(n.Name, c.Result.Outcome == fence.Confirmed, why)
		return
	}
	devices := levels[open.Level].Devices
	evidence := strings.Join(c.Result.Evidence, "; ")
	if c.Result.Outcome != fence.Confirmed {
		for _, device := range devices {
			t.Proven.Delete(device)
		}
		t.tell(Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By, Why: fmt.Sprintf("the drill proved nothing: %s: %s", c.Result.Outcome, evidence)})
		t.drillOff(n.Name, false, fmt.Sprintf("%s: %s. A node that is still up takes services again after `systemctl restart clusterd` on it", c.Result.Outcome, evidence))
		return
	}
	for _, device := range devices {
		t.Proven.Set(device, Proof{Node: n.Name, Machine: n.Machine(), At: t.at, By: open.By})
	}
	t.tell(Event{Node: c.Fencer, Subject: n.Name, Cause: open.Index, By: open.By, Why: "the drill proved that the power of " + n.Name + " is cut by " + joined(devices)})
	t.drillOff(n.Name, true, "")
}

// drillOff takes the half that proves something into the drill it belongs to.
// What proved nothing is said at the end, after the machine is back.
func (t *transaction) drillOff(node string, off bool, why string) {
	if t.Drill == nil || t.Drill.Node != node {
		return
	}
	if !off {
		t.endDrill(false, why)
		return
	}
	t.drillPhase(DrillOn, "off confirmed")
	t.Drill.Why = why
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
