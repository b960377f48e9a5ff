package vm

import (
	"encoding/xml"
	"fmt"
	"net"
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// domainXML is the part of a libvirt domain definition that matters here.
type domainXML struct {
	XMLName xml.Name  `xml:"domain"`
	Name    string    `xml:"name"`
	UUID    string    `xml:"uuid"`
	Disks   []diskXML `xml:"devices>disk"`
}

type diskXML struct {
	Type      string    `xml:"type,attr"`
	Device    string    `xml:"device,attr"`
	Source    sourceXML `xml:"source"`
	Shareable *struct{} `xml:"shareable"`
	ReadOnly  *struct{} `xml:"readonly"`
}

type sourceXML struct {
	File     string    `xml:"file,attr"`
	Dev      string    `xml:"dev,attr"`
	Protocol string    `xml:"protocol,attr"`
	Name     string    `xml:"name,attr"`
	Pool     string    `xml:"pool,attr"`
	Volume   string    `xml:"volume,attr"`
	Hosts    []hostXML `xml:"host"`
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
		identity, err := disk.identity()
		if err != nil {
			return nil, "", "", fmt.Errorf("disk %d of VM %q: %w", number+1, domain.Name, err)
		}
		if identity == "" {
			continue // An empty drive.
		}
		disks = append(disks, resources.Disk{
			Identity: identity,
			Shared:   disk.Shareable != nil,
			ReadOnly: disk.ReadOnly != nil || disk.Device == "cdrom",
		})
	}
	return disks, strings.ToLower(strings.TrimSpace(domain.UUID)), strings.TrimSpace(domain.Name), nil
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
	}
	return "", fmt.Errorf("a disk of type %q has no identity that is the same on every node", d.Type)
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
