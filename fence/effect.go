package fence

import (
	"slices"
	"strings"
)

// Effect is what a device can prove about a machine. It follows from its driver.
type Effect string

// The effects.
const (
	// ByPower: the machine is off.
	ByPower Effect = "power"
	// ByStorage: the machine can write to certain disks no more. It may go on
	// running, reading, and answering on its addresses.
	ByStorage Effect = "storage"
	// ByWatchdog: its lease and then its watchdog ran out, so it was reset.
	ByWatchdog Effect = "watchdog"
	// ByPill: a message on a shared disk told it to reset itself, and the time in
	// which it must have done so is over.
	ByPill Effect = "pill"
)

// Effect of the device. What no schema knows is taken for a power switch.
func (d Device) Effect() Effect {
	for i := range schemas {
		if schemas[i].Driver == d.Driver {
			return schemas[i].Effect
		}
	}
	return ByPower
}

// Shared reports whether several nodes may name the device: a disk array and the
// disks for messages serve all of them, and "the watchdog" is each node's own. A
// BMC belongs to one machine.
func (d Device) Shared() bool { return d.Effect() != ByPower }

// ArmsWatchdog reports whether a node that is fenced by the device has its watchdog armed.
func (d Device) ArmsWatchdog() bool { return d.Effect() == ByWatchdog || d.Effect() == ByPill }

// Disks are the disks of a storage or pill device, as they are declared.
func (d Device) Disks() []string { return strings.Fields(d.Options[OptionDevices]) }

// EffectOf is what a level proves once all its devices have succeeded: the
// strongest effect among them, where storage is weakest, because it leaves the
// machine running. A level without a device proves nothing.
func EffectOf(devices []Device) Effect {
	for _, effect := range []Effect{ByPower, ByPill, ByWatchdog, ByStorage} {
		if slices.ContainsFunc(devices, func(d Device) bool { return d.Effect() == effect }) {
			return effect
		}
	}
	return ""
}

// BlockIdentity is the identity of a whole disk among the disks of a VM.
func BlockIdentity(disk string) string { return "block:" + disk }

// LiesOn reports whether a VM's disk is one of these whole disks, or a partition of
// one. Two names of one disk are two disks: what cannot be told is not covered.
func LiesOn(identity string, disks []string) bool {
	for _, disk := range disks {
		rest, found := strings.CutPrefix(identity, BlockIdentity(disk))
		if !found {
			continue
		}
		number, partition := strings.CutPrefix(rest, "-part")
		if rest == "" || (partition && number != "" && strings.Trim(number, "0123456789") == "") {
			return true
		}
	}
	return false
}
