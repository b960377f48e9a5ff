package config

import (
	"strings"
	"testing"
)

const guardedText = `cluster: alpha
nodes:
  node1:
    fence: [[bmc1], [wd]]
  node2:
    fence: [[san], [wd]]
  node3:
    fence: [[pill]]
devices:
  bmc1: {driver: ipmi, address: 10.0.0.101}
  san:
    driver: scsi
    options: {devices: /dev/disk/by-id/wwn-0x6001405aaaaaaaaa}
  wd:
    driver: watchdog
    options: {timeout: 20s, lease: 8s}
  pill:
    driver: sbd
    options: {devices: /dev/disk/by-id/scsi-x, timeout: 5s}
`

func TestStorageWatchdogAndPillAreDeclared(t *testing.T) {
	parsed, err := Parse("cluster.yaml", []byte(guardedText), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if settings, err := parsed.Document.Devices["wd"].Settings(); err != nil || settings.Timeout.String() != "20s" ||
		settings.Lease.String() != "8s" {
		t.Errorf("the watchdog is %+v, %v", settings, err)
	}
	if text := Print(parsed.Document); strings.Contains(text, " at ,") || !strings.Contains(text, "device wd, watchdog") {
		t.Errorf("printed as %s", text)
	}
}

func TestGuardsThatCannotBeHaveTheirPlace(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"the lease is not the shorter one": {"lease: 8s", "lease: 20s",
			"cluster.yaml:15:5: device wd: lease is 20s and timeout is 20s"},
		"a lease shorter than a hand-over": {"lease: 8s", "lease: 2s",
			"cluster.yaml:15:5: device wd: a lease of 2s is not longer than the 2s"},
		"a timeout in fractions": {"timeout: 20s", "timeout: 1500ms",
			"cluster.yaml:16:24: option timeout of device wd is \"1500ms\""},
		"an option nobody knows": {"lease: 8s", "leese: 8s", "option \"leese\" of device wd is not known"},
		"an address": {"driver: scsi", "driver: scsi\n    address: 10.0.0.1",
			"cluster.yaml:13:5: device san has address"},
		"no disks": {"{devices: /dev/disk/by-id/wwn-0x6001405aaaaaaaaa}", "{}",
			"device san has no option devices"},
		"a name that changes": {"/dev/disk/by-id/wwn-0x6001405aaaaaaaaa", "/dev/sda",
			"no stable name of a whole disk"},
		"two disks for messages": {"/dev/disk/by-id/scsi-x", `"/dev/disk/by-id/a /dev/disk/by-id/b"`,
			"one or three"},
		"two watchdogs in one node": {"[[pill]]", "[[pill], [wd]]", "a node has one watchdog"},
		"a BMC of two nodes":        {"[[san], [wd]]", "[[bmc1], [wd]]", "a BMC belongs to one machine"},
	} {
		text := strings.Replace(guardedText, c.old, c.new, 1)
		if _, err := Parse("cluster.yaml", []byte(text), nil, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestALeaseAndTwoNodesExcludeEachOther(t *testing.T) {
	text := `cluster: alpha
two_node: {}
nodes:
  node1: {fence: [[bmc1], [wd]]}
  node2: {fence: [[bmc2]]}
devices:
  bmc1: {driver: ipmi, address: 10.0.0.101}
  bmc2: {driver: ipmi, address: 10.0.0.102}
  wd: {driver: watchdog}
`
	if _, err := Parse("cluster.yaml", []byte(text), nil, nil); err == nil ||
		!strings.Contains(err.Error(), "cluster.yaml:4:3: node node1 has a watchdog with a lease") {
		t.Errorf("%v", err)
	}
}
