package domainxml

import (
	"slices"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// TestStorageThatIsNoDiskInTheXMLIsOne: a unit that is handed over as a device is written as a disk
// is, and so is a folder. agents/vm has the twin of this test for what runs.
func TestStorageThatIsNoDiskInTheXMLIsOne(t *testing.T) {
	const iscsi = "<source protocol='iscsi' name='iqn.2010:x/1'><host name='store'/></source>"
	const unit = "<source><adapter name='scsi_host0'/><address bus='0' target='3' unit='1'/></source>"
	for name, c := range map[string]struct {
		devices string
		want    []resources.Disk
	}{
		"iSCSI": {"<hostdev mode='subsystem' type='scsi'>" + iscsi + "</hostdev>",
			[]resources.Disk{{Identity: "iscsi://store:3260/iqn.2010:x/1"}}},
		"a unit": {"<hostdev mode='subsystem' type='scsi'>" + unit + "</hostdev>",
			[]resources.Disk{{Identity: "scsi:scsi_host0/0:3:1"}}},
		"a unit of many": {"<hostdev mode='subsystem' type='scsi'><shareable/>" + unit + "</hostdev>",
			[]resources.Disk{{Identity: "scsi:scsi_host0/0:3:1", Shared: true}}},
		"a unit that is read": {"<hostdev mode='subsystem' type='scsi'><readonly/>" + unit + "</hostdev>",
			[]resources.Disk{{Identity: "scsi:scsi_host0/0:3:1", ReadOnly: true}}},
		"a target": {"<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5001'/></hostdev>",
			[]resources.Disk{{Identity: "vhost-scsi:naa.5001"}}},
		"no storage": {"<hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/></source></hostdev>", nil},
		"a folder": {"<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv/a'/><target dir='s'/></filesystem>",
			[]resources.Disk{{Identity: "dir:/srv/a", Shared: true}}},
		"a folder that is read": {"<filesystem><source dir='/srv/a'/><target dir='s'/><readonly/></filesystem>",
			[]resources.Disk{{Identity: "dir:/srv/a", Shared: true, ReadOnly: true}}},
		"a folder behind a socket": {"<filesystem type='mount'><source socket='/run/fs'/></filesystem>",
			[]resources.Disk{{Identity: "virtiofs:/run/fs", Shared: true}}},
	} {
		found, faults := Read(domainOf("<devices>" + c.devices + "</devices>"))
		if len(faults) > 0 || !slices.Equal(found.Disks, c.want) {
			t.Errorf("%s: got %v %v, want %v", name, found.Disks, faults, c.want)
		}
	}
	for _, nameless := range []string{"<source protocol='iscsi' name='x'/>", "<source/>",
		"<source><adapter name='scsi_host0'/><address bus='x'/></source>"} {
		found, faults := Read(domainOf("<devices><hostdev type='scsi'>" + nameless + "</hostdev></devices>"))
		if len(faults) != 1 || len(found.Disks) > 0 {
			t.Errorf("%s: got %v %v, want one fault", nameless, found.Disks, faults)
		}
	}
}
