package vm

import (
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

func TestDisksOf(t *testing.T) {
	definition := `<domain type='kvm'><name> web </name><uuid>AAAA</uuid><devices>
	<disk type='file' device='disk'><source file='/srv/a.img'/><target dev='vda'/></disk>
	<disk type='block' device='disk'><source dev='/dev/disk/by-id/x'/><shareable/></disk>
	<disk type='file' device='cdrom'><source file='/srv/i.iso'/></disk>
	<disk type='file' device='cdrom'/>
	<disk type='file' device='disk'><source file='/srv/ro.img'/><readonly/></disk>
	<disk type='network' device='disk'>
		<source protocol='nbd' name='web'><host name='10.0.0.1' port='10810'/></source></disk>
	<disk type='network' device='disk'><source protocol='nbd' name='web'><host name='10.0.0.1'/></source></disk>
	<disk type='network' device='disk'>
		<source protocol='nbd' name='web'><host transport='unix' socket='/run/n'/></source></disk>
	<disk type='network' device='disk'><source protocol='rbd' name='pool/image'><host name='m1'/></source></disk>
	<disk type='network' device='disk'><source protocol='iscsi' name='iqn.x/1'><host name='fd00::1'/></source></disk>
	<disk type='volume' device='disk'><source pool='p' volume='v'/></disk>
	</devices></domain>`
	disks, uuid, name, err := DisksOf(definition)
	if err != nil || uuid != "aaaa" || name != "web" {
		t.Fatalf("%q %q %v", uuid, name, err)
	}
	want := []resources.Disk{
		{Identity: "file:/srv/a.img"},
		{Identity: "block:/dev/disk/by-id/x", Shared: true},
		{Identity: "file:/srv/i.iso", ReadOnly: true},
		{Identity: "file:/srv/ro.img", ReadOnly: true},
		{Identity: "nbd://10.0.0.1:10810/web"},
		{Identity: "nbd://10.0.0.1:10809/web"},
		{Identity: "nbd+unix:///web?socket=/run/n"},
		{Identity: "rbd:pool/image"},
		{Identity: "iscsi://[fd00::1]:3260/iqn.x/1"},
		{Identity: "volume:p/v"},
	}
	if !slices.Equal(disks, want) {
		t.Fatalf("got  %+v\nwant %+v", disks, want)
	}
	without := ImageLocks(disks)
	if len(without) != 7 || !strings.Contains(strings.Join(without, "\n"), "nbd://10.0.0.1:10809/web: no image lock") {
		t.Fatalf("%q", without)
	}
}

func TestDisksWithoutIdentityAreRefused(t *testing.T) {
	for _, definition := range []string{
		"not xml",
		"<network/>",
		"<domain><devices><disk type='nvme'><source type='pci'/></disk></devices></domain>",
		"<domain><devices><disk type='network'><source protocol='nbd' name='x'/></disk></devices></domain>",
		"<domain><devices><disk type='network'><source/></disk></devices></domain>",
	} {
		if disks, _, _, err := DisksOf(definition); err == nil {
			t.Errorf("%s: %+v", definition, disks)
		}
	}
}
