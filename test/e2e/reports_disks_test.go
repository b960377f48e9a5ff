package e2e

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/test/lab"
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

// retellOverlayOnALostHost: the host of such a VM dies. It stays down until a person has decided,
// however many nodes could run it.
func (f *fixture) retellOverlayOnALostHost(t *testing.T, ctx context.Context) {
	const overlay = "/srv/cluster/mover.overlay"
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node2", still2.Guest.Name: "node2"})
	before := f.remember(t, ctx)
	f.do(t, ctx, "node1", "virsh", "snapshot-create-as", "mover", "backup", "--disk-only", "--no-metadata", "--atomic",
		"--diskspec", "hda,snapshot=external,file="+overlay)
	f.noted(t, ctx, mover.Name(), overlay)
	if err := f.world.CutPower("node1"); err != nil {
		t.Fatal(err)
	}
	f.isDown(t, ctx, mover)
	f.noted(t, ctx, mover.Name(), "--declared-disks")
	f.refused(t, ctx, "node2", []string{"--declared-disks", overlay}, "clusvcadm", "-e", mover.Name())
	f.after(t, ctx, 10*time.Second)
	if where := f.hosts(t, ctx, mover.Guest.Name); len(where) != 0 {
		t.Errorf("it was started on %v without what it wrote", where)
	}
	if _, err := os.Stat(filepath.Join(f.world.SharedDirectory(), filepath.Base(overlay))); err != nil {
		t.Errorf("what it wrote is gone: %v", err)
	}
	f.do(t, ctx, "node2", "clusvcadm", "-e", mover.Name(), "--declared-disks")
	f.waitForAnswer(t, ctx, mover.Guest.Name)
	f.homeAgain(t, ctx, "node1")
	f.shell(t, ctx, "node1", "rm -f "+overlay)
	f.told(t, ctx, before.index, mover.Name(), "without file:"+overlay)
	f.checkGuests(t, ctx, before, still.Guest.Name, still2.Guest.Name)
}

// retellAttachedDisk: somebody attaches a disk by hand. It moves along live; a restart, which
// would lose it, asks for a word; the loss of the host, which asks nobody, says what it left.
func (f *fixture) retellAttachedDisk(t *testing.T, ctx context.Context) {
	const extra = "extra"
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node2", still2.Guest.Name: "node2"})
	before := f.remember(t, ctx)
	path := filepath.Join(f.world.SharedDirectory(), extra+".xml")
	if err := os.WriteFile(path, []byte(attachableDisk(extra)), 0o600); err != nil {
		t.Fatal(err)
	}
	f.do(t, ctx, "node1", "virsh", "attach-device", mover.Guest.Name, "/srv/cluster/"+extra+".xml", "--live")
	f.noted(t, ctx, mover.Name(), extra)
	for _, verb := range []string{"-R", "-d", "-s"} {
		f.refused(t, ctx, "node2", []string{"--declared-disks", extra}, "clusvcadm", verb, mover.Name())
	}
	f.refused(t, ctx, "node2", []string{"--declared-disks"}, "clusvcadm", "-r", mover.Name(), "-m", "node3")
	f.do(t, ctx, "node2", "clusvcadm", "-M", mover.Name(), "-m", "node3")
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
	f.noted(t, ctx, mover.Name(), extra)
	if xml := f.do(t, ctx, "node3", "virsh", "dumpxml", mover.Guest.Name); !strings.Contains(xml, "'"+extra+"'") {
		t.Errorf("the disk did not move along:\n%s", xml)
	}

	if err := f.world.CutPower("node3"); err != nil {
		t.Fatal(err)
	}
	f.runsElsewhere(t, ctx, mover, "node3")
	f.waitForAnswer(t, ctx, mover.Guest.Name)
	f.told(t, ctx, before.index, mover.Name(), "came back on its declared disks, without")
	f.homeAgain(t, ctx, "node3")
	f.checkGuests(t, ctx, before, still.Guest.Name, still2.Guest.Name)
	f.withAWord(t, ctx, before)
}

// withAWord: the same restart is done once a person says so.
func (f *fixture) withAWord(t *testing.T, ctx context.Context, before memory) {
	t.Helper()
	const extra = "extra"
	node := f.remember(t, ctx).owners[mover.Guest.Name]
	f.do(t, ctx, node, "virsh", "attach-device", mover.Guest.Name, "/srv/cluster/"+extra+".xml", "--live")
	f.noted(t, ctx, mover.Name(), extra)
	f.do(t, ctx, "node2", "clusvcadm", "-R", mover.Name(), "--declared-disks")
	f.waitAtRest(t, ctx)
	f.waitForAnswer(t, ctx, mover.Guest.Name)
	for _, host := range f.Nodes() {
		if xml := f.shell(t, ctx, host, "virsh dumpxml mover 2>/dev/null || true"); strings.Contains(xml, "'"+extra+"'") {
			t.Errorf("after its restart on %s it still has the disk:\n%s", host, xml)
		}
	}
	f.checkGuests(t, ctx, before, still.Guest.Name, still2.Guest.Name)
}

// attachableDisk is the disk of a guest of that name, as a second one that can be attached.
func attachableDisk(name string) string {
	_, disk, _ := strings.Cut(lab.GuestXML(lab.Guest{Name: name}), "<disk ")
	disk, _, _ = strings.Cut(disk, "</disk>")
	return "<disk " + strings.Replace(disk, "<target dev='hda' bus='ide'/>", "<target dev='vda' bus='virtio'/>", 1) +
		"</disk>\n"
}

// told holds that an event of a subject after an index has the words.
func (f *fixture) told(t *testing.T, ctx context.Context, after uint64, subject, words string) {
	t.Helper()
	events, err := f.Events(ctx, "node2", after)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events, func(e cluster.Event) bool {
		return e.Subject == subject && strings.Contains(e.Why.String(), words)
	}) {
		for _, e := range events {
			if e.Subject == subject {
				t.Log(e.From, " -> ", e.To, ": ", e.Why)
			}
		}
		t.Errorf("the timeline does not say of %s: %s", subject, words)
	}
}
