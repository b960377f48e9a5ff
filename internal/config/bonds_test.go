package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

func domainOf(parts string) string {
	return "<domain type='kvm'><name>x</name><uuid>" + uuidA + "</uuid>" + parts + "</domain>"
}

func TestEveryKindOfDiskHasAnIdentity(t *testing.T) {
	for disk, want := range map[string]resources.Disk{
		"type='nvme'><source type='pci' namespace='2'><address domain='0x0000' bus='0x01' slot='0x0a' " +
			"function='0x0'/></source>": {Identity: "nvme:0000:01:0a.0/2"},
		"type='vhostuser'><source type='unix' path='/run/spdk/vhost.0'/>" +
			"": {Identity: "vhostuser:/run/spdk/vhost.0"},
		"type='dir'><source dir='/srv/unattend'/><readonly/>" +
			"": {Identity: "dir:/srv/unattend", ReadOnly: true},
		"type='dir'><source dir='/srv/unattend'/>" +
			"": {Identity: "dir:/srv/unattend"},
	} {
		found, faults := readDefinition(domainOf("<devices><disk " + disk + "</disk></devices>"))
		if len(faults) > 0 || len(found.disks) != 1 || found.disks[0] != want {
			t.Errorf("%s: got %v %v, want %v", disk, found.disks, faults, want)
		}
	}
	if _, faults := readDefinition(domainOf("<devices><disk type='nvme'><source type='pci'/></disk></devices>" +
		"")); len(faults) != 1 {
		t.Errorf("an NVMe disk without its address: %v", faults)
	}
}

// What a definition names of its host, and what of that keeps it from moving live or
// stays behind.
func TestWhatTiesAVMToItsHost(t *testing.T) {
	image := "<disk type='file'><source file='/srv/vms/a.img'/></disk>"
	for name, c := range map[string]struct{ parts, notLive, stays string }{
		"nothing": {"<devices>" + image + "</devices>", "", ""},
		"PCI device": {"<devices><hostdev mode='subsystem' type='pci'><source><address domain='0' " +
			"bus='0x03' slot='0' function='0x1'/></source></hostdev></devices>", "the host device PCI 0000:03:00.1", ""},
		"USB device": {"<devices><hostdev mode='subsystem' type='usb'><source><vendor id='0x046d'/>" +
			"<product id='0xc077'/></source></hostdev></devices>", "the host device USB 046d:c077", ""},
		"mediated device": {"<devices><hostdev mode='subsystem' type='mdev'><source><address uuid='11-22'/>" +
			"</source></hostdev></devices>", "the host device mdev 11-22", ""},
		"SCSI device": {"<devices><hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>" +
			"<address bus='0' target='0' unit='0'/></source></hostdev></devices>", "the host device SCSI scsi_host0", ""},
		"iSCSI is not of the host": {"<devices><hostdev mode='subsystem' type='scsi'><source protocol='iscsi' " +
			"name='iqn:x/1'>" +
			"<host name='a'/></source></hostdev></devices>", "", ""},
		"network device": {"<devices><interface type='hostdev'><source><address type='pci' domain='0' " +
			"bus='0x07' slot='0' function='0'/></source></interface></devices>", "the host's network device PCI " +
			"0000:07:00.0", ""},
		"it is unplugged to move": {"<devices><interface type='hostdev'><source><address type='pci' domain='0' " +
			"bus='7' slot='0' function='0'/></source><teaming type='transient' persistent='n'/></interface>" +
			"</devices>", "", ""},
		"folder": {"<devices><filesystem type='mount'><driver type='virtiofs'/><source " +
			"dir='/srv/local'/><target dir='s'/></filesystem></devices>", "the host's folder /srv/local", "the " +
			"host's folder /srv/local"},
		"NVMe": {"<devices><disk type='nvme'><source type='pci'><address domain='0' bus='1' " +
			"slot='0' function='0'/></source></disk></devices>", "the host's NVMe device 0000:01:00.0/1", "the " +
			"host's NVMe device 0000:01:00.0/1"},
		"kernel's name": {"<devices><disk type='block'><source dev='/dev/sdb'/></disk></devices>" +
			"", "", "its disk /dev/sdb (another host gives that name to another disk)"},
		"name for all": {"<devices><disk type='block'><source dev='/dev/disk/by-id/wwn-1'/></disk>" +
			"</devices>", "", ""},
		"host's own folder": {"<devices><disk type='file'><source file='/var/lib/libvirt/images/a.img'/>" +
			"</disk></devices>", "", "its disk /var/lib/libvirt/images/a.img (a folder that most hosts have for themselves)"},
		"firmware's file": {"<os><nvram>/var/lib/libvirt/qemu/nvram/x_VARS.fd</nvram></os><devices>" +
			"" + image + "</devices>", "", "its UEFI variables (/var/lib/libvirt/qemu/nvram/x_VARS.fd)"},
		"beside the disk": {"<os><nvram>/srv/vms/x_VARS.fd</nvram></os><devices>" + image + "</devices>", "", ""},
		"libvirt chooses": {"<os firmware='efi'/>", "", "its UEFI variables " +
			"(/var/lib/libvirt/qemu/nvram/x_VARS.fd)"},
		"no variables": {"<os firmware='efi'><loader stateless='yes'/></os>", "", ""},
		"variables in the net": {"<os><nvram type='network'><source protocol='nbd' name='v'><host name='s'/>" +
			"</source></nvram></os>", "", ""},
		"emulated TPM": {"<devices><tpm><backend type='emulator'/></tpm></devices>", "", "its TPM's " +
			"state (/var/lib/libvirt/swtpm/" + uuidA + "; BitLocker and its like ask for their recovery key)"},
		"its state is shared": {"<devices>" + image + "<tpm><backend type='emulator'><source type='file' " +
			"path='/srv/vms/tpm'/></backend></tpm></devices>", "", ""},
		"host's TPM": {"<devices><tpm><backend type='passthrough'><device path='/dev/tpm1'/>" +
			"</backend></tpm></devices>", "the host's TPM /dev/tpm1", "the host's TPM /dev/tpm1"},
	} {
		found, _ := readDefinition(domainOf(c.parts))
		spec := resources.Spec{Bonds: found.bonds}
		if spec.NotLive() != c.notLive || spec.Stays() != c.stays {
			t.Errorf("%s: not live %q, stays %q", name, spec.NotLive(), spec.Stays())
		}
	}
	many, _ := readDefinition(domainOf("<devices>" + strings.Repeat("<shmem name='a'/>", 1000) + "</devices>"))
	if len(many.bonds) != mostBonds {
		t.Errorf("%d ties are kept of one VM", len(many.bonds))
	}
}

