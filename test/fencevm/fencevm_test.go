package fencevm

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// cacheVariable names the folder for the kernel and turns these tests on.
const cacheVariable = "CLUSTERD_FENCE_VM"

// modules of the machines; all of them get all, and load what suits them.
var modules = []string{
	"virtio_pci", "virtio_net", "virtio_scsi", "sd_mod", "sg", "target_core_mod", "target_core_file", "iscsi_target_mod",
	"crc32c_generic", "crc32c_intel", "softdog", "i6300esb", "dm_multipath", "dm_round_robin", "tcm_loop",
}

// bench is what all machines of a test share.
type bench struct {
	t         *testing.T
	dir       string
	kernel    kernel
	initramfs string
	// guest and modules are what every machine has.
	guest   string
	modules []string
	// arrayMachine is there after array.
	arrayMachine *machine
	// prefix runs a program in the machines' network; program is clusterd. Both are
	// there where a cluster is.
	prefix  []string
	program string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	cache := os.Getenv(cacheVariable)
	switch {
	case cache == "":
		t.Skipf("machines with kernels of their own are run by make test-fence-vm (%s=folder)", cacheVariable)
	case os.Geteuid() != 0:
		t.Skip("this test needs root")
	}
	for _, program := range []string{"qemu-system-x86_64", "qemu-img", "apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian packages qemu-system-x86, qemu-utils)", program)
		}
	}
	// The help of qemu-img names drivers whose modules are not installed.
	driver, err := filepath.Glob("/usr/lib/*/qemu/block-iscsi.so")
	if err != nil || len(driver) == 0 {
		t.Skip("QEMU has no iSCSI driver (Debian package qemu-block-extra)")
	}
	cache, err = filepath.Abs(cache)
	if err == nil {
		err = os.MkdirAll(cache, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dir: t.TempDir(), kernel: fetchKernel(t, cache)}
	b.initramfs = filepath.Join(b.dir, "initramfs")
	guest := filepath.Join(b.dir, "guest")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-s -w", "-o", guest, "./guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	b.guest = guest
	if b.modules, err = b.kernel.withDependencies(modules...); err != nil {
		t.Fatal(err)
	}
	b.pack(nil)
	return b
}

// pack makes the file system that machines boot with; programs are further files
// in it, by their path there.
func (b *bench) pack(programs map[string]string) {
	b.t.Helper()
	if err := buildInitramfs(b.initramfs, b.guest, b.modules, programs); err != nil {
		b.t.Fatal(err)
	}
}

// array starts the disk array and returns how a node attaches to its disks;
// a disk named twice is reached by two paths.
func (b *bench) array() func(node string, disks ...int) []string {
	b.t.Helper()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	portal := probe.Addr().String()
	_ = probe.Close()
	b.arrayMachine = b.start("array", "role=array", "-netdev", "user,id=n0,restrict=on,hostfwd=tcp:"+portal+"-:3260",
		"-device", "virtio-net-pci,netdev=n0,romfile=")
	return func(node string, disks ...int) []string {
		arguments := []string{"-device", "virtio-scsi-pci,id=bus"}
		for path, lun := range disks {
			disk := fmt.Sprintf(
				"driver=iscsi,node-name=path%d,transport=tcp,portal=%s,target=iqn.2026-01.test:array,lun=%d,"+
					"initiator-name=iqn.2026-01.test:%s", path, portal, lun, node)
			arguments = append(arguments, "-blockdev", disk, "-device", fmt.Sprintf("scsi-block,drive=path%d,bus=bus.0", path))
		}
		return arguments
	}
}

// hardwareDog gives a machine a watchdog that resets it.
var hardwareDog = []string{"-device", "i6300esb", "-action", "watchdog=reset"}

// finding and result are what the nodes tell of the drivers' answers.
type finding struct {
	Registered bool
	Nodes      []string
	Problem    string
}

func expectOutcome(t *testing.T, result fence.Result, want fence.Outcome, words ...string) {
	t.Helper()
	told := strings.Join(result.Evidence, "\n")
	if result.Outcome != want {
		t.Fatalf("outcome %s, want %s: %s", result.Outcome, want, told)
	}
	for _, word := range words {
		if !strings.Contains(told, word) {
			t.Errorf("evidence lacks %q: %s", word, told)
		}
	}
}

