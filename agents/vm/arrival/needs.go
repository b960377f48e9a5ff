// Package arrival says whether this host can take a VM live: it reads from the VM's definition what
// it requires, and looks whether all of that is here. It reports everything that stands in the way
// at once, each with what to do about it, and changes nothing.
//
// What only the hypervisor knows - machine types, processors, its networks and pools - is asked for
// by package vm.
package arrival

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// Needs are what a VM needs of the host that takes it.
type Needs struct {
	Title, UUID string
	// Type ("kvm", "qemu"), Arch, Machine and Emulator are as in the definition.
	Type, Arch, Machine, Emulator string
	// CPU is the element that names a processor model; empty where the definition leaves the model
	// to the host.
	CPU string
	// Guest is the guest's memory in bytes, and Memory that with what QEMU takes beside it. HugePages
	// tells that the guest's is in huge pages.
	Guest, Memory uint64
	HugePages     bool
	Images        []Image
	Servers       []Server
	// Bridges and Devices are network interfaces of the host, Networks and Pools are libvirt's.
	Bridges, Devices, Networks, Pools []string
	// TPM tells that the VM has an emulated one.
	TPM bool
	// Fixed says of each part that cannot move live why.
	Fixed []Blocker
}

// Image is a file or device that is read; Chain tells that others may lie behind it.
type Image struct {
	Path  string
	What  string
	Chain bool
}

// Server is one that a disk comes from; one of its addresses is enough.
type Server struct {
	Disk      string
	Addresses []string
}

// Blocker is something that stands in the way, and what to do about it.
type Blocker struct{ What, Do string }

func (b Blocker) String() string {
	if b.Do == "" {
		return b.What
	}
	return b.What + " (" + b.Do + ")"
}

// mostParts bounds what is read of each kind in one definition.
const mostParts = 256

type domainXML struct {
	XMLName xml.Name  `xml:"domain"`
	Type    string    `xml:"type,attr"`
	Name    string    `xml:"name"`
	UUID    string    `xml:"uuid"`
	Memory  memoryXML `xml:"memory"`
	OS      struct {
		Type struct {
			Arch    string `xml:"arch,attr"`
			Machine string `xml:"machine,attr"`
		} `xml:"type"`
		Loader string `xml:"loader"`
		Kernel string `xml:"kernel"`
		Initrd string `xml:"initrd"`
	} `xml:"os"`
	HugePages *struct{} `xml:"memoryBacking>hugepages"`
	CPU       *cpuXML   `xml:"cpu"`
	Security  *struct {
		Type string `xml:"type,attr"`
	} `xml:"launchSecurity"`
	Devices struct {
		Emulator    string         `xml:"emulator"`
		Disks       []diskXML      `xml:"disk"`
		Interfaces  []interfaceXML `xml:"interface"`
		HostDevices []struct {
			Type    string     `xml:"type,attr"`
			Teaming teamingXML `xml:"teaming"`
		} `xml:"hostdev"`
		FileSystems []struct {
			Target struct {
				Dir string `xml:"dir,attr"`
			} `xml:"target"`
		} `xml:"filesystem"`
		TPMs []struct {
			Backend struct {
				Type string `xml:"type,attr"`
			} `xml:"backend"`
		} `xml:"tpm"`
	} `xml:"devices"`
}

// teamingXML: what is "transient" is detached for a move and attached again after it, by libvirt.
type teamingXML struct {
	Type string `xml:"type,attr"`
}

const transient = "transient"

type memoryXML struct {
	Unit  string `xml:"unit,attr"`
	Value uint64 `xml:",chardata"`
}

type cpuXML struct {
	Mode  string `xml:"mode,attr"`
	Model string `xml:"model"`
	Inner string `xml:",innerxml"`
	Match string `xml:"match,attr"`
}

type diskXML struct {
	Type   string `xml:"type,attr"`
	Device string `xml:"device,attr"`
	Driver struct {
		Format string `xml:"type,attr"`
	} `xml:"driver"`
	Source struct {
		File     string    `xml:"file,attr"`
		Dev      string    `xml:"dev,attr"`
		Pool     string    `xml:"pool,attr"`
		Protocol string    `xml:"protocol,attr"`
		Hosts    []hostXML `xml:"host"`
	} `xml:"source"`
	Target struct {
		Dev string `xml:"dev,attr"`
	} `xml:"target"`
}

type hostXML struct {
	Name      string `xml:"name,attr"`
	Port      string `xml:"port,attr"`
	Transport string `xml:"transport,attr"`
}

type interfaceXML struct {
	Type   string `xml:"type,attr"`
	Source struct {
		Bridge  string `xml:"bridge,attr"`
		Network string `xml:"network,attr"`
		Device  string `xml:"dev,attr"`
	} `xml:"source"`
	Port struct {
		Type string `xml:"type,attr"`
	} `xml:"virtualport"`
	Teaming teamingXML `xml:"teaming"`
}

