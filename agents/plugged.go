package agents

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// pluggableXML are the devices of a domain definition that can be plugged in while the VM runs,
// besides its disks.
type pluggableXML struct {
	XMLName    xml.Name `xml:"domain"`
	Interfaces []struct {
		MAC struct {
			Address string `xml:"address,attr"`
		} `xml:"mac"`
	} `xml:"devices>interface"`
	HostDevices []struct {
		Type    string `xml:"type,attr"`
		Teaming struct {
			Type string `xml:"type,attr"`
		} `xml:"teaming"`
		Source hostSourceXML `xml:"source"`
	} `xml:"devices>hostdev"`
	Memory []struct {
		Model string  `xml:"model,attr"`
		Size  sizeXML `xml:"target>size"`
	} `xml:"devices>memory"`
}

// hostSourceXML is a device of the host, by what it is or where it is.
type hostSourceXML struct {
	Address deviceXML `xml:"address"`
	Vendor  deviceXML `xml:"vendor"`
	Product deviceXML `xml:"product"`
}

// sizeXML is an amount of memory in a unit.
type sizeXML struct {
	Unit   string `xml:"unit,attr"`
	Amount string `xml:",chardata"`
}

// deviceXML is how a device is named, in one way or another.
type deviceXML struct {
	ID       string `xml:"id,attr"`
	UUID     string `xml:"uuid,attr"`
	Domain   string `xml:"domain,attr"`
	Bus      string `xml:"bus,attr"`
	Slot     string `xml:"slot,attr"`
	Function string `xml:"function,attr"`
	Device   string `xml:"device,attr"`
}

// What is kept of the devices of one VM, and told of those that were plugged in.
const (
	mostDevices = 256
	mostPlugged = 8
	longestName = 60
)

// The kinds of such devices, as their names begin.
const (
	aNIC        = "network interface"
	aHostDevice = "host device"
	aMemory     = "memory"
)

// severalOf names several devices of a kind.
var severalOf = map[string]string{aNIC: "network interfaces", aHostDevice: "host devices", aMemory: "memory modules"}

// DevicesOf names the devices of a definition that can be plugged in while a VM runs, besides its
// disks: sorted, the kind first. What comes and goes with a live move is none of them.
func DevicesOf(definition string) []string {
	var found pluggableXML
	if xml.Unmarshal([]byte(definition), &found) != nil {
		return nil
	}
	var names []string
	add := func(kind string, parts ...string) {
		if name := strings.Join(strings.Fields(strings.Join(parts, " ")), " "); len(names) < mostDevices {
			names = append(names, kind+" "+brief(cmp.Or(name, "without a name")))
		}
	}
	for _, nic := range found.Interfaces {
		add(aNIC, strings.ToLower(nic.MAC.Address))
	}
	for _, device := range found.HostDevices {
		isDisk := device.Type == "scsi" || device.Type == "scsi_host"
		if s := device.Source; !isDisk && device.Teaming.Type != "transient" {
			add(aHostDevice, strings.ToUpper(device.Type), cmp.Or(s.model(), s.Address.place()))
		}
	}
	for _, memory := range found.Memory {
		add(aMemory, memory.Model, memory.Size.kibibytes())
	}
	slices.Sort(names)
	return names
}

// model is what a device is, as the host's own tools write it; nothing where that is not said.
func (s hostSourceXML) model() string {
	if s.Vendor.ID == "" && s.Product.ID == "" {
		return ""
	}
	return hexadecimal(s.Vendor.ID) + ":" + hexadecimal(s.Product.ID)
}

// place is where a device is on a bus of its host, however the numbers are written: libvirt writes
// them in its own way once the VM runs.
func (d deviceXML) place() string {
	switch {
	case d.UUID != "":
		return strings.ToLower(d.UUID)
	case d.Slot != "" || d.Function != "" || d.Domain != "":
		return number(d.Domain, "%04x") + ":" + number(d.Bus, "%02x") + ":" + number(d.Slot, "%02x") + "." +
			number(d.Function, "%x")
	case d.Bus == "" && d.Device == "":
		return ""
	}
	return number(d.Bus, "%d") + ":" + number(d.Device, "%d")
}

// hexadecimal writes an id of a device in one form; libvirt reads it so without a prefix as well.
func hexadecimal(text string) string {
	text = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(text)), "0x")
	value, err := strconv.ParseUint(cmp.Or(text, "0"), 16, 64)
	if err != nil {
		return text
	}
	return fmt.Sprintf("%04x", value)
}

// number writes a number of a definition in one form; none is zero, and what is no number stays.
func number(text, form string) string {
	value, err := strconv.ParseUint(cmp.Or(strings.TrimSpace(text), "0"), 0, 64)
	if err != nil {
		return text
	}
	return fmt.Sprintf(form, value)
}

// bytesOf are the units of libvirt, in lower case.
var bytesOf = map[string]uint64{"b": 1, "byte": 1, "bytes": 1, "": 1 << 10, "k": 1 << 10, "kib": 1 << 10, "kb": 1e3,
	"m": 1 << 20, "mib": 1 << 20, "mb": 1e6, "g": 1 << 30, "gib": 1 << 30, "gb": 1e9, "t": 1 << 40, "tib": 1 << 40,
	"tb": 1e12}

// kibibytes are what libvirt makes of an amount once the VM runs; what is no amount stays.
func (s sizeXML) kibibytes() string {
	amount, err := strconv.ParseUint(strings.TrimSpace(s.Amount), 10, 64)
	unit := bytesOf[strings.ToLower(strings.TrimSpace(s.Unit))]
	if err != nil || unit == 0 || amount > (1<<63)/unit {
		return strings.TrimSpace(s.Amount) + " " + s.Unit
	}
	return fmt.Sprintf("%d KiB", (amount*unit+1<<10-1)>>10)
}

// Plugged are the devices of a VM that runs which were plugged in meanwhile, and which its next
// start is without: more of their kind than any of the definitions has, that by which it was
// started and that by which it would be. libvirt gives names to what a definition leaves without
// one, so what counts is the number first: where more are unknown than there are too many, nobody
// can say which of them were plugged in, and none is named.
func Plugged(live []string, definitions ...string) []string {
	var plugged []string
	for _, kind := range []string{aNIC, aHostDevice, aMemory} {
		here := ofKind(live, kind)
		most, declared := 0, map[string]int{}
		for _, definition := range definitions {
			has := ofKind(DevicesOf(definition), kind)
			most = max(most, len(has))
			for _, name := range has {
				declared[name] = max(declared[name], count(has, name))
			}
		}
		var others []string
		for _, name := range here {
			if declared[name]--; declared[name] < 0 {
				others = append(others, name)
			}
		}
		switch surplus := len(here) - most; {
		case surplus <= 0:
		case surplus < len(others):
			plugged = append(plugged, fmt.Sprintf("%d of its %d %s", surplus, len(here), severalOf[kind]))
		default:
			plugged = append(plugged, others...)
		}
	}
	if more := len(plugged) - mostPlugged; more > 0 {
		plugged = append(plugged[:mostPlugged], fmt.Sprintf("%d more", more))
	}
	return plugged
}

func ofKind(names []string, kind string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !strings.HasPrefix(name, kind+" ") })
}

func count(names []string, name string) (n int) {
	for _, other := range names {
		if other == name {
			n++
		}
	}
	return n
}

func brief(name string) string {
	if letters := []rune(name); len(letters) > longestName {
		return string(letters[:longestName]) + "..."
	}
	return name
}
