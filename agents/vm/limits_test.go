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
	// By post-copy nothing is asked for beside it that QEMU or libvirt refuse with it, or lose the
	// guest by.
	m.postCopy = true
	only := libvirt.MIGRATE_LIVE | libvirt.MIGRATE_PEER2PEER | libvirt.MIGRATE_POSTCOPY | libvirt.MIGRATE_UNSAFE
	if flags, parameters = m.how(); flags != only || parameters.CompressionSet {
		t.Errorf("flags %x, %+v", flags, parameters)
	}
}

func TestAMoveStallsOnceItsPassesNoLongerShrink(t *testing.T) {
	type look struct{ pass, left uint64 }
	for _, c := range []struct {
		story string
		looks []look
		want  bool
	}{
		{"it shrinks", []look{{1, 640}, {1, 10}, {2, 200}, {3, 100}, {4, 50}, {5, 25}}, false},
		{"it does not", []look{{1, 640}, {2, 200}, {2, 20}, {3, 190}, {4, 195}}, true},
		{"it grows", []look{{1, 640}, {2, 200}, {3, 300}, {4, 400}}, true},
		{"once is chance", []look{{1, 640}, {2, 200}, {3, 199}, {4, 100}, {5, 50}}, false},
		{"the second pass is compared with no other", []look{{1, 64}, {2, 64}, {3, 60}}, false},
		{"a look within a pass says nothing new", []look{{1, 640}, {2, 200}, {3, 190}, {3, 195}, {3, 180}}, false},
	} {
		var p passes
		got := false
		for _, l := range c.looks {
			got = p.stall(l.pass, l.left) || got
		}
		if got != c.want {
			t.Errorf("%s: %v", c.story, got)
		}
	}
}
