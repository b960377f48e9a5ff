package config

import (
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
)

// insteadOf is what to write for the disks of an agent that switches no power, and what else to
// think of.
var insteadOf = map[string]struct{ disk, remark string }{
	"fence_scsi": {"/dev/disk/by-id/wwn-0x...",
		"one such device serves all nodes, which register keys of clusterd's own; take the old keys off the disks"},
	"fence_mpath": {"/dev/disk/by-id/dm-uuid-mpath-3...",
		"one such device serves all nodes, which register keys of clusterd's own; take the old keys off the disks and " +
			"out of multipath.conf"},
	"fence_sbd": {"/dev/disk/by-id/...", "clusterd watches the disk itself, so stop the service sbd on every node"},
}

// insteadOfAgent says what an agent does instead of switching power, and which lines to write for
// that; "" where there are none.
func insteadOfAgent(agent, what string, options *yaml.Node) string {
	base := filepath.Base(agent)
	does, driver := fence.NoPower(base)
	if driver == "" {
		return ""
	}
	name, instead := strings.TrimPrefix(what, "device "), insteadOf[base]
	return fmt.Sprintf("%s. Write instead: %s: {driver: %s, options: {devices: %q}}; %s", does, name, driver,
		disksOf(options, instead.disk), instead.remark)
}

// disksOf are the disks that a declaration names already, where all of them have
// names that clusterd takes.
func disksOf(options *yaml.Node, otherwise string) string {
	for i := 0; i+1 < len(options.Content); i += 2 {
		if options.Content[i].Value != fence.OptionDevices {
			continue
		}
		disks := strings.FieldsFunc(options.Content[i+1].Value, func(r rune) bool { return r == ',' || r == ' ' })
		for _, disk := range disks {
			if !fence.IsWholeDisk(filepath.Clean(disk)) {
				return otherwise
			}
		}
		if len(disks) > 0 {
			return strings.Join(disks, " ")
		}
	}
	return otherwise
}