// Law L9: what the firmware of two VMs writes into is a disk like any other.
func TestOneFileOfVariablesForTwoVMsIsRefused(t *testing.T) {
	one := domainOf("<os><nvram>/srv/vars.fd</nvram></os>")
	two := strings.ReplaceAll(strings.Replace(one, "<name>x", "<name>y", 1), uuidA, uuidB)
	text := "cluster: a\nservices:\n  vm:x:\n    definition: \"" + one + "\"\n  vm:y:\n    definition: \"" + two + "\"\n"
	_, err := Parse("d", []byte(text), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "vm:y could write to the disk file:/srv/vars.fd, and so "+
		"could vm:x") {
		t.Errorf("said %v", err)
	}
}

func TestWarningsOfWhatOneNodesLossMakesImpossible(t *testing.T) {
	const nodes = "cluster: a\nnodes: {n1: {}, n2: {}, n3: {}}\n"
	service := func(name, rest string) string {
		return "  service:" + name + ": {resources: [{type: \"systemd:" + name + "\"}]" + rest + "}\n"
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"nothing": {nodes + "services:\n" + service("a", "") + service("b", ", apart: [\"service:a\"]"), nil},
		"one node only": {nodes + "domains:\n  one: {restricted: true, members: " +
			"[n1]}\nservices:\n" + service("a", ", domain: one"),
			[]string{"d:6:3: warning: service:a may run on n1 only (domain one): while that node is down, it is down"}},
		"one in common": {nodes + "domains:\n  l: {restricted: true, members: [n1, n2]}\n  r: {restricted: " +
			"true, members: [n2, n3]}\nservices:\n" +
			service("a", ", domain: l") + service("b", ", domain: r, together: [\"service:a\"]"),
			[]string{"d:7:3: warning: services service:a and service:b run together, and n2 is the only node that " +
				"all their domains allow: while that is down, they do not run together"}},
		"as many as nodes": {nodes + "services:\n" + service("a", "") + service("b", ", apart: [\"service:a\"]") +
			service("c", ", apart: [\"service:a\", \"service:b\"]"),
			[]string{"d:4:3: warning: no two of the services service:a, service:b and service:c may share a node, " +
				"and there are 3 nodes for them (n1, n2 and n3): when one is down, one of them does not run"}},
		"as many as members": {nodes + "domains:\n  l: {restricted: true, members: [n1, n2]}\nservices:\n" +
			service("a", ", domain: l, exclusive: true") + service("b", ", domain: l"),
			[]string{"d:6:3: warning: no two of the services service:a and service:b may share a node, and there " +
				"are 2 nodes for them (n1 and n2): when one is down, one of them does not run"}},
		"two nodes": {"cluster: a\nnodes: {n1: {}, n2: {}}\n",
			[]string{"d:2:9: warning: there are two nodes and no two_node: when one is lost, the other has no " +
				"quorum and starts nothing. Say two_node, or add a witness"}},
	} {
		parsed, err := Parse("d", []byte(c.text), nil, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := parsed.Warnings.Lines(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got\n%s", name, strings.Join(got, "\n"))
		}
	}
}
