package fence

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// noPower are fence agents whose success does not say that a machine is off, although their
// metadata does not tell so: what each does instead.
var noPower = map[string]string{
	"fence_sbd":             "leaves a message for the machine and reads back that very message as off",
	"fence_evacuate":        "moves instances and switches nothing",
	"fence_kdump":           "waits for a crash dump and switches nothing",
	"fence_heuristics_ping": "pings and switches nothing",
	"fence_ack_manual":      "is a person's word, and that needs no device: clusterd fence confirm NODE",
	"fence_scsi":            "cuts machines off their storage and leaves them running",
	"fence_mpath":           "cuts machines off their storage and leaves them running",
}

// insteadOf are the drivers that do what such an agent did.
var insteadOf = map[string]string{"fence_scsi": DriverStorage, "fence_mpath": DriverStorage, "fence_sbd": DriverPill}

// NoPower says what an agent does instead of switching power, and by which driver a device is
// declared for that; "" for what switches power, and for a driver that there is not.
func NoPower(agent string) (does, driver string) {
	name := path.Base(agent)
	return noPower[name], insteadOf[name]
}

// agentName holds the name of an agent's program, or its absolute path.
func agentName(value string) error {
	base := path.Base(value)
	switch does, driver := NoPower(base); {
	case value == "":
		return errors.New("is empty; name the program, for example agent: fence_apc_snmp")
	case driver != "":
		return fmt.Errorf("is %s, which %s; write the device with driver: %s and its disks", base, does, driver)
	case does != "":
		return fmt.Errorf("is %s, which %s", base, does)
	case !strings.HasPrefix(base, "fence_") || (base != value && !path.IsAbs(value)):
		return fmt.Errorf("is %q; write the name of a fence agent (fence_...) or its absolute path", shortened(value))
	}
	return nil
}

// Passable says what the fence agents' protocol would do to a value on its way; "" where the
// value arrives as it is written. Lines are stripped, and one pair of quotes is taken off.
func Passable(value string) string {
	switch {
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "has a control character, which the agents' protocol cannot carry"
	case strings.TrimSpace(value) != value:
		return "begins or ends with a space, which the agents' protocol takes away; choose another"
	case len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`):
		return "stands in double quotes, which the agents' protocol takes away; choose another"
	}
	return ""
}