// TestZombieIsCutOff is the story of storage fencing: node a is frozen while it
// writes, b cuts it off, a wakes up and its first write fails; because nobody
// renews its lease, its watchdog resets it. Then a boots anew and is admitted
// again, by two paths; b cuts it off once more, and then resets it by a message
// on the disk.
func TestZombieIsCutOff(t *testing.T) {
	b := newBench(t)
	attach := b.array()
	nodeB := b.launch("b", "role=node", attach("b", 1, 2)...)
	nodeA := b.launch("a", "role=node watchdog=i6300esb", append(attach("a", 1, 2), hardwareDog...)...)
	nodeB.awaitEvent("ready", longestBoot)
	nodeA.awaitEvent("ready", longestBoot)
	disks := ask[[]string](nodeA, "disks")
	if len(disks) != 2 || !slices.Equal(disks, ask[[]string](nodeB, "disks")) {
		t.Fatalf("disks %v", disks)
	}
	data, messages := disks[0], disks[1]

	// Nothing is reserved yet: checks say so, and no fence can be made.
	if check := ask[fence.Check](nodeB, "check "+data); check.Problem == "" {
		t.Errorf("check of a disk without keys: %+v", check)
	}
	nodeA.must("unfence " + data)
	expectOutcome(t, ask[fence.Result](nodeB, "fence a "+data), fence.Unknown, "own key", "nothing was sent")
	nodeB.must("unfence " + data)
	if check := ask[fence.Check](nodeB, "check "+data); check.Problem != "" || check.Power != fence.PowerUnknown {
		t.Errorf("check %+v", check)
	}
	nodeA.must("daemon start 6s 4s")
	nodeA.must("write " + data)
	nodeA.awaitEvent("writing", longestAnswer)

	nodeA.freeze()
	result := ask[fence.Result](nodeB, "fence a "+data)
	expectOutcome(t, result, fence.Confirmed, "aborted")
	written := ask[uint64](nodeB, "read "+data)
	nodeA.thaw()
	failed := nodeA.awaitEvent("write-failed", longestAnswer)
	if !strings.HasPrefix(failed, "write-failed 52 ") {
		t.Errorf("the zombie's write failed with %q, not with EBADE", failed)
	}
	if after := ask[uint64](nodeB, "read "+data); after != written || written == 0 {
		t.Errorf("the zombie wrote: %d before, %d after", written, after)
	}
	survey := ask[[]finding](nodeA, "survey "+data)
	if len(survey) != 1 || survey[0].Registered || !slices.Equal(survey[0].Nodes, []string{"b"}) {
		t.Errorf("the zombie sees %+v", survey)
	}
	expectOutcome(t, ask[fence.Result](nodeA, "fence b "+data), fence.Unknown, "own key")
	expectOutcome(t, ask[fence.Result](nodeB, "fence a "+data), fence.Unknown, "nobody proved")
	nodeA.must("daemon kill")
	nodeA.awaitReset(40 * time.Second)
	t.Logf("figure: scsi_ms=%d", result.Duration.Milliseconds())

	b.nextBoot(nodeB, attach, data, messages)
}

// nextBoot is about a's next boot, in which it reaches the disk by two paths.
func (b *bench) nextBoot(nodeB *machine, attach func(string, ...int) []string, data, messages string) {
	t := b.t
	nodeA := b.start("a-again", "role=node watchdog=i6300esb name=a", append(attach("a", 1, 1, 2), hardwareDog...)...)
	both := ask[string](nodeA, "multipath "+data)
	nodeA.must("unfence " + both)
	for node, disk := range map[*machine]string{nodeA: both, nodeB: data} {
		if check := ask[fence.Check](node, "check "+disk); check.Problem != "" {
			t.Errorf("%s: check after the new boot: %+v", node.name, check)
		}
	}
	nodeA.must("write " + both)
	nodeA.awaitEvent("writing", longestAnswer)
	expectOutcome(t, ask[fence.Result](nodeB, "fence a "+data), fence.Confirmed)
	if failed := nodeA.awaitEvent("write-failed", longestAnswer); !strings.HasPrefix(failed, "write-failed 52 ") {
		t.Errorf("a write by either path failed with %q, not with EBADE", failed)
	}
	b.pillStory(nodeA, nodeB, attach, messages)
}

