package domainxml

import (
	"strings"
	"testing"
)

// FuzzRead reads the XML of a VM, which an operator may have from anywhere. What is read of it is
// bounded, and a definition without a fault has a UUID in the one spelling.
func FuzzRead(f *testing.F) {
	const whole = `<domain type='kvm'><name>web</name><uuid>6F4C9C0E-8D0B-4C9E-9C7C-1B6B1C3A2D10</uuid>` +
		`<memory unit='GiB'>2</memory><vcpu>2</vcpu><os><nvram>/var/lib/nvram/web</nvram></os><devices>` +
		`<disk type='file'><source file='/srv/web.img'/><target dev='vda'/></disk>` +
		`<disk type='network'><source protocol='nbd' name='x'><host name='a' port='1'/></source></disk>` +
		`<disk type='nvme'><source namespace='1'><address domain='0x0' bus='0x1' slot='0x2' function='0x3'/></source>` +
		`</disk>` +
		`<interface type='direct'><source dev='eth0'/></interface><serial type='dev'><source path='/dev/ttyS0'/></serial>` +
		`<hostdev type='pci'><source><address bus='0xzz'/></source></hostdev></devices></domain>`
	f.Add(whole)
	f.Add(strings.Replace(whole, "2</memory>", "99999999999999999999</memory>", 1))
	f.Add(`<!DOCTYPE d [<!ENTITY a "b">]><domain>&a;</domain>`)
	f.Add(`<?xml version="1.0" encoding="utf-16"?><domain/>`)
	f.Add(`<domain>` + strings.Repeat(`<devices>`, 200))
	f.Add(`<network/>`)
	f.Fuzz(func(t *testing.T, text string) {
		d, faults := Read(text)
		if len(d.Disks) > mostDisks+1 || len(faults) > mostDisks+8 {
			t.Errorf("%d disks and %d faults", len(d.Disks), len(faults))
		}
		said := 0
		for _, fault := range faults {
			said += len(fault.Message)
		}
		if said > 300*len(faults)+8*len(text) {
			t.Errorf("faults of %d bytes for a text of %d", said, len(text))
		}
		if same, ok := canonicalUUID(d.UUID); len(faults) == 0 && (!ok || same != d.UUID || d.Title == "") {
			t.Errorf("no fault, and the name is %q with the UUID %q", d.Title, d.UUID)
		}
		for _, disk := range d.Disks {
			if disk.Identity == "" {
				t.Error("a disk without an identity is kept")
			}
		}
		if found := NamesOf(text); len(found) > mostNamed {
			t.Errorf("%d names", len(found))
		}
	})
}
