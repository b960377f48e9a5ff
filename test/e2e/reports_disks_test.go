package e2e

import (
	"context"
	"testing"
)

// retellOverlay: a backup takes a snapshot of a running VM and dies before it merges it. Nothing
// may throw away what the guest wrote since without a person's word.
func (f *fixture) retellOverlay(t *testing.T, ctx context.Context) {
	const overlay = "/srv/cluster/mover.overlay"
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1"})
	run := f.watches[mover.Guest.Name].Seen().Nonce
	f.do(t, ctx, "node1", "virsh", "snapshot-create-as", "mover", "backup", "--disk-only", "--no-metadata", "--atomic",
		"--diskspec", "hda,snapshot=external,file="+overlay)
	defer f.shell(t, ctx, "node1", "rm -f "+overlay)
	f.noted(t, ctx, mover.Name(), overlay)
	for _, verb := range []string{"-R", "-d", "-s"} {
		f.refused(t, ctx, "node2", []string{"--declared-disks"}, "clusvcadm", verb, mover.Name())
	}
	f.refused(t, ctx, "node2", []string{"--declared-disks"}, "clusvcadm", "-r", mover.Name(), "-m", "node2")
	f.waitForAnswer(t, ctx, mover.Guest.Name)
	if now := f.watches[mover.Guest.Name].Seen().Nonce; now != run {
		t.Errorf("the guest is another run: %s, was %s", now, run)
	}

	// Its process dies: what it wrote lies in the overlay, and no start may pass that over.
	f.shell(t, ctx, "node1", "kill -KILL $(cat /run/libvirt/qemu/mover.pid)")
	f.isDown(t, ctx, mover)
	f.noted(t, ctx, mover.Name(), "--declared-disks")
	if where := f.hosts(t, ctx, mover.Guest.Name); len(where) != 0 {
		t.Errorf("it was started on %v without what it wrote", where)
	}
	f.do(t, ctx, "node2", "clusvcadm", "-e", mover.Name(), "--declared-disks")
	f.waitAtRest(t, ctx)
	if err := f.world.CheckSingleWriter(mover.Guest); err != nil {
		t.Error(err)
	}
}
