package daemon

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/scsi"
)

// keysLeftBehind tells how the keys of a node that was removed are taken off the
// disks; "" where it can have none. A person does it: a machine of the same name
// may join and register at any time, and only a person knows that the old one is
// off or wiped. by is a node that is registered.
func keysLeftBehind(root *cluster.State, clusterID, by, removed string) string {
	var disks []string
	for _, name := range sortedNames(root.Document.Devices) {
		if device := root.Document.Devices[name]; device.Nature() == fence.ByStorage && device.Options["command"] == "" {
			disks = append(disks, device.Disks()...)
		}
	}
	slices.Sort(disks)
	disks = slices.Compact(disks)
	if len(disks) == 0 || by == removed {
		return ""
	}
	var text strings.Builder
	fmt.Fprintf(&text, "Its reservation key may still be on the disks, and then the checks of them fail. When the "+
		"machine is off or wiped, type on %s:", by)
	for _, disk := range disks {
		fmt.Fprintf(&text, "\n  sg_persist --out --preempt-abort --prout-type=5 --param-rk=%s --param-sark=%s %s",
			scsi.KeyOf(clusterID, by), scsi.KeyOf(clusterID, removed), disk)
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
