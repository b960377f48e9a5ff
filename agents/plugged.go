package agents

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
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
		Source struct {
			Address deviceXML `xml:"address"`
			Vendor  deviceXML `xml:"vendor"`
			Product deviceXML `xml:"product"`
		} `xml:"source"`
	} `xml:"devices>hostdev"`
	Memory []struct {
		Model string `xml:"model,attr"`
		Size  struct {
			Unit   string `xml:"unit,attr"`
			Amount string `xml:",chardata"`
		} `xml:"target>size"`
	} `xml:"devices>memory"`
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
			add(aHostDevice, strings.ToUpper(device.Type), cmp.Or(plain(s.Vendor.ID+":"+s.Product.ID), s.Address.place()))
		}
	}
	for _, memory := range found.Memory {
		add(aMemory, memory.Model, strings.TrimSpace(memory.Size.Amount), memory.Size.Unit)
	}
	slices.Sort(names)
	return names
}

// plain is a pair of numbers as the host's own tools write them; nothing where there is none.
func plain(pair string) string {
	return strings.Trim(strings.ReplaceAll(strings.ToLower(pair), "0x", ""), ":")
}

// place is where a device is on a bus of its host.
func (d deviceXML) place() string {
	return plain(strings.Join([]string{d.UUID, d.Domain, d.Bus, d.Slot, d.Function, d.Device}, ":"))
}

// Plugged are the devices of a VM that runs which were plugged in meanwhile, and which its next
// start is without: more of their kind than any of the definitions has, that by which it was
// started and that by which it would be. libvirt gives names to what a definition leaves without
// one, so what counts is the number first.
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
		surplus := max(0, len(here)-most)
		plugged = append(plugged, others[max(0, len(others)-surplus):]...)
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
