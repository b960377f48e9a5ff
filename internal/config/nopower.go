package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
)

// noPowerAgents are fence agents that a device must not name, because their
// success does not say that a machine is off; the driver holds the same rule.
var noPowerAgents = map[string]string{
	"fence_sbd":             "leaves a message for the machine and reads back that very message as off",
	"fence_evacuate":        "moves instances and switches nothing",
	"fence_kdump":           "waits for a crash dump and switches nothing",
	"fence_heuristics_ping": "pings and switches nothing",
	"fence_ack_manual":      "is a person's word, and that needs no device: clusterd fence confirm NODE",
	"fence_scsi":            "cuts machines off their storage and leaves them running",
	"fence_mpath":           "cuts machines off their storage and leaves them running",
}

// insteadOf are the drivers of ours that do what such an agent did.
var insteadOf = map[string]struct{ driver, disk, remark string }{
	"fence_scsi": {fence.DriverStorage, "/dev/disk/by-id/wwn-0x...",
		"one such device serves all nodes, which register keys of clusterd's own; take the old keys off the disks"},
	"fence_mpath": {fence.DriverStorage, "/dev/disk/by-id/dm-uuid-mpath-3...",
		"one such device serves all nodes, which register keys of clusterd's own; take the old keys off the disks and " +
			"out of multipath.conf"},
	"fence_sbd": {fence.DriverPill, "/dev/disk/by-id/...",
		"clusterd watches the disk itself, so stop the service sbd on every node"},
}

// noPowerAgent says what an agent does instead of switching power, and which
// lines to write for that; "" for all other agents.
func noPowerAgent(agent, what string, options *yaml.Node) string {
	why := noPowerAgents[agent]
	instead, known := insteadOf[agent]
	if !known {
		return why
	}
	name := strings.TrimPrefix(what, "device ")
	return fmt.Sprintf("%s. Write instead: %s: {driver: %s, options: {devices: %q}}; %s", why, name, instead.driver,
		disksOf(options, instead.disk), instead.remark)
}

// disksOf are the disks that a declaration names already, where all of them have
// names that clusterd takes.
func disksOf(options *yaml.Node, otherwise string) string {
	for i := 0; i+1 < len(options.Content); i += 2 {
		if options.Content[i].Value != "devices" {
			continue
		}
		disks := strings.FieldsFunc(options.Content[i+1].Value, func(r rune) bool { return r == ',' || r == ' ' })
		for _, disk := range disks {
			if !stableDisk.MatchString(filepath.Clean(disk)) {
				return otherwise
			}
		}
		if len(disks) > 0 {
			return strings.Join(disks, " ")
		}
	}
	return otherwise
}
