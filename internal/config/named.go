package config

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
	var list []Named
	seen := map[Named]bool{}
	add := func(kind, name string) {
		name = strings.TrimSpace(name)
		if n := (Named{kind, name}); name != "" && !seen[n] && len(list) < mostNamed && (kind != "path" || name[0] == '/') {
			seen[n] = true
			list = append(list, n)
		}
	}
	for _, path := range append([]string{found.OS.Loader, found.OS.Kernel, found.OS.Initrd, found.OS.DTB,
		found.Devices.Emulator}, found.OS.ACPI...) {
		add("path", path)
	}
	for _, disk := range found.Devices.Disks {
		if s := disk.Source; s != nil {
			add("path", s.File)
			add("path", s.Block)
			add("path", s.Dir)
			add("path", s.Path)
			add("pool", s.Pool)
			if address, ok := s.Address.String(); ok {
				add("pci", address)
			}
		}
	}
	for _, device := range found.Devices.HostDevices {
		if address, ok := device.Source.Address.String(); ok && device.Type == "pci" {
			add("pci", address)
		}
	}
	for _, shared := range found.Devices.FileSystems {
		add("path", shared.Source.Dir)
	}
	for _, i := range found.Devices.Interfaces {
		add("interface", i.Source.Bridge)
		add("network", i.Source.Network)
		if i.Type == "direct" {
			add("interface", i.Source.Device)
		}
		if address, ok := i.Source.Address.String(); ok && i.Type == "hostdev" {
			add("pci", address)
		}
	}
	for _, tpm := range found.Devices.TPMs {
		add("path", tpm.Device.Path)
	}
	for _, c := range append(found.Devices.Serial, found.Devices.Parallel...) {
		if c.Type == "dev" {
			add("path", c.Source.Path)
		}
	}
	return list
}
