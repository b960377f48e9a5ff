package fencing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// KeysLeft tells how the reservation keys of a removed node are taken off the disks; "" where it
// can have none.
func (d *Desk) KeysLeft(root *cluster.State, removed string) string {
	return keysLeftBehind(root, d.Drivers, storageHand(root, d.Node, removed), removed)
}

// keysLeftBehind tells how the keys of a node that was removed are taken off the
// disks; "" where it can have none. A person does it: a machine of the same name
// may join and register at any time, and only a person knows that the old one is
// off or wiped. by is a node that is registered.
func keysLeftBehind(root *cluster.State, drivers map[string]fence.Driver, by, removed string) string {
	var commands []string
	for _, name := range slices.Sorted(maps.Keys(root.Document.Devices)) {
		device := root.Document.Devices[name]
		if storage, able := drivers[device.Driver].(fence.Registrar); able {
			commands = append(commands, storage.Removal(device, by, removed)...)
		}
	}
	slices.Sort(commands)
	commands = slices.Compact(commands)
	if len(commands) == 0 || by == removed {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Its reservation key may still be on the disks, and then the checks of them fail. When the "+
		"machine is off or wiped, type on %s:", by)
	for _, command := range commands {
		text.WriteString("\n  " + command)
	}
	return text.String()
}

// storageHand is a node that is registered with the disks: this one where it may
// be, else the first other. A witness registers with none.
func storageHand(root *cluster.State, self, removed string) string {
	for _, name := range append([]string{self}, root.Nodes.Keys()...) {
		if n, known := root.Nodes.Get(name); known && name != removed && !n.Witness {
			return name
		}
	}
	return removed
}
