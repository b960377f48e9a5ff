package scsi

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

// The options of a device.
const (
	// optionDevices names the disks, separated by spaces.
	optionDevices = "devices"
	// optionCommand names a program that speaks the helper's protocol, for
	// initiators that live outside the kernel.
	optionCommand = "command"
)

// maxDevices bounds the disks of one fence device.
const maxDevices = 64

// byID is where udev keeps the stable names.
const byID = "/dev/disk/by-id/"

// stableName are the names that say which disk it is and not where it hangs.
// The SCSI ones carry the disk's own designator, which is compared with what
// the disk tells.
var stableName = regexp.MustCompile(
	`^(wwn-0x[0-9a-f]{16,32}|scsi-3[0-9a-f]{16,32}|dm-uuid-mpath-3[0-9a-f]{16,32}|nvme-(eui|nguid|uuid)\.[0-9a-f-]{16,36})$`)

// settings is a device, understood.
type settings struct {
	name    string
	devices []string
	// command is empty for disks of this kernel.
	command string
}

func parseSettings(device fence.Device) (settings, error) {
	fault := func(format string, args ...any) (settings, error) {
		return settings{}, fmt.Errorf("fence device %s: "+format, append([]any{device.Name}, args...)...)
	}
	if device.Driver != Kind {
		return fault("driver %q: %w (%s)", device.Driver, ErrKind, Kind)
	}
	if device.Address != "" || device.Username != "" || device.Password != "" {
		return fault("reservations have no address, username or password; leave them out")
	}
	for option := range device.Options {
		if option != optionDevices && option != optionCommand {
			return fault("there is no option %q; there are %s and %s", option, optionCommand, optionDevices)
		}
	}
	s := settings{name: device.Name, devices: strings.Fields(device.Options[optionDevices]),
		command: device.Options[optionCommand]}
	if len(s.devices) == 0 || len(s.devices) > maxDevices {
		return fault("option %s names %d disks; name 1 to %d, separated by spaces", optionDevices, len(s.devices), maxDevices)
	}
	if s.command != "" && (!filepath.IsAbs(s.command) || filepath.Clean(s.command) != s.command) {
		return fault("option %s is %q; write an absolute path", optionCommand, s.command)
	}
	sorted := slices.Sorted(slices.Values(s.devices))
	if len(slices.Compact(sorted)) != len(s.devices) {
		return fault("option %s names a disk twice", optionDevices)
	}
	for _, path := range s.devices {
		if s.command == "" && !isStable(path) {
			return fault("%q is no stable name of a whole disk; write %swwn-0x..., scsi-3..., dm-uuid-mpath-3... or "+
				"nvme-eui....", path, byID)
		}
	}
	return s, nil
}

func isStable(path string) bool {
	name, found := strings.CutPrefix(path, byID)
	return found && stableName.MatchString(name)
}

// designatorIn returns the disk's own designator in a stable name, in hex, and
// false where the name carries none that a SCSI disk tells.
func designatorIn(path string) (string, bool) {
	name := filepath.Base(path)
	for _, prefix := range []string{"wwn-0x", "scsi-3", "dm-uuid-mpath-3"} {
		if digits, found := strings.CutPrefix(name, prefix); found {
			return digits, true
		}
	}
	return "", false
}
