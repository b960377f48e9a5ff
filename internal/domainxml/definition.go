package domainxml

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// mostDisks bounds the disks of one VM.
const mostDisks = 256

// Definition is what the cluster must know of a VM's libvirt XML. Everything else of it is the
// hypervisor's business.
type Definition struct {
	Title string
	UUID  string
	Disks []resources.Disk
	Bonds []resources.Bond
	// Demand is what the VM takes of its node.
	Demand resources.Demand
	// Bridges are those of the host that its interfaces are attached to.
	Bridges []string
}

// Fault is something wrong with the XML, on a line of it where that is known.
type Fault struct {
	Line    int
	Message string
	// Policy: the XML means what it says, and should not be taken in.
	Policy bool
}

// LineText tells the line behind the name of a file.
func (f Fault) LineText() string {
	if f.Line == 0 {
		return ""
	}
	return fmt.Sprintf(", line %d", f.Line)
}

type domainXML struct {
	XMLName xml.Name   `xml:"domain"`
	Type    string     `xml:"type,attr"`
	Title   string     `xml:"name"`
	UUID    string     `xml:"uuid"`
	OS      systemXML  `xml:"os"`
	Devices hostXML    `xml:"devices"`
	Options optionsXML `xml:"http://libvirt.org/schemas/domain/qemu/1.0 commandline"`
	sizeXML
}

type diskXML struct {
	Type   string `xml:"type,attr"`
	Device string `xml:"device,attr"`
	Target struct {
		Name string `xml:"dev,attr"`
	} `xml:"target"`
	Source    *sourceXML `xml:"source"`
	ReadOnly  *struct{}  `xml:"readonly"`
	Shareable *struct{}  `xml:"shareable"`
}

type sourceXML struct {
	File     string `xml:"file,attr"`
	Block    string `xml:"dev,attr"`
	Protocol string `xml:"protocol,attr"`
	Name     string `xml:"name,attr"`
	Pool     string `xml:"pool,attr"`
	Dir      string `xml:"dir,attr"`
	Path     string `xml:"path,attr"`
	Space    string `xml:"namespace,attr"`
	Address  pciXML `xml:"address"`
	Volume   string `xml:"volume,attr"`
	Hosts    []struct {
		Name      string `xml:"name,attr"`
		Port      string `xml:"port,attr"`
		Transport string `xml:"transport,attr"`
		Socket    string `xml:"socket,attr"`
	} `xml:"host"`
}

// Read reads a libvirt domain XML.
func Read(text string) (Definition, []Fault) {
	var found domainXML
	decoder := xml.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(&found); err != nil {
		return Definition{}, []Fault{xmlFault(err)}
	}
	if _, err := decoder.Token(); err != nil && !errors.Is(err, io.EOF) {
		return Definition{}, []Fault{xmlFault(err)}
	}
	var faults []Fault
	complain := func(format string, arguments ...any) {
		faults = append(faults, Fault{Message: fmt.Sprintf(format, arguments...)})
	}
	d := Definition{Title: strings.TrimSpace(found.Title)}
	if d.Title == "" {
		complain("has no <name>")
	}
	var problem string
	var ok bool
	if d.UUID, ok = canonicalUUID(found.UUID); !ok {
		if strings.TrimSpace(found.UUID) == "" {
			complain("has no <uuid>: a VM is recognised by it on every node; make one with uuidgen and add it")
		} else {
			complain("has the <uuid> %q, which is not a UUID", brief(strings.TrimSpace(found.UUID)))
		}
	}
	devices := found.Devices
	if all := len(devices.Disks) + len(devices.HostDevices) + len(devices.FileSystems); all > mostDisks {
		complain("has %d disks, host devices and folders; %d is the most", all, mostDisks)
		return d, faults
	}
	for i, disk := range devices.Disks {
		kept, problem := disk.read()
		if problem != "" {
			complain("has a disk (%s) %s", disk.label(i), problem)
			continue
		}
		if kept.Identity != "" {
			d.Disks = append(d.Disks, kept)
		}
	}
	d.Disks = append(d.Disks, found.handed(complain)...)
	if variables := found.OS.NVRAM.identity(); variables != "" {
		d.Disks = append(d.Disks, resources.Disk{Identity: variables, State: true})
	}
	faults = append(faults, found.secrets()...)
	d.Bonds, d.Bridges = found.bonds(d), found.bridges()
	if d.Demand, problem = found.demand(); problem != "" {
		complain("%s", problem)
	}
	return d, faults
}

// secrets are what the XML has that would lie in the log, in backups and on every node as it is.
func (d domainXML) secrets() (faults []Fault) {
	for _, console := range d.Devices.Consoles {
		if console.Password != "" {
			faults = append(faults, Fault{Policy: true, Message: fmt.Sprintf("has the password of its console in it "+
				"(passwd= of <graphics type=%q>), which would lie in the log, in backups and on every node as it is; first "+
				"have the console listen on 127.0.0.1 alone, or set vnc_password or spice_password in /etc/libvirt/qemu.conf "+
				"of each node, then take it out (virsh edit, of a VM that libvirt has): that counts from its next start",
				brief(console.Type))})
		}
	}
	if option := d.Options.secret(); option != "" {
		faults = append(faults, Fault{Policy: true, Message: fmt.Sprintf("has a secret in an argument for QEMU (%s), which "+
			"would lie in the log, in backups and on every node as it is; take it out, and have QEMU read it from a file on "+
			"each node (file= of -object secret)", option)})
	}
	return faults
}

