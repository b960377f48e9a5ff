package domainxml

import (
	"encoding/xml"
	"strings"
)

// Named is something of its host that a VM's definition names, and without which the VM does not
// start.
type Named struct {
	// Kind is "path", "interface", "pci", "network" or "pool".
	Kind, Name string
}

// mostNamed bounds what is read of one definition.
const mostNamed = 512

// namedXML are the parts of a domain's XML that name things of the host.
type namedXML struct {
	XMLName xml.Name `xml:"domain"`
	OS      struct {
		Loader string   `xml:"loader"`
		Kernel string   `xml:"kernel"`
		Initrd string   `xml:"initrd"`
		DTB    string   `xml:"dtb"`
		ACPI   []string `xml:"acpi>table"`
	} `xml:"os"`
	Devices struct {
		Emulator    string          `xml:"emulator"`
		Disks       []diskXML       `xml:"disk"`
		HostDevices []hostDeviceXML `xml:"hostdev"`
		FileSystems []struct {
			Source struct {
				Dir string `xml:"dir,attr"`
			} `xml:"source"`
		} `xml:"filesystem"`
		Interfaces []struct {
			Type   string `xml:"type,attr"`
			Source struct {
				Bridge  string `xml:"bridge,attr"`
				Network string `xml:"network,attr"`
				Device  string `xml:"dev,attr"`
				Address pciXML `xml:"address"`
			} `xml:"source"`
		} `xml:"interface"`
		TPMs []struct {
			Device struct {
				Path string `xml:"path,attr"`
			} `xml:"backend>device"`
		} `xml:"tpm"`
		Serial   []chardevXML `xml:"serial"`
		Parallel []chardevXML `xml:"parallel"`
	} `xml:"devices"`
}

type chardevXML struct {
	Type   string `xml:"type,attr"`
	Source struct {
		Path string `xml:"path,attr"`
	} `xml:"source"`
}

// NamesOf lists what a libvirt domain XML names of its host. The file of the firmware's
// variables is not among it: libvirt makes one where there is none.
func NamesOf(text string) []Named {
	var found namedXML
	if xml.NewDecoder(strings.NewReader(text)).Decode(&found) != nil {
		return nil
	}
	gathered := names{seen: map[Named]bool{}}
	gathered.ofSystem(found)
	gathered.ofStorage(found)
	gathered.ofInterfaces(found)
	gathered.ofOthers(found)
	return gathered.list
}

// names gathers each name once, in the order in which they are found.
type names struct {
	list []Named
	seen map[Named]bool
}

func (n *names) add(kind, name string) {
	one := Named{kind, strings.TrimSpace(name)}
	if one.Name == "" || n.seen[one] || len(n.list) >= mostNamed || kind == "path" && one.Name[0] != '/' {
		return
	}
	n.seen[one] = true
	n.list = append(n.list, one)
}

func (n *names) addPCI(address pciXML) {
	if text, ok := address.String(); ok {
		n.add("pci", text)
	}
}

func (n *names) ofSystem(found namedXML) {
	for _, path := range append([]string{found.OS.Loader, found.OS.Kernel, found.OS.Initrd, found.OS.DTB,
		found.Devices.Emulator}, found.OS.ACPI...) {
		n.add("path", path)
	}
}

func (n *names) ofStorage(found namedXML) {
	for _, disk := range found.Devices.Disks {
		if s := disk.Source; s != nil {
			n.add("path", s.File)
			n.add("path", s.Block)
			n.add("path", s.Dir)
			n.add("path", s.Path)
			n.add("pool", s.Pool)
			n.addPCI(s.Address)
		}
	}
	for _, device := range found.Devices.HostDevices {
		if device.Type == "pci" {
			n.addPCI(device.Source.Address)
		}
	}
	for _, shared := range found.Devices.FileSystems {
		n.add("path", shared.Source.Dir)
	}
}

func (n *names) ofInterfaces(found namedXML) {
	for _, i := range found.Devices.Interfaces {
		n.add("interface", i.Source.Bridge)
		n.add("network", i.Source.Network)
		if i.Type == "direct" {
			n.add("interface", i.Source.Device)
		}
		if i.Type == "hostdev" {
			n.addPCI(i.Source.Address)
		}
	}
}

func (n *names) ofOthers(found namedXML) {
	for _, tpm := range found.Devices.TPMs {
		n.add("path", tpm.Device.Path)
	}
	for _, c := range append(found.Devices.Serial, found.Devices.Parallel...) {
		if c.Type == "dev" {
			n.add("path", c.Source.Path)
		}
	}
}
