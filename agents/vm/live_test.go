package vm

import (
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

const snapshotted = `<domain type='kvm' id='3'>
  <name>web</name><uuid>6f9619ff-8b86-d011-b42d-00cf4fc964f1</uuid>
  <os><nvram template='/usr/share/OVMF/OVMF_VARS.fd'>/var/lib/libvirt/qemu/nvram/web_VARS.fd</nvram></os>
  <devices>
    <disk type='file' device='disk'>
      <source file='/srv/web.snap2' index='4'/>
      <backingStore type='file' index='3'><format type='qcow2'/><source file='/srv/web.snap'/>
        <backingStore type='file' index='1'><source file='/srv/web.img'/><backingStore/></backingStore>
      </backingStore>
      <target dev='vda'/>
    </disk>
    <disk type='block' device='disk'>
      <source dev='/dev/vg/old' index='5'/><backingStore/>
      <mirror type='block' job='copy'><source dev='/dev/vg/new'/></mirror>
      <target dev='vdb'/>
    </disk>
    <disk type='file' device='cdrom'><source file='/srv/iso/live.iso'/>
      <backingStore type='file'><source file='/x'/></backingStore><readonly/></disk>
  </devices>
</domain>`

func TestDisksOfWhatRuns(t *testing.T) {
	disks, _, _, err := DisksOf(snapshotted)
	if err != nil {
		t.Fatal(err)
	}
	want := []resources.Disk{
		{Identity: "file:/srv/web.snap2"}, {Identity: "file:/srv/web.snap", Behind: "file:/srv/web.snap2"},
		{Identity: "file:/srv/web.img", Behind: "file:/srv/web.snap2"},
		{Identity: "block:/dev/vg/old"}, {Identity: "block:/dev/vg/new"},
		{Identity: "file:/srv/iso/live.iso", ReadOnly: true},
		{Identity: "file:/var/lib/libvirt/qemu/nvram/web_VARS.fd", State: true},
	}
	if len(disks) != len(want) {
		t.Fatalf("%+v", disks)
	}
	for i := range want {
		if disks[i] != want[i] {
			t.Errorf("disk %d is %+v, wanted %+v", i, disks[i], want[i])
		}
	}
	drift := resources.DriftOf([]resources.Disk{{Identity: "file:/srv/web.img"}, {Identity: "block:/dev/vg/old"}}, disks)
	if drift.String() != "file:/srv/web.snap2 over file:/srv/web.img; block:/dev/vg/new besides" {
		t.Errorf("it went astray: %q", drift)
	}
}

// An active commit mirrors into what lies behind: that is no disk besides.
func TestACommitUnderWayIsNoOtherDisk(t *testing.T) {
	disks, _, _, err := DisksOf(strings.Replace(snapshotted, "<target dev='vda'/>",
		"<mirror type='file' job='active-commit'><source file='/srv/web.img'/></mirror><target dev='vda'/>", 1))
	if err != nil || len(disks) != 7 {
		t.Errorf("%v, %+v", err, disks)
	}
}

func TestAVMKeepsItsTPM(t *testing.T) {
	const kept = "persistent_state='yes'"
	in := func(backend string) string {
		return "<domain><devices><tpm model='tpm-crb'>" + backend + "</tpm></devices></domain>"
	}
	for _, c := range []struct{ before, after string }{
		{in("<backend type='emulator' version='2.0'/>"), in("<backend type='emulator' version='2.0' " + kept + "/>")},
		{in(`<backend type="emulator"><encryption secret='1'/></backend>`),
			in(`<backend type="emulator" ` + kept + `><encryption secret='1'/></backend>`)},
		{in("<backend type='emulator' persistent_state='no'/>"), in("<backend type='emulator' " + kept + "/>")},
		{in("<backend type='emulator' " + kept + "/>"), in("<backend type='emulator' " + kept + "/>")},
		{in("<backend type='passthrough'><device path='/dev/tpm0'/></backend>"), ""},
		{"<domain><devices><rng><backend model='random'>/dev/urandom</backend></rng></devices></domain>", ""},
		{"<domain><!-- <tpm><backend type='emulator'/></tpm> --><devices/></domain>", ""},
		{"<domain><description>&lt;tpm&gt;&lt;backend type='emulator'/&gt;</description><devices/></domain>", ""},
	} {
		if c.after == "" {
			c.after = c.before
		}
		if got := toCreate(agents.Act{Definition: c.before}); got != c.after {
			t.Errorf("%s\nbecame %s", c.before, got)
		}
	}
}

// TestADiskThatCannotBeNamedHidesNoOther: whatever was plugged in, what the VM writes besides is
// seen, and so is that there is something of which nobody knows what it is.
func TestADiskThatCannotBeNamedHidesNoOther(t *testing.T) {
	const uuid = "6f9619ff-8b86-d011-b42d-00cf4fc964f1"
	known := liveDisks(snapshotted, uuid)
	for _, tc := range []struct {
		name, disk string
		want       []resources.Disk
	}{
		{"vhostvdpa", "<disk type='vhostvdpa' device='disk'><source dev='/dev/vhost-vdpa-0'/><target dev='vdc'/></disk>",
			[]resources.Disk{{Identity: "unreadable:" + uuid + "/vdc"}}},
		{"without a host", "<disk type='network' device='disk'><source protocol='nbd' name='x'/></disk>",
			[]resources.Disk{{Identity: "unreadable:" + uuid + "/1"}}},
		{"a medium", "<disk type='vhostvdpa' device='cdrom'><source dev='/dev/x'/><target dev='sda'/></disk>",
			[]resources.Disk{{Identity: "unreadable:" + uuid + "/sda", ReadOnly: true}}},
		{"an overlay", "<disk type='vhostvdpa' device='disk'><source dev='/dev/x'/><backingStore type='file'>" +
			"<source file='/srv/a.img'/></backingStore><target dev='vdc'/></disk>",
			[]resources.Disk{{Identity: "unreadable:" + uuid + "/vdc"},
				{Identity: "file:/srv/a.img", Behind: "unreadable:" + uuid + "/vdc"}}},
		{"a copy under way", "<disk type='vhostvdpa' device='disk'><source dev='/dev/x'/><mirror type='file'>" +
			"<source file='/srv/b.img'/></mirror><target dev='vdc'/></disk>",
			[]resources.Disk{{Identity: "unreadable:" + uuid + "/vdc"}, {Identity: "file:/srv/b.img"}}},
		{"an empty drive", "<disk type='network' device='floppy'><target dev='fda'/></disk>", nil},
		{"copied to what cannot be named", "<disk type='block' device='disk'><source dev='/dev/vg/a'/>" +
			"<mirror type='network' job='copy'><source protocol='nbd' name='x'/></mirror><target dev='vdd'/></disk>",
			[]resources.Disk{{Identity: "block:/dev/vg/a"}, {Identity: "unreadable:" + uuid + "/vdd"}}},
	} {
		disks := liveDisks(strings.Replace(snapshotted, "<devices>", "<devices>"+tc.disk, 1), uuid)
		if want := append(tc.want, known...); !slices.Equal(disks, want) {
			t.Errorf("%s: %+v, wanted %+v", tc.name, disks, want)
		}
	}
	if disks := liveDisks("<domain", uuid); len(disks) != 1 || disks[0].ReadOnly {
		t.Errorf("of what cannot be read at all: %+v", disks)
	}
}

// TestStorageThatIsNoDiskInTheXMLIsOne: a unit that is handed over as a device is written as a disk
// is, and so is a folder. internal/domainxml has the twin of this test for what is declared.
func TestStorageThatIsNoDiskInTheXMLIsOne(t *testing.T) {
	const iscsi = "<source protocol='iscsi' name='iqn.2010:x/1'><host name='store'/></source>"
	const unit = "<source><adapter name='scsi_host0'/><address bus='0' target='3' unit='1'/></source>"
	for name, c := range map[string]struct {
		devices string
		want    resources.Disk
	}{
		"iSCSI": {"<hostdev mode='subsystem' type='scsi'>" + iscsi + "</hostdev>",
			resources.Disk{Identity: "iscsi://store:3260/iqn.2010:x/1"}},
		"a unit": {"<hostdev mode='subsystem' type='scsi'>" + unit + "</hostdev>",
			resources.Disk{Identity: "scsi:scsi_host0/0:3:1"}},
		"a unit of many": {"<hostdev mode='subsystem' type='scsi'><shareable/>" + unit + "</hostdev>",
			resources.Disk{Identity: "scsi:scsi_host0/0:3:1", Shared: true}},
		"a unit that is read": {"<hostdev mode='subsystem' type='scsi'><readonly/>" + unit + "</hostdev>",
			resources.Disk{Identity: "scsi:scsi_host0/0:3:1", ReadOnly: true}},
		"a target": {"<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5001'/></hostdev>",
			resources.Disk{Identity: "vhost-scsi:naa.5001"}},
		"a folder": {"<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv/a'/><target dir='s'/></filesystem>",
			resources.Disk{Identity: "dir:/srv/a", Shared: true}},
		"a folder that is read": {"<filesystem><source dir='/srv/a'/><target dir='s'/><readonly/></filesystem>",
			resources.Disk{Identity: "dir:/srv/a", Shared: true, ReadOnly: true}},
		"a folder behind a socket": {"<filesystem type='mount'><source socket='/run/fs'/></filesystem>",
			resources.Disk{Identity: "virtiofs:/run/fs", Shared: true}},
	} {
		text := "<domain><devices>" + c.devices + "</devices></domain>"
		declared, _, _, err := DisksOf(text)
		if live := liveDisks(text, "u"); err != nil || !slices.Equal(live, []resources.Disk{c.want}) ||
			!slices.Equal(live, declared) {
			t.Errorf("%s: got %v, and %v %v as declared; want %v", name, live, declared, err, c.want)
		}
	}
	if disks := liveDisks("<domain><devices><hostdev type='usb'/></devices></domain>", "u"); len(disks) > 0 {
		t.Errorf("what is no storage is %v", disks)
	}
	nameless := "<domain><devices><hostdev type='scsi'><source/></hostdev></devices></domain>"
	if _, _, _, err := DisksOf(nameless); err == nil {
		t.Error("a unit that cannot be named may be started")
	}
	if disks := liveDisks(nameless, "u"); !slices.Equal(disks, []resources.Disk{{Identity: "unreadable:u/hostdev1"}}) {
		t.Errorf("a unit that cannot be named is %v", disks)
	}
}
