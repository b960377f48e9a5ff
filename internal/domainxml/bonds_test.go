package domainxml

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

const uuidA = "00000000-0000-4000-8000-00000000000a"

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
		found, faults := Read(domainOf("<devices><disk " + disk + "</disk></devices>"))
		if len(faults) > 0 || len(found.Disks) != 1 || found.Disks[0] != want {
			t.Errorf("%s: got %v %v, want %v", disk, found.Disks, faults, want)
		}
	}
	if _, faults := Read(domainOf("<devices><disk type='nvme'><source type='pci'/></disk></devices>" +
		"")); len(faults) != 1 {
		t.Errorf("an NVMe disk without its address: %v", faults)
	}
}

// TestTheFirmwaresVariablesAreWritten: the file that keeps them is a disk that one VM alone may
// write, wherever it lies.
func TestTheFirmwaresVariablesAreWritten(t *testing.T) {
	for nvram, want := range map[string]string{
		"<nvram>/srv/vms/x_VARS.fd</nvram>":                                                       "file:/srv/vms/x_VARS.fd",
		"<nvram type='file'><source file='/srv/vms/x_VARS.fd'/></nvram>":                          "file:/srv/vms/x_VARS.fd",
		"<nvram type='block'><source dev='/dev/vg/vars'/></nvram>":                                "block:/dev/vg/vars",
		"<nvram type='network'><source protocol='nbd' name='v'><host name='s'/></source></nvram>": "nbd://s:10809/v",
	} {
		found, faults := Read(domainOf("<os>" + nvram + "</os>"))
		if len(faults) > 0 || len(found.Disks) != 1 || found.Disks[0] != (resources.Disk{Identity: want, State: true}) {
			t.Errorf("%s: got %v %v, want %s", nvram, found.Disks, faults, want)
		}
		disk := []resources.Disk{{Identity: want}}
		if clash := resources.Conflicts(found.Disks, disk); len(clash) != 1 {
			t.Errorf("%s may be another VM's disk: %v", nvram, clash)
		}
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
		found, _ := Read(domainOf(c.parts))
		spec := resources.Spec{Bonds: found.Bonds}
		if spec.NotLive() != c.notLive || spec.Stays() != c.stays {
			t.Errorf("%s: not live %q, stays %q", name, spec.NotLive(), spec.Stays())
		}
	}
	many, _ := Read(domainOf("<devices>" + strings.Repeat("<shmem name='a'/>", 1000) + "</devices>"))
	if len(many.Bonds) != mostBonds {
		t.Errorf("%d ties are kept of one VM", len(many.Bonds))
	}
}

func TestIdentities(t *testing.T) {
	for source, want := range map[string]string{
		"type='network'><source protocol='nbd' name='web'>" +
			"<host name='store' /></source>": "nbd://store:10809/web",
		"type='network'><source protocol='nbd' name='web'>" +
			"<host name='fe80::1' port='5'/></source>": "nbd://[fe80::1]:5/web",
		"type='network'><source protocol='nbd' name='w'>" +
			"<host transport='unix' socket='/run/n'/></source>": "nbd+unix:///w?socket=/run/n",
		"type='network'><source protocol='rbd' name='pool/image'><host name='m1'/><host " +
			"name='m2'/></source>": "rbd:pool/image",
		"type='network'><source protocol='iscsi' name='iqn.2010:x/1'>" +
			"<host name='10.0.0.1'/></source>": "iscsi://10.0.0.1:3260/iqn.2010:x/1",
		"type='block'><source dev='/dev/vg/a'/>":      "block:/dev/vg/a",
		"type='volume'><source pool='p' volume='v'/>": "volume:p/v",
		"><source file='/without/a/type'/>":           "file:/without/a/type",
	} {
		found, faults := Read(domainOf("<devices><disk " + source + "</disk></devices>"))
		if len(faults) > 0 || len(found.Disks) != 1 || found.Disks[0].Identity != want {
			t.Errorf("%s: got %v %v, want %s", source, found.Disks, faults, want)
		}
	}
}
