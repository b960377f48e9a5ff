package resources

import (
	"slices"
	"strings"
)

// TreeDisks are the disks that the resources of a service write to, by the
// identities that disks of VMs have too, so that no file system is mounted on
// one node while a VM writes to its device on another (law L9).
func TreeDisks(tree []Resource) []Disk {
	var disks []Disk
	for _, p := range StartOrder(tree) {
		disk, writes := diskOf(p.Resource)
		if writes && !slices.ContainsFunc(disks, func(d Disk) bool { return d.Identity == disk.Identity }) {
			disks = append(disks, disk)
		}
	}
	slices.SortFunc(disks, func(a, b Disk) int { return strings.Compare(a.Identity, b.Identity) })
	return disks
}

func diskOf(r Resource) (Disk, bool) {
	options := strings.Split(r.Parameters["options"], ",")
	device := r.Parameters["device"]
	switch kin(r) {
	case "fs", "clusterfs":
		bind := slices.Contains(options, "bind") || slices.Contains(options, "rbind")
		if device == "" || bind || memoryFileSystems[r.Parameters["fstype"]] {
			return Disk{}, false
		}
		return Disk{Identity: deviceIdentity(device), Shared: kin(r) == "clusterfs",
			ReadOnly: slices.Contains(options, "ro")}, true
	case "lvm":
		group, volume := r.Parameters["vgname"]+r.Parameters["vg_name"]+r.Parameters["volgrpname"],
			r.Parameters["lvname"]+r.Parameters["lv_name"]
		if group == "" {
			return Disk{}, false
		}
		identity := "lvm:" + group
		if volume != "" {
			identity += "/" + volume
		}
		return Disk{Identity: identity, Shared: r.Parameters["activation_mode"] == "shared"}, true
	}
	return Disk{}, false
}

// memoryFileSystems have no device.
var memoryFileSystems = map[string]bool{"tmpfs": true, "ramfs": true, "none": true, "overlay": true}

// deviceIdentity calls a device as the disks of VMs are called. What mount
// finds by label or UUID keeps that name.
func deviceIdentity(device string) string {
	if strings.HasPrefix(device, "/") && !strings.HasPrefix(device, "/dev/") {
		return "file:" + device // an image that is mounted by a loop device
	}
	return "block:" + device
}