// pillStory ends a's second boot by a message on the disk.
func (b *bench) pillStory(nodeA, nodeB *machine, attach func(string, ...int) []string, messages string) {
	t := b.t
	nodeB.must("format " + messages + " 6s")
	nodeA.must("daemon start 30s 6s " + messages)
	start := time.Now()
	nodeB.send("pill a " + messages)
	resetAt := nodeA.awaitReset(40 * time.Second)
	result := answerOf[fence.Result](nodeB, "pill a "+messages)
	expectOutcome(t, result, fence.Confirmed, "read back", "waited out")
	if confirmed := start.Add(result.Duration); resetAt.After(confirmed) || result.Duration < 12*time.Second {
		t.Errorf("reset %v after the start, confirmed after %v", resetAt.Sub(start), result.Duration)
	}
	// Its next boot finds the message and may not run anything until it is cleared.
	again := b.start("a-third", "role=node watchdog=i6300esb name=a", append(attach("a", 1, 2), hardwareDog...)...)
	if answer, done := again.try("keeper free 6s " + messages); done || !strings.Contains(answer, "still on the disk") {
		t.Errorf("armed with a message on the disk: %s", answer)
	}
	nodeB.must("clear a " + messages)
	again.must("keeper free 6s " + messages)
	b.frozenArrayStory(again)
}

// frozenArrayStory is about a node that can no longer read its messages: it
// could have been told to reset itself, so it does.
func (b *bench) frozenArrayStory(node *machine) {
	node.stays(8 * time.Second)
	b.arrayMachine.freeze()
	node.settle(16 * time.Second)
	// QEMU itself cannot end while a disk of its machine hangs. Had the machine
	// not been reset by now, it would live on.
	b.arrayMachine.thaw()
	node.awaitReset(15 * time.Second)
}

// TestHungCommandHangsNobody lets a preempt-and-abort hang in a real kernel:
// LIO's loopback fabric waits for itself, and no signal ends that. Meanwhile the
// machine's watchdog, which nobody can disarm, goes on being petted.
func TestHungCommandHangsNobody(t *testing.T) {
	b := newBench(t)
	m := b.start("a", "role=node watchdog=softdog softdog=nowayout=1")
	m.must("keeper free 4s")
	if answer, done := m.try("keeper stop 4s"); done || !strings.Contains(answer, "nowayout") {
		t.Errorf("a watchdog without a way out was stopped: %s", answer)
	}
	paths := ask[[]string](m, "loopback")
	m.must("unfence " + paths[0] + " a")
	m.must("unfence " + paths[1] + " b")
	result := ask[fence.Result](m, "fence a "+paths[1]+" b")
	if result.Outcome == fence.Confirmed {
		t.Skip("this kernel's loopback fabric does not hang any more")
	}
	expectOutcome(t, result, fence.Unknown, "in the kernel")
	if result.Duration > 40*time.Second {
		t.Errorf("it took %v", result.Duration)
	}
	m.must("disks")
}

// TestWatchdogResets is the story of the keeper on softdog: a clean stop
// disarms, a restart of the daemon resets nobody, a daemon that stays away
// with a lease behind it does.
func TestWatchdogResets(t *testing.T) {
	b := newBench(t)
	m := b.start("a", "role=node watchdog=softdog")
	const timeout, lease = 3 * time.Second, 10 * time.Second
	state := ask[struct {
		Armed bool
		Info  struct {
			Identity string
			Timeout  time.Duration
		}
		Warnings []string
	}](m, "keeper free 3s")
	if !state.Armed || state.Info.Timeout != timeout || !strings.Contains(state.Info.Identity, "Software") ||
		len(state.Warnings) > 0 {
		t.Fatalf("%+v", state)
	}
	m.must("keeper stop 3s")
	m.stays(2 * timeout)

	m.must("daemon start 10s 3s")
	if answer, done := m.try("keeper stop 3s"); done || !strings.Contains(answer, "stays armed") {
		t.Errorf("stopped while holding: %s", answer)
	}
	m.must("daemon kill")
	m.stays(timeout + time.Second)
	m.must("daemon start 10s 3s")
	m.stays(lease + timeout)

	m.must("daemon kill")
	killed := time.Now()
	// Virtual time may run slower than ours on a busy host, never faster.
	at := m.awaitReset(2 * (lease + timeout))
	if took := at.Sub(killed); took < lease-lease/10 {
		t.Errorf("reset %v after the last lease of %v", took, lease)
	} else {
		t.Logf("reset %v after the daemon's death; lease %v, watchdog %v", took.Round(time.Millisecond), lease, timeout)
	}
}

// settle waits for what cannot be seen, or until the machine is reset.
func (m *machine) settle(how time.Duration) {
	select {
	case <-m.ended:
	case <-time.After(how):
	}
}

// stays waits and fails the test when the machine is reset meanwhile.
func (m *machine) stays(how time.Duration) {
	m.t.Helper()
	m.settle(how)
	m.alive()
}
