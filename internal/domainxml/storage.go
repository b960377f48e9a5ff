package domainxml

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/clusterd/clusterd/resources"
)

// folderXML is a folder of the host that the VM shares.
type folderXML struct {
	Source struct {
		Dir    string `xml:"dir,attr"`
		File   string `xml:"file,attr"`
		Dev    string `xml:"dev,attr"`
		Socket string `xml:"socket,attr"`
	} `xml:"source"`
	ReadOnly *struct{} `xml:"readonly"`
}

// where is what of the host it is.
func (f folderXML) where() string {
	return cmp.Or(f.Source.Dir, f.Source.File, f.Source.Dev, f.Source.Socket)
}

// disk is the folder as something that the VM writes to. Many VMs may have one folder, on purpose,
// so it is a shared disk; what is under no storage device is cut off with none.
func (f folderXML) disk() resources.Disk {
	kind := "virtiofs:"
	switch {
	case f.Source.Dir != "":
		kind = "dir:"
	case f.Source.File != "":
		kind = "file:"
	case f.Source.Dev != "":
		kind = "block:"
	case f.Source.Socket == "":
		return resources.Disk{}
	}
	return resources.Disk{Identity: kind + f.where(), Shared: true, ReadOnly: f.ReadOnly != nil}
}

// storage reports whether the device is storage that is handed over as it is.
func (h hostDeviceXML) storage() bool { return h.Type == "scsi" || h.Type == "scsi_host" }

// disk is such a device as a disk of the VM, or what is wrong with it. agents/vm names those of a
// VM that it finds running alike: the two are compared.
func (h hostDeviceXML) disk() (disk resources.Disk, problem string) {
	disk = resources.Disk{Shared: h.Shareable != nil, ReadOnly: h.ReadOnly != nil}
	switch {
	case h.Type == "scsi_host":
		disk.Identity, problem = named("vhost-scsi:", h.Source.WWPN)
	case h.Source.Protocol != "":
		disk.Identity, problem = h.Source.networkIdentity()
	case h.Source.Adapter.Name == "":
		problem = "whose <source> lacks the <adapter>"
	default:
		place, ok := h.Source.Address.scsi()
		if !ok {
			return disk, "whose <address> is none"
		}
		disk.Identity = "scsi:" + h.Source.Adapter.Name + "/" + place
	}
	return disk, problem
}

// scsi is the address of a unit behind an adapter.
func (a pciXML) scsi() (string, bool) {
	var parts [3]uint64
	for i, text := range []string{a.Bus, a.Target, a.Unit} {
		number, err := strconv.ParseUint(text, 0, 64)
		if err != nil && text != "" {
			return "", false
		}
		parts[i] = number
	}
	return fmt.Sprintf("%d:%d:%d", parts[0], parts[1], parts[2]), true
}

// handed are the disks of a VM that are none in its XML: storage devices of the host, and folders.
func (d domainXML) handed(complain func(string, ...any)) []resources.Disk {
	var disks []resources.Disk
	for _, device := range d.Devices.HostDevices {
		if !device.storage() {
			continue
		}
		disk, problem := device.disk()
		if problem != "" {
			complain("has a host device (%s) %s", device.name(), problem)
			continue
		}
		disks = append(disks, disk)
	}
	for _, folder := range d.Devices.FileSystems {
		if disk := folder.disk(); disk.Identity != "" {
			disks = append(disks, disk)
		}
	}
	return disks
}
