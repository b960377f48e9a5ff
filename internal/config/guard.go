package config

import (
	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// checkNoPower holds what is peculiar to devices that switch no power.
func (p *parser) checkNoPower(d fence.Device, what string, value *yaml.Node) {
	if !d.Shared() {
		return
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		if key := value.Content[i]; key.Value != "driver" && key.Value != "options" {
			p.Fault(key, "%s has %s; a device of driver %s is reached through this host's own kernel, leave it out", what,
				key.Value, d.Driver)
		}
	}
}

// checkGuards holds the order of times that law L6 needs, suspect < hand-over <
// lease < watchdog, and that a node has one watchdog.
func (p *parser) checkGuards() {
	timing := cluster.TimingFor(p.document.Timing)
	for _, name := range sortedNames(p.document.Devices) {
		d := p.document.Devices[name]
		if !d.ArmsWatchdog() || d.Schema().Check(d.Options) != nil {
			continue
		}
		at := p.places.deviceOptions[name]
		settings, err := d.Settings()
		switch {
		case err != nil:
			p.Fault(at, "device %s: %v", name, err)
		case d.Effect() == fence.ByWatchdog && settings.Lease <= timing.HandOver:
			p.Fault(at, "device %s: a lease of %s is not longer than the %s that another leader may need with timing %s; "+
				"every change of the leader would reset nodes", name, settings.Lease, timing.HandOver, profile(p.document.Timing))
		}
	}
	for _, node := range sortedNames(p.document.Nodes) {
		p.checkWatchdogs(node)
		if p.document.TwoNode != nil && fence.WantedBy(p.document.Nodes[node].Fence, p.document.Devices).Settings.Lease > 0 {
			p.Fault(p.places.nodes[node], "node %s has a watchdog with a lease, and of two nodes that have lost each other "+
				"neither gets one: both would be reset; use a BMC with two_node, or a witness and no two_node", node)
		}
	}
}

// checkWatchdogs refuses two devices of one node that would arm its watchdog
// otherwise than each other.
func (p *parser) checkWatchdogs(node string) {
	var first string
	var armed fence.Settings
	for _, level := range p.document.Nodes[node].Fence {
		for _, name := range level.Devices {
			d := p.document.Devices[name]
			if !d.ArmsWatchdog() {
				continue
			}
			settings, err := d.Settings()
			settings.Lease = 0
			switch {
			case err != nil:
			case first == "":
				first, armed = name, settings
			case settings != armed:
				p.Fault(p.places.nodes[node], "node %s: devices %s and %s arm its watchdog differently (%s after %s, %s after "+
					"%s); a node has one watchdog with one timeout", node, first, name, armed.Device, armed.Timeout, settings.Device,
					settings.Timeout)
			}
		}
	}
}
