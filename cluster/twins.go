package cluster

import (
	"fmt"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

// TwinDevices finds two power devices of different nodes that are one and the same by
// their declaration: the second one's name and a sentence, or nothing. Shooting the one
// node by it would confirm the other one off (law L3).
func (d Document) TwinDevices() (device, why string) {
	type declared struct {
		node   string
		device fence.Device
	}
	seen := map[string][]declared{}
	for _, node := range sortedKeys(d.Nodes) {
		for _, level := range d.Nodes[node].Fence {
			for _, name := range level.Devices {
				one := d.Devices[name]
				where := one.Endpoint()
				if where == "" {
					continue
				}
				for _, other := range seen[where] {
					if other.node != node && other.device.Name != name && !fence.ToldApart(one, other.device) {
						return name, fmt.Sprintf("device %s of node %s has the address %s, and so has device %s of node %s: "+
							"one of the two machines would be shot for the other; correct the address, or name the plug or "+
							"system of each in its options", name, node, one.Address, other.device.Name, other.node)
					}
				}
				seen[where] = append(seen[where], declared{node, one})
			}
		}
	}
	return "", ""
}

// Claimed says what else a node's hardware UUID could stand for: another member that
// joined with it, or a board of another node that tells it. Then it identifies nobody, and
// only a drill shows which machine a board switches. "" where nobody else claims it.
func (s *State) Claimed(node string) string {
	n, known := s.Nodes.Get(node)
	if !known || fence.NamesNoMachine(n.HardwareUUID) {
		return ""
	}
	for _, name := range s.Nodes.Keys() {
		if name == node {
			continue
		}
		other, _ := s.Nodes.Get(name)
		if strings.EqualFold(other.HardwareUUID, n.HardwareUUID) {
			return "node " + name + " has joined with it too"
		}
		if device := s.boardTelling(n, other); device != "" {
			return fmt.Sprintf("device %s of node %s tells it too", device, name)
		}
	}
	return ""
}

// boardTelling is a power device of another node that tells a node's hardware UUID.
func (s *State) boardTelling(n, other Member) string {
	for _, level := range s.Document.Nodes[other.Name].Fence {
		for _, name := range level.Devices {
			check, asked := s.Checks.Get(name)
			if !asked || check.Identity == "" || strings.EqualFold(check.Identity, other.HardwareUUID) {
				continue
			}
			if !s.Document.Devices[name].Shared() && fence.SamePlatform(check.Identity, n.HardwareUUID) {
				return name
			}
		}
	}
	return ""
}

// mistakable says why the word of a device by its board's UUID alone proves nothing.
func (s *State) mistakable(open Fence, device fence.Device) string {
	if open.Drill || device.Driver == "agent" || s.ProvenFor(device.Name, open.Node) {
		return ""
	}
	if claimed := s.Claimed(open.Node); claimed != "" {
		return fmt.Sprintf("the hardware UUID of %s identifies nobody (%s), and no drill has verified that %s is its own; "+
			"run the fence drill for %s", open.Node, claimed, device.Name, open.Node)
	}
	return ""
}
