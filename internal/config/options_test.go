package config

import "testing"

func TestAgentsOfStorageAreNoDevicesOfPower(t *testing.T) {
	for agent, want := range map[string]string{
		"{agent: fence_scsi, devices: " +
			"\"/dev/disk/by-id/wwn-0x600140500000000a,/dev/disk/by-id/wwn-0x600140500000000b\"}": `a.yaml:4:28: option ` +
			`agent of device san is fence_scsi, which cuts machines off their storage and leaves them running. ` +
			`Write instead: san: {driver: scsi, options: {devices: "/dev/disk/by-id/wwn-0x600140500000000a ` +
			`/dev/disk/by-id/wwn-0x600140500000000b"}}; ` +
			`one such device serves all nodes, which register keys of clusterd's own; take the old keys off the disks`,
		"{agent: /usr/sbin/fence_mpath, devices: /dev/sdb}": `a.yaml:4:28: option agent of device san is fence_mpath, ` +
			`which cuts machines off their storage and leaves them running. ` +
			`Write instead: san: {driver: scsi, options: {devices: "/dev/disk/by-id/dm-uuid-mpath-3..."}}; ` +
			`one such device serves all nodes, which register keys of clusterd's own; take the old keys off the disks and ` +
			`out of multipath.conf`,
		"{agent: fence_sbd}": `a.yaml:4:28: option agent of device san is fence_sbd, which leaves a message for the ` +
			`machine and reads back that very message as off. ` +
			`Write instead: san: {driver: sbd, options: {devices: "/dev/disk/by-id/..."}}; clusterd watches the disk ` +
			`itself, so stop the service sbd on every node`,
		"{agent: fence_kdump}": `a.yaml:4:28: option agent of device san is fence_kdump, which waits for a crash dump ` +
			`and switches nothing`,
	} {
		_, err := Parse("a.yaml",
			[]byte("cluster: a\ndevices:\n  san: {driver: agent,\n    options: "+agent[:1]+"      "+agent[1:]+"}\n"), nil, nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", agent, err, want)
		}
	}
}

// What the fault tells to write is taken as it is.
func TestWhatIsToBeWrittenInsteadIsTaken(t *testing.T) {
	text := "cluster: a\ndevices:\n  san: {driver: scsi, options: {devices: \"/dev/disk/by-id/wwn-0x600140500000000a " +
		"/dev/disk/by-id/wwn-0x600140500000000b\"}}\n"
	if _, err := Parse("a.yaml", []byte(text), nil, nil); err != nil {
		t.Error(err)
	}
}