// bridges are those that the VM's interfaces are attached to.
func (d domainXML) bridges() []string {
	var names []string
	for _, i := range d.Devices.Interfaces {
		if i.Type == "bridge" && i.Source.Bridge != "" {
			names = append(names, i.Source.Bridge)
		}
	}
	return names
}

func xmlFault(err error) Fault {
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		return Fault{Line: syntax.Line, Message: "is not valid XML: " + syntax.Msg}
	}
	if errors.Is(err, io.EOF) {
		return Fault{Message: "holds no XML"}
	}
	return Fault{Message: "is not a libvirt <domain>: " + err.Error()}
}

var uuidPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// canonicalUUID writes a UUID the way libvirt prints it, so that one VM has one spelling.
func canonicalUUID(text string) (string, bool) {
	digits := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), "-", "")
	if !uuidPattern.MatchString(digits) {
		return "", false
	}
	return strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-"), true
}

func (d diskXML) label(position int) string {
	if d.Target.Name != "" {
		return d.Target.Name
	}
	return fmt.Sprintf("number %d", position+1)
}

// read returns the disk by its identity, an empty one for a drive without a medium, or what is
// wrong.
func (d diskXML) read() (resources.Disk, string) {
	disk := resources.Disk{Shared: d.Shareable != nil, ReadOnly: d.ReadOnly != nil || d.Device == "cdrom"}
	removable := d.Device == "cdrom" || d.Device == "floppy"
	if d.Source == nil {
		if removable {
			return resources.Disk{}, ""
		}
		return disk, "without a <source>"
	}
	identity, problem := d.Source.identity(d.Type)
	if problem != "" && removable && d.Source.empty() {
		return resources.Disk{}, ""
	}
	disk.Identity = identity
	return disk, problem
}

// empty reports whether the source names nothing, as libvirt prints it for a drive whose medium
// was taken out.
func (s *sourceXML) empty() bool {
	return s.File == "" && s.Block == "" && s.Protocol == "" && s.Name == "" && s.Pool == "" && s.Volume == "" &&
		s.Dir == "" && s.Path == "" && s.Address == (pciXML{})
}

// identity names the storage the same way on every node, and as agents/vm names the disks of a
// VM that it finds running: the two are compared.
func (s *sourceXML) identity(kind string) (identity, problem string) {
	switch kind {
	case "file", "":
		return named("file:", s.File)
	case "block":
		return named("block:", s.Block)
	case "volume":
		if s.Pool == "" || s.Volume == "" {
			return "", "whose <source> lacks pool or volume"
		}
		return "volume:" + s.Pool + "/" + s.Volume, ""
	case "network":
		return s.networkIdentity()
	case "dir":
		return named("dir:", s.Dir)
	case "vhostuser":
		return named("vhostuser:", s.Path)
	case "nvme":
		address, ok := s.Address.String()
		if !ok {
			return "", "whose <source> lacks the PCI <address>"
		}
		return "nvme:" + address + "/" + cmp.Or(s.Space, "1"), ""
	}
	return "", fmt.Sprintf("of type %q, which is not supported; "+
		"use file, block, network, volume, nvme, vhostuser or dir", brief(kind))
}

func named(scheme, name string) (identity, problem string) {
	if name == "" {
		return "", "whose <source> names nothing"
	}
	return scheme + name, ""
}

// networkPorts are the ports in force where the XML names none, so that both spellings are one
// disk.
var networkPorts = map[string]string{"nbd": "10809", "iscsi": "3260", "http": "80", "https": "443", "ssh": "22"}

func (s *sourceXML) networkIdentity() (identity, problem string) {
	switch {
	case s.Protocol == "":
		return "", "whose <source> lacks the protocol"
	case s.Protocol == "rbd":
		// Monitors are left out: the same image is reached through any of them.
		return named("rbd:", s.Name)
	case len(s.Hosts) == 0:
		return "", "whose <source> lacks the <host>"
	}
	host := s.Hosts[0]
	if host.Transport == "unix" || host.Socket != "" {
		if host.Socket == "" {
			return "", "whose <host> lacks the socket"
		}
		return s.Protocol + "+unix:///" + s.Name + "?socket=" + host.Socket, ""
	}
	if host.Name == "" {
		return "", "whose <host> lacks the name"
	}
	address := host.Name
	if port := cmp.Or(host.Port, networkPorts[s.Protocol]); port != "" {
		address = net.JoinHostPort(host.Name, port)
	}
	return s.Protocol + "://" + address + "/" + strings.TrimPrefix(s.Name, "/"), ""
}
