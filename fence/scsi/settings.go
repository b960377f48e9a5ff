package scsi

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

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
	if err := device.Schema().Check(device.Options); err != nil {
		return fault("%w", err)
	}
	s := settings{name: device.Name, devices: device.Disks(), command: device.Options[fence.OptionCommand]}
	return s, nil
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
