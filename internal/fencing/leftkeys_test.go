package fencing

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/scsi"
)

// board is a driver that registers nothing.
type board struct{ fence.Driver }

func TestTheKeysOfARemovedNodeAreTold(t *testing.T) {
	root := &cluster.State{}
	for _, n := range []cluster.Member{{Name: "node1", Witness: true}, {Name: "node2"}, {Name: "node3"}} {
		root.Nodes.Set(n.Name, n)
	}
	drivers := map[string]fence.Driver{fence.DriverIPMI: board{}, fence.DriverStorage: scsi.New(scsi.Options{
		Cluster: "one", Node: "node2", Nodes: root.Nodes.Keys, Helper: []string{"none"}})}
	if by := storageHand(root, "node3", "node4"); by != "node3" {
		t.Errorf("%s is to type it, though node3 was asked and is registered", by)
	}
	by := storageHand(root, "node1", "node4")
	if by != "node2" {
		t.Errorf("%s is to type it; a witness is not registered", by)
	}
	if told := keysLeftBehind(root, drivers, by, "node1"); told != "" {
		t.Errorf("without any disks: %s", told)
	}
	root.Document.Devices = map[string]fence.Device{
		"bmc":   {Driver: "ipmi"},
		"san":   {Driver: "scsi", Options: map[string]string{"devices": "/dev/disk/by-id/b /dev/disk/by-id/a"}},
		"again": {Driver: "scsi", Options: map[string]string{"devices": "/dev/disk/by-id/a"}},
	}
	// The own key comes first, then that of node1, which a test of fence/scsi pins.
	preempt := "\n  sg_persist --out --preempt-abort --prout-type=5 --param-rk=0x1be19564771624c7 " +
		"--param-sark=0x1be19564f4f5f451 /dev/disk/by-id/"
	want := "Its reservation key may still be on the disks, and then the checks of them fail. When the machine is " +
		"off or wiped, type on node2:" + preempt + "a" + preempt + "b"
	if told := keysLeftBehind(root, drivers, by, "node1"); told != want {
		t.Errorf("told:\n%s\nwant:\n%s", told, want)
	}
	root.Nodes = root.Nodes.Fork()
	root.Nodes.Delete("node2")
	root.Nodes.Delete("node3")
	if told := keysLeftBehind(root, drivers, storageHand(root, "node1", "node2"), "node2"); told != "" {
		t.Errorf("with nobody who is registered: %s", told)
	}
}
