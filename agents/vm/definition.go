package vm

import (
	"encoding/xml"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// domainXML is the part of a libvirt domain definition that matters here.
type domainXML struct {
	XMLName     xml.Name    `xml:"domain"`
	Name        string      `xml:"name"`
	UUID        string      `xml:"uuid"`
	Disks       []diskXML   `xml:"devices>disk"`
	HostDevices []deviceXML `xml:"devices>hostdev"`
	Folders     []folderXML `xml:"devices>filesystem"`
	NVRAM       nvramXML    `xml:"os>nvram"`
}

// deviceXML is a device of the host that is handed over as it is.
type deviceXML struct {
	Type      string    `xml:"type,attr"`
	Shareable *struct{} `xml:"shareable"`
	ReadOnly  *struct{} `xml:"readonly"`
	Source    struct {
		sourceXML
		WWPN    string `xml:"wwpn,attr"`
		Adapter struct {
			Name string `xml:"name,attr"`
		} `xml:"adapter"`
	} `xml:"source"`
}

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

type nvramXML struct {
	Type   string    `xml:"type,attr"`
	Path   string    `xml:",chardata"`
	Source sourceXML `xml:"source"`
}

// chainXML is an image with those that lie behind it.
type chainXML struct {
	Type   string    `xml:"type,attr"`
	Source sourceXML `xml:"source"`
	Next   *chainXML `xml:"backingStore"`
}

type diskXML struct {
	Type      string    `xml:"type,attr"`
	Device    string    `xml:"device,attr"`
	Source    sourceXML `xml:"source"`
	Target    targetXML `xml:"target"`
	Shareable *struct{} `xml:"shareable"`
	ReadOnly  *struct{} `xml:"readonly"`
	// Behind and Mirror are told of what runs.
	Behind *chainXML `xml:"backingStore"`
	Mirror *chainXML `xml:"mirror"`
}

type targetXML struct {
	Name string `xml:"dev,attr"`
}

type sourceXML struct {
	File     string    `xml:"file,attr"`
	Dev      string    `xml:"dev,attr"`
	Dir      string    `xml:"dir,attr"`
	Kind     string    `xml:"type,attr"`
	Path     string    `xml:"path,attr"`
	Space    string    `xml:"namespace,attr"`
	Address  pciXML    `xml:"address"`
	Protocol string    `xml:"protocol,attr"`
	Name     string    `xml:"name,attr"`
	Pool     string    `xml:"pool,attr"`
	Volume   string    `xml:"volume,attr"`
	Hosts    []hostXML `xml:"host"`
}

// empty reports whether the source names nothing, as libvirt prints a drive without a medium.
func (s sourceXML) empty() bool {
	return s.File+s.Dev+s.Dir+s.Path+s.Protocol+s.Name+s.Pool+s.Volume+s.Address.Bus == ""
}

// pciXML is the address of a device on its host's bus, or of a unit behind an adapter.
type pciXML struct {
	Domain   string `xml:"domain,attr"`
	Bus      string `xml:"bus,attr"`
	Slot     string `xml:"slot,attr"`
	Function string `xml:"function,attr"`
	Target   string `xml:"target,attr"`
	Unit     string `xml:"unit,attr"`
}

type hostXML struct {
	Name      string `xml:"name,attr"`
	Port      string `xml:"port,attr"`
	Transport string `xml:"transport,attr"`
	Socket    string `xml:"socket,attr"`
}

// defaultPorts are the ports that libvirt leaves out of a definition.
var defaultPorts = map[string]string{"nbd": "10809", "iscsi": "3260", "http": "80", "https": "443", "ssh": "22"}

// DisksOf reads the disks, the UUID and the name from a libvirt domain
// definition. It is an error when a disk's storage cannot be named, because
// law L9 could not be held for it.
func DisksOf(definition string) (disks []resources.Disk, uuid, name string, err error) {
	var domain domainXML
	if err := xml.Unmarshal([]byte(definition), &domain); err != nil {
		return nil, "", "", fmt.Errorf("read the VM definition: %w", err)
	}
	for number, disk := range domain.Disks {
		read, err := disk.read()
		if err != nil {
			return nil, "", "", fmt.Errorf("disk %d of VM %q: %w", number+1, domain.Name, err)
		}
		disks = append(disks, read...)
	}
	for _, device := range domain.HostDevices {
		read, err := device.read()
		if err != nil {
			return nil, "", "", fmt.Errorf("a host device of VM %q: %w", domain.Name, err)
		}
		disks = append(disks, read...)
	}
	return append(disks, domain.rest()...), strings.ToLower(strings.TrimSpace(domain.UUID)),
		strings.TrimSpace(domain.Name), nil
}

// liveDisks reads the disks of a VM that runs. None of them is left out: one that cannot be named
// is a disk that it writes and that nobody knows, and hides no other, not even what lies behind it.
func liveDisks(definition, uuid string) []resources.Disk {
	unknown := func(which string) resources.Disk {
		return resources.Disk{Identity: resources.Unnamed + uuid + "/" + which}
	}
	var domain domainXML
	if err := xml.Unmarshal([]byte(definition), &domain); err != nil {
		return []resources.Disk{unknown("definition")}
	}
	var disks []resources.Disk
	for number, disk := range domain.Disks {
		read, err := disk.read()
		if err != nil {
			name := disk.Target.Name
			if name == "" {
				name = strconv.Itoa(number + 1)
			}
			one := unknown(name)
			one.ReadOnly = disk.readOnly()
			nameless := len(read) == 0
			read = append(read, one)
			if nameless && !one.ReadOnly {
				besides, _ := disk.besides(one.Identity)
				read = append(read, besides...)
			}
		}
		disks = append(disks, read...)
	}
	for number, device := range domain.HostDevices {
		read, err := device.read()
		if err != nil {
			read = []resources.Disk{unknown("hostdev" + strconv.Itoa(number+1))}
		}
		disks = append(disks, read...)
	}
	return append(disks, domain.rest()...)
}

// read returns a disk with what lies behind it, nothing for an empty drive. With an error, what it
// returns is not all.
func (d diskXML) read() ([]resources.Disk, error) {
	identity, err := d.identity()
	if (d.Device == "cdrom" || d.Device == "floppy") && d.Source.empty() {
		return nil, nil
	}
	if err != nil || identity == "" {
		return nil, err
	}
	found := resources.Disk{Identity: identity, Shared: d.Shareable != nil, ReadOnly: d.readOnly()}
	if found.ReadOnly {
		return []resources.Disk{found}, nil
	}
	besides, err := d.besides(identity)
	return append([]resources.Disk{found}, besides...), err
}

func (d diskXML) readOnly() bool { return d.ReadOnly != nil || d.Device == "cdrom" }

// besides are the images behind a disk of a VM that runs, and one that it is copied to.
func (d diskXML) besides(written string) ([]resources.Disk, error) {
	var disks []resources.Disk
	behind := map[string]bool{}
	for image := d.Behind; image != nil && len(disks) < mostImages; image = image.Next {
		if identity, err := (diskXML{Type: image.Type, Source: image.Source}).identity(); err == nil && identity != "" {
			behind[identity] = true
			disks = append(disks, resources.Disk{Identity: identity, Behind: written})
		}
	}
	if d.Mirror == nil {
		return disks, nil
	}
	identity, err := diskXML{Type: d.Mirror.Type, Source: d.Mirror.Source}.identity()
	if err == nil && identity != "" && !behind[identity] {
		disks = append(disks, resources.Disk{Identity: identity})
	}
	return disks, err
}

// mostImages bounds what is read of one chain.
const mostImages = 200

// read returns a storage device of the host as a disk of the VM; of another device nothing.
func (d deviceXML) read() (disks []resources.Disk, err error) {
	identity := ""
	switch {
	case d.Type == "scsi_host":
		identity = prefixed("vhost-scsi:", d.Source.WWPN)
	case d.Type != "scsi":
		return nil, nil
	case d.Source.Protocol != "":
		identity, err = d.Source.network()
	case d.Source.Adapter.Name != "":
		identity, err = d.Source.Address.behind("scsi:" + d.Source.Adapter.Name + "/")
	}
	if err == nil && identity == "" {
		err = fmt.Errorf("a device of type %q whose <source> names nothing", d.Type)
	}
	return []resources.Disk{{Identity: identity, Shared: d.Shareable != nil, ReadOnly: d.ReadOnly != nil}}, err
}

// behind names a unit behind an adapter.
func (a pciXML) behind(adapter string) (string, error) {
	var parts [3]uint64
	for i, text := range []string{a.Bus, a.Target, a.Unit} {
		number, err := strconv.ParseUint(text, 0, 64)
		if err != nil && text != "" {
			return "", fmt.Errorf("a unit at the address %q", text)
		}
		parts[i] = number
	}
	return fmt.Sprintf("%s%d:%d:%d", adapter, parts[0], parts[1], parts[2]), nil
}

// rest is what a VM writes that is neither a disk nor a device: folders, which many VMs may have on
// purpose, and the file that keeps its firmware's variables.
func (d domainXML) rest() []resources.Disk {
	var disks []resources.Disk
	for _, folder := range d.Folders {
		for _, identity := range []string{prefixed("dir:", folder.Source.Dir), prefixed("file:", folder.Source.File),
			prefixed("block:", folder.Source.Dev), prefixed("virtiofs:", folder.Source.Socket)} {
			if identity != "" {
				disks = append(disks, resources.Disk{Identity: identity, Shared: true, ReadOnly: folder.ReadOnly != nil})
				break
			}
		}
	}
	if identity := d.NVRAM.identity(); identity != "" {
		disks = append(disks, resources.Disk{Identity: identity, State: true})
	}
	return disks
}

// identity of the file that keeps the firmware's variables; empty where there is none.
func (n nvramXML) identity() string {
	if n.Type == "" || n.Type == "file" {
		if path := strings.TrimSpace(n.Path); path != "" {
			return "file:" + path
		}
	}
	identity, err := diskXML{Type: n.Type, Source: n.Source}.identity()
	if err != nil {
		return ""
	}
	return identity
}

func (d diskXML) identity() (string, error) {
	switch d.Type {
	case "file", "":
		return prefixed("file:", d.Source.File), nil
	case "block":
		return prefixed("block:", d.Source.Dev), nil
	case "volume":
		return prefixed("volume:", strings.Trim(d.Source.Pool+"/"+d.Source.Volume, "/")), nil
	case "network":
		return d.Source.network()
	case "dir":
		return prefixed("dir:", d.Source.Dir), nil
	case "vhostuser":
		return prefixed("vhostuser:", d.Source.Path), nil
	case "nvme":
		return d.Source.nvme()
	}
	return "", fmt.Errorf("a disk of type %q has no identity that is the same on every node", d.Type)
}

// nvme names a namespace of a controller by its place on its host's bus.
func (s sourceXML) nvme() (string, error) {
	if s.Address.Bus == "" {
		return "", fmt.Errorf("an NVMe disk without its PCI address")
	}
	var parts [4]uint64
	for i, text := range []string{s.Address.Domain, s.Address.Bus, s.Address.Slot, s.Address.Function} {
		number, err := strconv.ParseUint(strings.TrimSpace(text), 0, 16)
		if err != nil && text != "" {
			return "", fmt.Errorf("an NVMe disk at the PCI address %q", text)
		}
		parts[i] = number
	}
	space := s.Space
	if space == "" {
		space = "1"
	}
	return fmt.Sprintf("nvme:%04x:%02x:%02x.%x/%s", parts[0], parts[1], parts[2], parts[3], space), nil
}

func prefixed(prefix, value string) string {
	if value == "" {
		return ""
	}
	return prefix + value
}

func (s sourceXML) network() (string, error) {
	if s.Protocol == "" {
		return "", fmt.Errorf("a network disk without protocol")
	}
	if s.Protocol == "rbd" {
		return "rbd:" + s.Name, nil // The monitors are a way to the cluster, not part of the identity.
	}
	if len(s.Hosts) == 0 {
		return "", fmt.Errorf("a network disk (%s) without host", s.Protocol)
	}
	host := s.Hosts[0]
	if host.Transport == "unix" || (host.Socket != "" && host.Name == "") {
		return fmt.Sprintf("%s+unix://%s?socket=%s", s.Protocol, "/"+s.Name, host.Socket), nil
	}
	port := host.Port
	if port == "" {
		port = defaultPorts[s.Protocol]
	}
	address := host.Name
	if port != "" {
		address = net.JoinHostPort(host.Name, port)
	}
	return fmt.Sprintf("%s://%s/%s", s.Protocol, address, strings.TrimPrefix(s.Name, "/")), nil
}

// ImageLocks says for each disk whether QEMU's image lock can hold it between
// hosts: a sentence for each disk that has none, for `clusterd doctor`.
func ImageLocks(disks []resources.Disk) []string {
	var without []string
	for _, disk := range disks {
		kind, _, _ := strings.Cut(disk.Identity, ":")
		switch {
		case disk.ReadOnly:
		case disk.Shared:
			without = append(without, disk.Identity+": shareable, so QEMU takes no image lock")
		case kind == "file":
			// A lock, as far as the file system passes locks between hosts.
		case kind == "block":
			without = append(without, disk.Identity+": a block device's image lock is this host's own")
		default:
			without = append(without, disk.Identity+": no image lock")
		}
	}
	return without
}
