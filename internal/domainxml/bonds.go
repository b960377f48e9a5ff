package domainxml

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// mostBonds bounds what is kept of one VM's ties; nobody reads on after that.
const mostBonds = 32

// upTo bounds a path that is told.
func upTo(path string) string { return bounded(path, 160) }

// brief bounds what of a wrong value, or of a name, is repeated.
func brief(value string) string { return bounded(value, 40) }

func bounded(text string, most int) string {
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most]) + "..."
	}
	return text
}

// The parts of a libvirt domain XML that may tie the VM to one host.
type systemXML struct {
	Firmware string `xml:"firmware,attr"`
	Loader   struct {
		Type      string `xml:"type,attr"`
		Stateless string `xml:"stateless,attr"`
		Path      string `xml:",chardata"`
	} `xml:"loader"`
	NVRAM nvramXML `xml:"nvram"`
}

type nvramXML struct {
	Type   string    `xml:"type,attr"`
	Path   string    `xml:",chardata"`
	Source sourceXML `xml:"source"`
}

type hostXML struct {
	Disks       []diskXML       `xml:"disk"`
	HostDevices []hostDeviceXML `xml:"hostdev"`
	Interfaces  []hostDeviceXML `xml:"interface"`
	Consoles    []struct {
		Type     string `xml:"type,attr"`
		Password string `xml:"passwd,attr"`
	} `xml:"graphics"`
	FileSystems []folderXML `xml:"filesystem"`
	Memory      []struct {
		Name string `xml:"name,attr"`
	} `xml:"shmem"`
	TPMs []struct {
		Backend struct {
			Type   string `xml:"type,attr"`
			Device struct {
				Path string `xml:"path,attr"`
			} `xml:"device"`
			Source struct {
				Path string `xml:"path,attr"`
			} `xml:"source"`
		} `xml:"backend"`
	} `xml:"tpm"`
}

type hostDeviceXML struct {
	Mode    string `xml:"mode,attr"`
	Type    string `xml:"type,attr"`
	Teaming struct {
		Type string `xml:"type,attr"`
	} `xml:"teaming"`
	Shareable *struct{} `xml:"shareable"`
	ReadOnly  *struct{} `xml:"readonly"`
	Source    struct {
		sourceXML
		Bridge  string `xml:"bridge,attr"`
		WWPN    string `xml:"wwpn,attr"`
		Adapter struct {
			Name string `xml:"name,attr"`
		} `xml:"adapter"`
		Vendor struct {
			ID string `xml:"id,attr"`
		} `xml:"vendor"`
		Product struct {
			ID string `xml:"id,attr"`
		} `xml:"product"`
	} `xml:"source"`
}

// pciXML is an <address>: of a device on its host's bus, of a mediated device, or of a unit behind
// an adapter.
type pciXML struct {
	Domain   string `xml:"domain,attr"`
	Bus      string `xml:"bus,attr"`
	Slot     string `xml:"slot,attr"`
	Function string `xml:"function,attr"`
	Device   string `xml:"device,attr"`
	UUID     string `xml:"uuid,attr"`
	Target   string `xml:"target,attr"`
	Unit     string `xml:"unit,attr"`
}

// String is the address as lspci writes it, and reports whether it is one.
func (a pciXML) String() (string, bool) {
	if a.Bus == "" {
		return "", false
	}
	var parts [4]uint64
	for i, text := range []string{a.Domain, a.Bus, a.Slot, a.Function} {
		number, err := strconv.ParseUint(strings.TrimSpace(text), 0, 16)
		if err != nil && text != "" {
			return "", false
		}
		parts[i] = number
	}
	return fmt.Sprintf("%04x:%02x:%02x.%x", parts[0], parts[1], parts[2], parts[3]), true
}

// identity of the file that keeps the firmware's variables; empty where the XML names none.
func (n nvramXML) identity() string {
	if n.Type == "" || n.Type == "file" {
		if file := strings.TrimSpace(n.Path); file != "" {
			return "file:" + file
		}
	}
	identity, problem := n.Source.identity(n.Type)
	if problem != "" {
		return ""
	}
	return identity
}

