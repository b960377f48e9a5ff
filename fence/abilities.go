package fence

import "context"

// What some drivers can do besides is an interface of its own here, so that who asks for it
// knows no driver: it takes the Driver of a device and looks whether it can.

// Registrar is a driver whose nodes have to be registered with its disks before they run
// anything, and are cut off by losing that.
type Registrar interface {
	// Unfence registers this node on every disk of a device and reads back. After an error
	// the node must not be admitted.
	Unfence(ctx context.Context, device Device) error
	// Survey reads every disk and changes nothing. An error is returned only for a faulty
	// declaration; what is wrong with a disk is in its Finding.
	Survey(ctx context.Context, device Device) ([]Finding, error)
	// Removal returns the commands by which a person takes what a removed node has left on
	// the disks of a device, typed on the node called by. There are none where a program
	// outside of the kernel reserves.
	Removal(device Device, by, removed string) []string
}

// Messenger is a driver that leaves messages for nodes.
type Messenger interface {
	// Clear wipes the messages for a node. The caller does this only when no fence of that
	// node is open, before the node is admitted.
	Clear(ctx context.Context, device Device, node string) error
}

// Finding is how it stands with one disk.
type Finding struct {
	// Device is the path as declared.
	Device string
	// Read reports whether keys and reservation could be read at all.
	Read bool
	// Registered reports whether this node's own key is there. False with Read
	// means that this node is cut off or was never admitted.
	Registered bool
	// Reserved reports whether anybody holds a reservation; without one everybody may
	// write.
	Reserved bool
	// Nodes are the registered nodes, by name.
	Nodes []string
	// Problem is empty when the disk would serve a fence right now.
	Problem string
}
