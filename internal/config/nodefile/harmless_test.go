package nodefile

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// reachingDevices are devices that reach the host, each behind the powers that they are.
const reachingDevices = `
other: <interface type="ethernet"><script path="/tmp/x"/></interface>
other: <interface type="bridge"><script path="x"/></interface>
other: <interface type="bridge"><backend type="passt" logFile="/x"/></interface>
other: <interface type="bridge"><rom file="/etc/shadow"/></interface>
other: <interface type="direct"><source dev="eth0" mode="passthrough"/></interface>
other: <interface type="vhostuser"><source type="unix" path="/x"/></interface>
chardev: <serial type="pty"><log file="/etc/cron.d/x"/></serial>
chardev: <channel type="unix"><source mode="connect" path="/run/x"/></channel>
chardev: <channel type="unix"><source mode="bind" path="/etc/shadow"/></channel>
chardev: <channel type="unix"><source mode="bind" path="/run/libvirt/qemu/channel/../../x"/></channel>
chardev: <channel type="unix"><source mode="bind" path="/run/libvirt/qemu/channel/7-b/org.agent.0"/></channel>
other: <smartcard mode="host-certificates"><database>/etc</database></smartcard>
file-disk: <disk device="disk"><source file="/etc/shadow"/></disk>
file-disk: <disk type="file" device="cdrom"><source file="/etc/shadow"/></disk>
file-disk: <disk type="network" device="cdrom"><source file="/etc/shadow"/></disk>
block-disk file-disk: <disk device="floppy"><source dev="/dev/sda"/></disk>
file-disk: <disk type="file" device="cdrom"><source/></disk>
file-disk: <disk type="file" device="cdrom"><backingStore/></disk>
block-disk: <disk type="block" device="cdrom"><mirror/></disk>
file-disk: <disk type="file" device="disk"/>
file-disk: <disk type="file"/>
file-disk: <disk type="dir" device="floppy"/>
other: <disk type="nvme" device="cdrom"/>
other: <disk type="nvme"><source type="pci" namespace="1"/></disk>
other: <disk type="vhostuser"><source type="unix" path="/x"/></disk>
other: <disk type="network" rawio="yes"/>
file-disk: <disk type="network"><backingStore type="file"/></disk>
block-disk: <disk type="network"><backingStore type="network"><backingStore type="block"/></backingStore></disk>
file-disk: <disk type="network"><mirror file="/x"/></disk>
other: <disk type="network"><source protocol="nbd"><host transport="unix" socket="/x"/></source></disk>
other: <disk type="network"><source protocol="rbd"><config file="/tmp/ceph.conf"/></source></disk>
file-disk: <disk type="network"><source protocol="rbd"><dataStore type="file"/></source></disk>
other: <disk type="network"><source protocol="ssh"><identity keyfile="/x"/></source></disk>
other: <memory model="nvdimm"><source/></memory>
other: <memory model="dimm"><source><path>x</path></source></memory>
other: <tpm><backend type="passthrough"/></tpm>
file-disk other: <tpm><backend type="external"><source type="unix" path="/x"/></backend></tpm>
file-disk: <tpm><backend type="emulator"><source type="dir" path="/etc"/></backend></tpm>
other: <rng><backend model="random">/dev/sda</backend></rng>
other: <rng><backend model="random">/dev/<x>mem</x></backend></rng>
chardev: <rng><backend model="egd" type="unix"><source mode="connect" path="x"/></backend></rng>
other: <input type="evdev"><source dev="/dev/input/event0"/></input>
other: <input type="passthrough"><source evdev="x"/></input>
other: <audio id="1" type="file" path="/etc/cron.d/x"/>
other: <graphics type="vnc" socket="/x"/>
other: <graphics type="spice"><gl rendernode="/dev/dri/x"/></graphics>
other: <graphics type="vnc"><listen type="socket" socket="/x"/></graphics>
hostdev other: <hostdev mode="subsystem"><rom file="/etc/shadow"/></hostdev>
filesystem other: <filesystem type="mount"><binary path="/tmp/x"/></filesystem>
other: <lease><target path="/x"/></lease>
other: <whatever comes="next"/>
other: <video><model type="virtio"><x rendernode="/dev/dri/x"/></model></video>
commandline: <controller type="usb"><qemu:x/></controller>
`

// reachingParts are other parts of a definition that do.
const reachingParts = `
unconfined: <seclabel type="static" model="dac"><label>+0:+0</label></seclabel>
unconfined: <seclabel type="dynamic" model="selinux"><baselabel>x</baselabel></seclabel>
other: <memoryBacking><source type="file"/></memoryBacking>
other: <sysinfo type="fwcfg"><entry name="opt/x" file="/etc/shadow"/></sysinfo>
kernel: <os><loader>/tmp/evil</loader></os>
kernel: <os><loader readonly="no">/usr/share/OVMF/OVMF_CODE.fd</loader></os>
kernel: <os><loader>/usr/share/../../tmp/evil</loader></os>
kernel: <os><nvram template="/etc/shadow"/></os>
file-disk: <os><nvram>/srv/nvram/web.fd</nvram></os>
file-disk: <os><nvram type="file"><source file="/etc/shadow"/></nvram></os>
block-disk: <os><nvram type="block"><source dev="/dev/sda"/></nvram></os>
other: <os><acpi><table type="slic">/etc/shadow</table></acpi></os>
other: <clock timezone="/run/fifo"/>
other: <bootloader>/tmp/x</bootloader>
other: <devices xmlns:x="urn:x"><x:disk type="file"/></devices>
other: <devices xmlns:x="urn:x"><disk type="network" x:type="file"/></devices>
`

