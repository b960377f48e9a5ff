//go:build cgo

package vm

import (
	"testing"

	libvirt "libvirt.org/go/libvirt"
)

// libvirt's own test driver has one network and one pool, both active.
func TestNetworksAndPoolsThatAreNotHere(t *testing.T) {
	conn, err := libvirt.NewConnect("test:///default")
	if err != nil {
		t.Skip("no libvirt here: ", err)
	}
	defer func() { _, _ = conn.Close() }()
	for name, c := range map[string]struct {
		active func(*libvirt.Connect, string) (bool, error)
		there  bool
	}{"default": {activeNetwork, true}, "default-pool": {activePool, true}, "lan9": {activeNetwork, false},
		"pool9": {activePool, false}} {
		if there, err := c.active(conn, name); there != c.there || err != nil {
			t.Errorf("%s: %v, %v", name, there, err)
		}
	}
}
