//go:build cgo

package vm

import (
	"testing"

	"libvirt.org/go/libvirt"

	"github.com/clusterd/clusterd/resources"
)

func TestHowAMoveIsAskedFor(t *testing.T) {
	m := &move{agent: &Agent{}, migrateURI: "unix:///m.sock"}
	flags, parameters := m.how()
	always := libvirt.MIGRATE_LIVE | libvirt.MIGRATE_PEER2PEER | libvirt.MIGRATE_PAUSED | libvirt.MIGRATE_ABORT_ON_ERROR
	if flags != always || parameters.URI != "unix:///m.sock" || parameters.BandwidthSet || parameters.CompressionSet {
		t.Errorf("flags %x, %+v", flags, parameters)
	}
	m.limits = resources.Migration{AutoConverge: true, Compression: true, Bandwidth: 200}
	flags, parameters = m.how()
	if flags != always|libvirt.MIGRATE_AUTO_CONVERGE|libvirt.MIGRATE_COMPRESSED || !parameters.BandwidthSet ||
		parameters.Bandwidth != 200 || parameters.Compression != "xbzrle" {
		t.Errorf("flags %x, %+v", flags, parameters)
	}
	m.agent.options.Unsafe = true
	if flags, _ = m.how(); flags&libvirt.MIGRATE_UNSAFE == 0 || flags&libvirt.MIGRATE_POSTCOPY != 0 {
		t.Errorf("flags %x", flags) // what arrives paused and what is fetched later exclude each other
	}
}
