package scsi

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/clusterd/clusterd/fence"
)

// Key is a reservation key. Zero means no key.
type Key uint64

// String writes the key as sg_persist does.
func (k Key) String() string { return fmt.Sprintf("0x%016x", uint64(k)) }

// KeyOf returns the key of a node: the cluster in the upper half, so that an
// operator who reads keys sees which belong together, the node in the lower.
// The names alone make it, so that every node derives the same without asking.
func KeyOf(cluster, node string) Key {
	upper := sha256.Sum256([]byte("cluster\x00" + cluster))
	lower := sha256.Sum256([]byte("node\x00" + cluster + "\x00" + node))
	// The lowest bit is set because a key of zero would mean "unregister".
	return Key(binary.BigEndian.Uint32(upper[:4]))<<32 | Key(binary.BigEndian.Uint32(lower[:4])) | 1
}

// Removal returns the commands that take a removed node's key off the disks of this kernel.
func (d *Driver) Removal(device fence.Device, by, removed string) []string {
	if device.Options[fence.OptionCommand] != "" {
		return nil
	}
	var commands []string
	for _, disk := range device.Disks() {
		commands = append(commands, fmt.Sprintf(
			"sg_persist --out --preempt-abort --prout-type=5 --param-rk=%s --param-sark=%s %s",
			KeyOf(d.options.Cluster, by), KeyOf(d.options.Cluster, removed), disk))
	}
	return commands
}