// bonds are what ties a VM to one host.
func (d domainXML) bonds(found Definition) []resources.Bond {
	var bonds []resources.Bond
	add := func(what string, notLive, stays bool) {
		if len(bonds) == mostBonds {
			return
		}
		bonds = append(bonds, resources.Bond{What: what, NotLive: notLive, Stays: stays})
	}
	for _, device := range d.Devices.HostDevices {
		if device.Source.Protocol != "iscsi" {
			add("the host device "+device.name(), device.Teaming.Type != "transient", false)
		}
	}
	for _, device := range d.Devices.Interfaces {
		if device.Type == "hostdev" {
			add("the host's network device "+device.name(), device.Teaming.Type != "transient", false)
		}
	}
	folders := map[resources.Disk]bool{}
	for _, folder := range d.Devices.FileSystems {
		folders[folder.disk()] = true
		add("the host's folder "+upTo(folder.where()), true, true)
	}
	for _, memory := range d.Devices.Memory {
		add("the host's memory "+brief(memory.Name), true, true)
	}
	for _, disk := range found.Disks {
		if what, notLive := localDisk(disk); what != "" && !folders[disk] {
			add(what, notLive, true)
		}
	}
	if where := d.variables(found); where != "" {
		add("its UEFI variables ("+where+")", false, true)
	}
	for _, tpm := range d.Devices.TPMs {
		switch where := tpm.Backend.Source.Path; tpm.Backend.Type {
		case "passthrough":
			add("the host's TPM "+cmp.Or(tpm.Backend.Device.Path, "/dev/tpm0"), true, true)
		case "emulator":
			if where == "" || !besideDisk(where, found.Disks) {
				where = cmp.Or(where, "/var/lib/libvirt/swtpm/"+found.UUID)
				add("its TPM's state ("+upTo(where)+"; BitLocker and its like ask for their recovery key)", false, true)
			}
		}
	}
	return bonds
}

// name tells which device it is, as the host's own tools do.
func (h hostDeviceXML) name() string {
	address, isPCI := h.Source.Address.String()
	kind := strings.ToUpper(h.Type)
	if h.Type == "hostdev" {
		kind = "PCI"
	}
	switch {
	case kind == "USB" && h.Source.Vendor.ID != "":
		return "USB " + brief(strings.TrimPrefix(h.Source.Vendor.ID, "0x")+":"+strings.TrimPrefix(h.Source.Product.ID, "0x"))
	case kind == "USB":
		return "USB " + brief(h.Source.Address.Bus+"-"+h.Source.Address.Device)
	case h.Source.Address.UUID != "":
		return "mdev " + brief(h.Source.Address.UUID)
	case isPCI && h.Source.Adapter.Name == "" && h.Source.WWPN == "":
		return kind + " " + address
	}
	return strings.TrimSpace(brief(kind) + " " + brief(cmp.Or(h.Source.Adapter.Name, h.Source.WWPN)))
}

// variables is where the firmware's variables are kept, if that may be on one host only.
func (d domainXML) variables(found Definition) string {
	switch identity := d.OS.NVRAM.identity(); {
	case strings.HasPrefix(identity, "file:"):
		if file := strings.TrimPrefix(identity, "file:"); !besideDisk(file, found.Disks) {
			return upTo(file)
		}
	case identity != "" || d.OS.Loader.Stateless == "yes":
	case d.OS.Firmware == "efi" || d.OS.Loader.Type == "pflash":
		// libvirt makes a file of its own where the XML names none.
		return upTo("/var/lib/libvirt/qemu/nvram/" + found.Title + "_VARS.fd")
	}
	return ""
}

// besideDisk reports whether something lies in a folder in which the VM has a disk that it
// writes: that folder is where the VM runs, whichever node that is.
func besideDisk(file string, disks []resources.Disk) bool {
	for _, disk := range disks {
		image, isFile := strings.CutPrefix(disk.Identity, "file:")
		if isFile && !disk.State && !disk.ReadOnly && path.Dir(image) == path.Dir(file) && !ownFolder(image) {
			return true
		}
	}
	return false
}

// kernelName is a name that another kernel, or the next boot, gives to another disk.
var kernelName = regexp.MustCompile(`^/dev/((sd|vd|hd|xvd)[a-z]+[0-9]*|(nvme[0-9]+n|mmcblk|loop)[0-9]+(p[0-9]+)?)$`)

// ownFolder reports whether a file lies where each host usually has files of its own.
func ownFolder(file string) bool {
	for _, folder := range []string{"/var/lib/libvirt/", "/tmp/", "/var/tmp/", "/root/", "/home/", "/run/", "/dev/shm/"} {
		if strings.HasPrefix(file, folder) {
			return true
		}
	}
	return false
}

// localDisk names a disk that only one host has, and reports whether it keeps the VM from moving
// live.
func localDisk(disk resources.Disk) (what string, notLive bool) {
	kind, name, _ := strings.Cut(disk.Identity, ":")
	switch {
	case disk.State:
	case kind == "nvme":
		return "the host's NVMe device " + name, true
	case kind == "vhostuser":
		return "the disk behind the host's socket " + upTo(name), true
	case kind == "dir":
		return "the host's folder " + upTo(name), !disk.ReadOnly
	case disk.ReadOnly:
	case kind == "file" && ownFolder(name):
		return "its disk " + upTo(name) + " (a folder that most hosts have for themselves)", false
	case kind == "block" && kernelName.MatchString(name):
		return "its disk " + upTo(name) + " (another host gives that name to another disk)", false
	}
	return "", false
}

// BondsOf says what ties a VM with this libvirt XML to the host on which it is.
func BondsOf(text string) []resources.Bond {
	found, _ := Read(text)
	return found.Bonds
}
