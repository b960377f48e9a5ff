package report

import (
	"fmt"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/api"
)

// Unprotected says why a node could not be fenced; empty when it could.
func Unprotected(root *cluster.State, node string) string {
	levels := root.Document.Nodes[node].Fence
	if len(levels) == 0 {
		return "no fence device is configured for " + node
	}
	// What a device answers counts for less than that it has just not done it.
	if open, fencing := root.Fences.Get(node); fencing && open.TriedTotal > 0 {
		return fmt.Sprintf("%d attempts to fence %s have proven nothing, the last one: %s",
			open.TriedTotal, node, cluster.Briefly(open.LastWhy))
	}
	for _, level := range levels {
		usable := len(level.Devices) > 0
		for _, device := range level.Devices {
			check, asked := root.Checks.Get(device)
			usable = usable && asked && Distrust(root, node, device, check) == ""
		}
		if usable {
			return ""
		}
	}
	device := levels[0].Devices[0]
	if check, asked := root.Checks.Get(device); asked {
		return "fence device " + device + ": " + Distrust(root, node, device, check)
	}
	return "fence device " + device + " has not been checked yet"
}

// Distrust says why a device's last answer is not enough to fence the node
// with: it had a problem, or it is not known to be this machine's (law L3).
func Distrust(root *cluster.State, node, device string, check cluster.DeviceCheck) string {
	n, _ := root.Nodes.Get(node)
	declared := root.Document.Devices[device]
	switch {
	case check.Problem != "":
		return check.Problem
	case declared.Effect() != fence.ByPower:
		return rules.Unguarded(root, node)
	case declared.Assumes():
		return ""
	case check.Identity != "" && !fence.SamePlatform(check.Identity, n.HardwareUUID) &&
		!fence.SamePlatform(check.Identity, declared.Options[fence.OptionIdentity]):
		// Whatever a drill has shown: another board may hang there by now, and the
		// driver sends nothing to it.
		return "it tells the hardware UUID " + check.Identity + ", and " + node + " has " + n.HardwareUUID +
			": it belongs to another machine; check its address, or, if this board tells a UUID of its own, set option " +
			"identity to that and run the drill: clusterd fence test " + node
	case root.ProvenFor(device, node):
		return ""
	case check.Identity == "":
		return "it does not tell whose it is, so its off would prove nothing before a drill: clusterd fence test " + node
	case !fence.SamePlatform(check.Identity, n.HardwareUUID):
		return "it tells the identity declared for it and not the hardware UUID of " + node +
			", so its off would prove nothing before a drill: clusterd fence test " + node
	}
	if claimed := root.Claimed(node); !claimed.IsZero() {
		return "it tells the hardware UUID of " + node + ", but " + claimed.String() +
			", so its off would prove nothing before a drill: clusterd fence test " + node
	}
	return ""
}

// FenceAnswers are what each device last answered each node that could be asked.
type FenceAnswers map[string]map[string]api.FenceCheck

// FenceNode is how a node could be fenced, and how it was.
func FenceNode(root *cluster.State, name string, asked FenceAnswers) api.FenceNode {
	n, _ := root.Nodes.Get(name)
	node := api.FenceNode{Node: name, State: string(n.State), Why: n.Why, Unprotected: Unprotected(root, name),
		HardwareUUID: n.HardwareUUID, Devices: []api.FenceDevice{}}
	if open, fencing := root.Fences.Get(name); fencing {
		node.State, node.Open = "fencing", &open
	}
	for i := len(root.FenceHistory) - 1; i >= 0 && node.LastUse == nil; i-- {
		if root.FenceHistory[i].Node == name {
			node.LastUse = &root.FenceHistory[i]
		}
	}
	if last, drilled := root.Drilled.Get(name); drilled {
		node.LastDrill = &last
	}
	for level, devices := range root.Document.Nodes[name].Fence {
		for _, device := range devices.Devices {
			node.Devices = append(node.Devices, fenceDevice(root, name, device, level, asked))
		}
	}
	return node
}

func fenceDevice(root *cluster.State, node, name string, level int, asked FenceAnswers) api.FenceDevice {
	declared := root.Document.Devices[name]
	check, known := root.Checks.Get(name)
	device := api.FenceDevice{Name: name, Level: level, Driver: declared.Driver, Address: declared.Address,
		Power: string(check.Power), Checked: check.At, By: check.By}
	if known {
		device.Problem = Distrust(root, node, name, check)
	}
	if proof, found := root.Proven.Get(name); found && root.ProvenFor(name, node) {
		device.Proven = proof.At
	}
	for _, by := range root.Nodes.Keys() {
		if by == node && !declared.Shared() && root.Nodes.Len() > 1 {
			continue // a node does not fence itself
		}
		line, answered := asked[by][name]
		if r, told := root.ReachOfNode(name, by); told && !answered {
			line = api.FenceCheck{By: by, Power: string(r.Power), Problem: r.Problem, OldLogin: r.OldLogin, Changed: r.At}
		} else if !answered {
			continue
		} else if told {
			line.Changed = r.At
		}
		if device.Checks = append(device.Checks, line); line.Asked.After(device.Checked) {
			device.Checked, device.By = line.Asked, by
		}
	}
	return device
}
