package vm

import (
	"slices"
	"strings"
	"testing"

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
		if got := keepsTPM(c.before); got != c.after {
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