// What reaches a host is a power, though no list of bad things would have it.
func TestWhatReachesAHostIsNeverHarmless(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(reachingParts), "\n")
	for _, line := range strings.Split(strings.TrimSpace(reachingDevices), "\n") {
		power, device, _ := strings.Cut(line, ": ")
		lines = append(lines, power+": <devices>"+device+"</devices>")
	}
	for _, line := range lines {
		power, inside, _ := strings.Cut(line, ": ")
		text := domainWith(inside)
		found, err := powersOf(text)
		want := strings.Fields(power)
		if err != nil || !slices.Equal(slices.Sorted(maps.Keys(found)), want) {
			t.Errorf("%s: %v, %v; want %v", inside, found, err, want)
		}
		if (DefinitionPolicy{Declared: true}).Refuses(text) == "" {
			t.Errorf("an empty list lets %s in", inside)
		}
	}
}

// What two parsers could read in two ways is no definition.
func TestAPolicyReadsNoTypesOfItsOwn(t *testing.T) {
	const plain = `<domain type="kvm"><devices><disk type="network"/></devices></domain>`
	for text, said := range map[string]string{
		`<!DOCTYPE domain [<!ATTLIST disk type CDATA "file">]>` + plain: "type of its own",
		`<?xml-stylesheet href="x"?>` + plain:                           "instructions",
		plain + plain:                                                   "not one <domain>",
		`<network/>`:                                                    "not one <domain>",
		`<domain xmlns="urn:x"/>`:                                       "not one <domain>",
	} {
		all := DefinitionPolicy{Declared: true, Allow: slices.Collect(maps.Keys(powers))}
		if why := all.Refuses(text); !strings.Contains(why, said) {
			t.Errorf("%s: %q, want %q", text, why, said)
		}
	}
	if why := (DefinitionPolicy{Declared: true}).Refuses(`<?xml version="1.0"?>` + plain); why != "" {
		t.Errorf("the head of an XML file is refused: %s", why)
	}
}

func TestARefusalSaysWhereThePowerIs(t *testing.T) {
	text := domainWith(`<devices><disk type="network" rawio="yes"/><lease/><lease/><input type="evdev"/><pstore/><x/>` +
		`</devices>`)
	why := DefinitionPolicy{Declared: true}.Refuses(text)
	if !strings.Contains(why, "here in the rawio of <disk>, <lease>, the type of <input>, ..., and") {
		t.Error(why)
	}
}

// Ordinary definitions have the powers that they say they have, and no others.
func TestOrdinaryDefinitionsHaveOnlyThePowersThatTheyShow(t *testing.T) {
	const folder = "testdata/definitions/"
	for name, powers := range map[string]string{
		"virt-install": "emulator file-disk", "firmware": "block-disk emulator", "rbd": "emulator",
		"running": "emulator file-disk", "devices": "",
	} {
		text, err := os.ReadFile(filepath.Join(folder, name+".xml"))
		if err != nil {
			t.Fatal(err)
		}
		found, err := powersOf(string(text))
		if err != nil || !slices.Equal(slices.Sorted(maps.Keys(found)), strings.Fields(powers)) {
			t.Errorf("%s: %v, %v; want %s", name, found, err, powers)
		}
	}
	files, err := filepath.Glob("../../importing/*/testdata/definitions/*.xml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found, err := powersOf(string(text))
		if err == nil && !slices.Equal(slices.Sorted(maps.Keys(found)), []string{"file-disk"}) {
			t.Errorf("%s: %v", file, found)
		}
	}
}

// TestOnlyAGuestsOwnChannelIsHarmless: who names another guest's socket answers for its agent.
func TestOnlyAGuestsOwnChannelIsHarmless(t *testing.T) {
	const old, agent = "/var/lib/libvirt/qemu/channel/target/", "/org.qemu.guest_agent.0"
	for _, c := range []struct {
		name, path string
		own        bool
	}{
		{"a", old + "domain-7-a" + agent, true},
		{"a", "/run/libvirt/qemu/channel/7-a" + agent, true},
		{"a", old + "domain-a" + agent, true},
		{"a", old + "a.org.qemu.guest_agent.0", true},
		{"3-a", old + "domain-7-3-a" + agent, true},
		{"a-guest-whose-name-is-long", old + "domain-7-a-guest-whose-name-i" + agent, true},
		{"größer-als-zwanzig-zeichen", old + "domain-7-größer-als-zwanzig-z" + agent, true},
		{"a", old + "domain-7-b" + agent, false},
		{"a", old + "domain-7-b-a" + agent, false},
		{"a", old + "domain-b" + agent, false},
		{"a", old + "b.org.qemu.guest_agent.0", false},
		{"a", old + "a", false},
		{"a", old + "a" + agent, false},
		{"a", old + "domain-7-a/x" + agent, false},
		{"a", old + "domain-7-a/../domain-8-b" + agent, false},
		{"7-b", old + "domain-7-b" + agent, false},
		{"", old + "domain-7-" + agent, false},
		{" a", old + "domain-7-a" + agent, false},
		{"a<x>b</x>", old + "domain-7-a" + agent, false},
		{"a</name><name>b", old + "domain-7-b" + agent, false},
	} {
		text := `<domain type="kvm"><name>` + c.name + `</name><devices><channel type="unix"><source mode="bind" path="` +
			c.path + `"/><target type="virtio" name="x"/></channel></devices></domain>`
		found, err := powersOf(text)
		if _, reaches := found["chardev"]; err != nil || reaches == c.own {
			t.Errorf("%s at %s: %v, %v", c.name, c.path, found, err)
		}
	}
}
