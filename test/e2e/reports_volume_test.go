package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

// ownVolume is a file system that a node has its data folder on, alone.
type ownVolume struct {
	f     *fixture
	node  string
	image string
}

const dataFolder = "/var/lib/clusterd"

// soon is within how long everybody has to know of a volume that fails; the node looks every two
// seconds.
const soon = 20 * time.Second

// retellVolume: the volume of a node's data folder is full, or turns read-only as a file system
// does after an error.
func (f *fixture) retellVolume(t *testing.T, ctx context.Context) {
	const node = "node3"
	f.settleOn(t, ctx, map[string]string{mover.Guest.Name: "node1", still.Guest.Name: "node1", still2.Guest.Name: node})
	v := f.giveVolume(t, ctx, node)
	f.leadFrom(t, ctx, "node1", "node2")
	part := func(name string, retell func(*fixture, *testing.T, context.Context, ownVolume)) {
		f.step(t, ctx, name, storyLimit, func(t *testing.T, ctx context.Context) { retell(f, t, ctx, v) })
	}
	part("it is full", (*fixture).retellFull)
	part("it is read-only and mended", (*fixture).retellMended)
	part("it is read-only for long", (*fixture).retellReadOnly)
}

// retellFull: room is made while the daemon runs. Nothing else has to be done, and nothing is
// fenced.
func (f *fixture) retellFull(t *testing.T, ctx context.Context, v ownVolume) {
	before := f.remember(t, ctx)
	v.shell(t, ctx, "head -c $(( ($(stat -f -c '%a*%S' "+dataFolder+") >> 20) - 40 ))M /dev/zero >"+dataFolder+"/ballast")
	v.known(t, ctx, "are free on the volume")
	v.shell(t, ctx, "rm "+dataFolder+"/ballast")
	v.well(t, ctx, before.index)
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
}

// retellMended: it is mended in the time that a deaf node has. The node is given no work meanwhile.
func (f *fixture) retellMended(t *testing.T, ctx context.Context, v ownVolume) {
	before := f.remember(t, ctx)
	v.turnReadOnly(t, ctx)
	v.known(t, ctx, "read-only file system")
	f.stands(t, ctx, v.node, "deaf")
	f.refused(t, ctx, "node1", []string{v.node}, "clusvcadm", "-M", mover.Name(), "-m", v.node)
	f.down(t, ctx, v.node)
	v.shell(t, ctx, "umount "+dataFolder)
	v.mount(t, ctx)
	f.up(t, ctx, v.node)
	v.well(t, ctx, before.index)
	f.checkUnharmed(t, ctx, before, mover.Guest.Name, still.Guest.Name, still2.Guest.Name)
}

// retellReadOnly: nobody mends it. The node can do nothing that is decided, so what it runs is
// started elsewhere.
func (f *fixture) retellReadOnly(t *testing.T, ctx context.Context, v ownVolume) {
	before := f.waitAtRest(t, ctx)
	v.turnReadOnly(t, ctx)
	v.known(t, ctx, "read-only file system")
	began := time.Now()
	f.runsElsewhere(t, ctx, still2, v.node)
	t.Logf("elsewhere %s after everybody knew", time.Since(began).Round(100*time.Millisecond))
	f.waitForAnswer(t, ctx, still2.Guest.Name)
	if f.world.Powered(v.node) {
		t.Error("it was started elsewhere while its host has power")
	}
	if err := f.world.CheckSingleWriter(still2.Guest); err != nil {
		t.Error(err)
	}
	v.backToTheHost(t)
	f.homeAgain(t, ctx, v.node)
	v.well(t, ctx, before.Index)
}

// well waits until the timeline tells, after an index, that the volume is well again.
func (v ownVolume) well(t *testing.T, ctx context.Context, after uint64) {
	t.Helper()
	if _, err := v.f.Wait(ctx, "the data volume of "+v.node+" is well again", func(api.Status) bool {
		events, err := v.f.Events(ctx, "node1", after)
		return err == nil && slices.ContainsFunc(events, func(e cluster.Event) bool {
			return e.Subject == v.node && e.Why.Is(message.VolumeBack)
		})
	}); err != nil {
		t.Fatal(err)
	}
}

// giveVolume moves a node's data folder to a file system of its own, while its daemon is down.
func (f *fixture) giveVolume(t *testing.T, ctx context.Context, node string) ownVolume {
	t.Helper()
	v := ownVolume{f: f, node: node, image: filepath.Join(f.world.Host(node).Directory(), "data.img")}
	outside(t, ctx, "truncate", "-s", "600M", v.image)
	outside(t, ctx, "mkfs.ext4", "-q", "-m", "0", v.image)
	f.down(t, ctx, node)
	v.mount(t, ctx)
	v.f.up(t, ctx, node)
	return v
}

// mount lays the volume over the data folder. The loop device goes with its last mount.
func (v ownVolume) mount(t *testing.T, ctx context.Context) {
	t.Helper()
	device := outside(t, ctx, "losetup", "-f", "--show", v.image)
	defer outside(t, ctx, "losetup", "-d", device)
	number := strings.TrimPrefix(device, "/dev/loop")
	v.shell(t, ctx, "rm -f /run/volume && mknod /run/volume b 7 "+number+" && mkdir -p /run/new && "+
		"mount /run/volume /run/new && if [ ! -e /run/new/node.key ]; then cp -a "+dataFolder+"/. /run/new; fi && "+
		"umount /run/new && mount /run/volume "+dataFolder)
}

// turnReadOnly does what the kernel does after an error of the file system, open files or not.
func (v ownVolume) turnReadOnly(t *testing.T, ctx context.Context) {
	t.Helper()
	v.shell(t, ctx, "mount -o remount,abort "+dataFolder)
}

// known waits until the leader's clustat tells of the volume.
func (v ownVolume) known(t *testing.T, ctx context.Context, why string) {
	t.Helper()
	began := time.Now()
	v.f.noted(t, ctx, v.node, "its data volume cannot be written")
	took := time.Since(began)
	t.Logf("known %s after it could not be written", took.Round(100*time.Millisecond))
	if took > soon {
		t.Errorf("everybody knows of it only after %s", took)
	}
	v.f.noted(t, ctx, v.node, why)
	if said := v.f.do(t, ctx, "node1", "clustat"); !strings.Contains(said, "data volume") {
		t.Errorf("clustat does not tell of it:\n%s", said)
	}
}

// backToTheHost is what an administrator does about the disk of a host that is off: its file
// system is checked, and what it holds is kept.
func (v ownVolume) backToTheHost(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	place := t.TempDir()
	outside(t, ctx, "mount", "-o", "loop", v.image, place)
	defer outside(t, ctx, "umount", place)
	home := filepath.Join(v.f.world.Host(v.node).Directory(), "var-lib-clusterd")
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	outside(t, ctx, "cp", "-a", place, home)
}

func (v ownVolume) shell(t *testing.T, ctx context.Context, line string) {
	t.Helper()
	v.f.shell(t, ctx, v.node, line)
}

// outside runs a command on the machine of the lab that has to succeed.
func outside(t *testing.T, ctx context.Context, argv ...string) string {
	t.Helper()
	said, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(argv, " "), err, said)
	}
	return strings.TrimSpace(string(said))
}
