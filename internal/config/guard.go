package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// stableDisk are the names that say which disk it is and not where it hangs; the
// driver for reservations holds the same rule again.
var stableDisk = regexp.MustCompile(
	`^/dev/disk/by-id/(wwn-0x[0-9a-f]{16,32}|scsi-3[0-9a-f]{16,32}|dm-uuid-mpath-3[0-9a-f]{16,32}|nvme-(eui|nguid|uuid)\.[0-9a-f-]{16,36})$`)

const mostArrayDisks = 64

func arrayDisks(value string) error {
	disks := strings.Fields(value)
	if len(disks) == 0 || len(disks) > mostArrayDisks {
		return fmt.Errorf("names %d disks; name 1 to %d, separated by spaces", len(disks), mostArrayDisks)
	}
	return distinct(disks)
}

func pillDisks(value string) error {
	disks := strings.Fields(value)
	if len(disks) != 1 && len(disks) != 3 {
		return fmt.Errorf("names %d disks; name one or three, separated by spaces", len(disks))
	}
	for _, disk := range disks {
		if !strings.HasPrefix(disk, "/dev/disk/by-id/") || strings.Contains(disk, "..") {
			return fmt.Errorf("has %q, which is no stable name; write /dev/disk/by-id/...", brief(disk))
		}
	}
	return distinct(disks)
}

func distinct(disks []string) error {
	sorted := slices.Sorted(slices.Values(disks))
	if len(slices.Compact(sorted)) != len(disks) {
		return fmt.Errorf("names a disk twice")
	}
	return nil
}

func absolutePath(value string) error {
	if !filepath.IsAbs(value) || filepath.Clean(value) != value {
		return fmt.Errorf("is %q; write an absolute path", brief(value))
	}
	return nil
}

// checkNoPower holds what is peculiar to devices that switch no power.
func (p *parser) checkNoPower(d fence.Device, what string, value *yaml.Node) {
	if !d.Shared() {
		return
	}
	for i := 0; i+1 < len(value.Content); i += 2 {
		if key := value.Content[i]; key.Value != "driver" && key.Value != "options" {
			p.fault(key, "%s has %s; a device of driver %s is reached through this host's own kernel, leave it out", what,
				key.Value, d.Driver)
		}
	}
	if d.Driver != fence.DriverWatchdog && d.Options[fence.OptionDevices] == "" {
		p.fault(value, "%s has no option devices; name its disks, for example options: {devices: "+
			"/dev/disk/by-id/wwn-0x...}", what)
	}
	if d.Driver == fence.DriverStorage && d.Options["command"] == "" {
		for _, disk := range d.Disks() {
			if !stableDisk.MatchString(disk) {
				p.fault(value, "%s names %q, which is no stable name of a whole disk; write /dev/disk/by-id/wwn-0x..., "+
					"scsi-3..., dm-uuid-mpath-3... or nvme-eui....", what, brief(disk))
			}
		}
	}
}

// checkGuards holds the order of times that law L6 needs, suspect < hand-over <
// lease < watchdog, and that a node has one watchdog.
func (p *parser) checkGuards() {
	timing := cluster.TimingFor(p.document.Timing)
	for _, name := range sortedNames(p.document.Devices) {
		d := p.document.Devices[name]
		if d.Driver != fence.DriverWatchdog && d.Driver != fence.DriverPill {
			continue
		}
		at := p.places.deviceOptions[name]
		settings, err := d.Settings()
		switch {
		case err != nil:
			p.fault(at, "device %s: %v", name, err)
		case d.Driver == fence.DriverWatchdog && settings.Lease <= timing.HandOver:
			p.fault(at, "device %s: a lease of %s is not longer than the %s that another leader may need with timing %s; "+
				"every change of the leader would reset nodes", name, settings.Lease, timing.HandOver, profile(p.document.Timing))
		}
	}
	for _, node := range sortedNames(p.document.Nodes) {
		p.checkWatchdogs(node)
		if p.document.TwoNode != nil && fence.WantedBy(p.document.Nodes[node].Fence, p.document.Devices).Settings.Lease > 0 {
			p.fault(p.places.nodes[node], "node %s has a watchdog with a lease, and of two nodes that have lost each other "+
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
			if d.Driver != fence.DriverWatchdog && d.Driver != fence.DriverPill {
				continue
			}
			settings, err := d.Settings()
			settings.Lease = 0
			switch {
			case err != nil:
			case first == "":
				first, armed = name, settings
			case settings != armed:
				p.fault(p.places.nodes[node], "node %s: devices %s and %s arm its watchdog differently (%s after %s, %s after "+
					"%s); a node has one watchdog with one timeout", node, first, name, armed.Device, armed.Timeout, settings.Device,
					settings.Timeout)
			}
		}
	}
}