// NeedsOf reads a libvirt domain XML.
func NeedsOf(definition string) (Needs, error) {
	var d domainXML
	if err := xml.Unmarshal([]byte(definition), &d); err != nil {
		return Needs{}, fmt.Errorf("read the VM's definition: %w", err)
	}
	memory, err := d.Memory.bytes()
	if err != nil {
		return Needs{}, err
	}
	n := Needs{Title: strings.TrimSpace(d.Name), UUID: strings.ToLower(strings.TrimSpace(d.UUID)), Type: d.Type,
		Arch: d.OS.Type.Arch, Machine: d.OS.Type.Machine, Emulator: strings.TrimSpace(d.Devices.Emulator),
		Guest: memory, Memory: memory + uint64(resources.Overhead(resources.Bytes(memory))), HugePages: d.HugePages != nil}
	n.CPU = d.CPU.named()
	for _, file := range []struct{ what, path string }{{"firmware", d.OS.Loader}, {"kernel", d.OS.Kernel},
		{"initial RAM disk", d.OS.Initrd}, {"emulator", d.Devices.Emulator}} {
		if path := strings.TrimSpace(file.path); strings.HasPrefix(path, "/") {
			n.Images = append(n.Images, Image{Path: path, What: file.what})
		}
	}
	for _, disk := range d.Devices.Disks[:min(len(d.Devices.Disks), mostParts)] {
		n.needDisk(disk)
	}
	for _, i := range d.Devices.Interfaces[:min(len(d.Devices.Interfaces), mostParts)] {
		n.needInterface(i)
	}
	for _, tpm := range d.Devices.TPMs {
		n.TPM = n.TPM || tpm.Backend.Type == "emulator"
	}
	n.Fixed = append(n.Fixed, d.fixed()...)
	return n, nil
}

func (m memoryXML) bytes() (uint64, error) {
	memory, ok := resources.MemoryIn(m.Value, m.Unit)
	if !ok {
		return 0, fmt.Errorf("the VM's memory is given as %d %q, which is no amount of memory", m.Value, m.Unit)
	}
	return uint64(memory), nil
}

// named is the element as libvirt compares it with a host's processor; empty where it names no
// model.
func (c *cpuXML) named() string {
	if c == nil || c.Model == "" || c.Mode == "host-passthrough" || c.Mode == "maximum" {
		return ""
	}
	return fmt.Sprintf("<cpu mode='custom' match='%s'>%s</cpu>", cmp.Or(c.Match, "exact"), c.Inner)
}

func (n *Needs) needDisk(disk diskXML) {
	what := "disk " + cmp.Or(disk.Target.Dev, "without a name")
	if disk.Device == "cdrom" || disk.Device == "floppy" {
		what = "medium of " + cmp.Or(disk.Target.Dev, disk.Device)
	}
	source := disk.Source
	if path := cmp.Or(source.File, source.Dev); path != "" {
		n.Images = append(n.Images, Image{Path: path, What: what, Chain: disk.Driver.Format == "qcow2"})
	}
	if source.Pool != "" {
		n.Pools = append(n.Pools, source.Pool)
	}
	server := Server{Disk: what}
	for _, host := range source.Hosts {
		port := cmp.Or(host.Port, ports[source.Protocol])
		if host.Name != "" && port != "" && (host.Transport == "" || host.Transport == "tcp") {
			server.Addresses = append(server.Addresses, net.JoinHostPort(host.Name, port))
		}
	}
	if len(server.Addresses) > 0 && len(server.Addresses) == len(source.Hosts) {
		n.Servers = append(n.Servers, server)
	}
}

// ports are those that a definition may leave out.
var ports = map[string]string{"nbd": "10809", "iscsi": "3260", "http": "80", "https": "443", "ssh": "22", "rbd": "6789"}

func (n *Needs) needInterface(i interfaceXML) {
	switch i.Type {
	case "bridge":
		if i.Port.Type == "openvswitch" {
			n.Devices = append(n.Devices, i.Source.Bridge) // it is none that the kernel calls a bridge
		} else if i.Source.Bridge != "" {
			n.Bridges = append(n.Bridges, i.Source.Bridge)
		}
	case "network":
		if i.Source.Network != "" {
			n.Networks = append(n.Networks, i.Source.Network)
		}
	case "direct":
		if i.Source.Device != "" {
			n.Devices = append(n.Devices, i.Source.Device)
		}
	case "hostdev":
		if i.Teaming.Type == transient {
			return
		}
		n.Fixed = append(n.Fixed, Blocker{"a network card of the host is passed through", "detach it, or move the VM cold"})
	}
}

// fixed are the parts of a VM with which QEMU moves nothing live.
func (d domainXML) fixed() []Blocker {
	var list []Blocker
	for _, device := range d.Devices.HostDevices {
		if device.Teaming.Type == transient {
			continue
		}
		list = append(list, Blocker{fmt.Sprintf("a host device (%s) is passed through", device.Type),
			"detach it, or move the VM cold"})
	}
	for _, shared := range d.Devices.FileSystems {
		list = append(list, Blocker{fmt.Sprintf("directory %q is shared with the host", shared.Target.Dir),
			"take it out, or move the VM cold"})
	}
	if d.Security != nil {
		list = append(list, Blocker{fmt.Sprintf("its memory is encrypted by the processor (%s)", d.Security.Type),
			"move it cold"})
	}
	return list
}

// Without leaves bridges out that somebody makes before the VM comes.
func (n Needs) Without(bridges []string) Needs {
	made := func(name string) bool { return slices.Contains(bridges, name) }
	n.Bridges = slices.DeleteFunc(slices.Clone(n.Bridges), made)
	return n
}
