package proof

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

const guestUUID = "77777777-0000-4000-8000-000000000001"

// pretendProc writes a /proc for tests.
type pretendProc struct {
	t   *testing.T
	dir string
}

func newProc(t *testing.T) (pretendProc, Processes) {
	t.Helper()
	p := pretendProc{t, t.TempDir()}
	p.write("sys/kernel/random/boot_id", "boot-1\n")
	return p, Processes{Dir: p.dir}
}

func (p pretendProc) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p pretendProc) process(pid int, name string, state byte, ticks, threads int, command string) {
	p.t.Helper()
	folder := strconv.Itoa(pid)
	p.write(folder+"/stat", fmt.Sprintf("%d (%s) %c 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 %d 0 %d 0 0", pid, name,
		state, threads, ticks))
	p.write(folder+"/cmdline", command)
	for thread := range threads {
		p.write(fmt.Sprintf("%s/task/%d/comm", folder, pid+thread), name)
	}
}

func TestFindsTheQEMUProcessOfAVM(t *testing.T) {
	proc, table := newProc(t)
	command := "/usr/bin/qemu-system-x86_64\x00-name\x00guest=web\x00-uuid\x00" + guestUUID + "\x00-display\x00none\x00"
	proc.process(7, "grep", 'S', 5, 1, "grep\x00-uuid\x00"+guestUUID+"\x00")
	if _, _, found, err := table.QEMU(guestUUID); found || err != nil {
		t.Fatalf("a grep was taken for QEMU (%v)", err)
	}
	proc.process(42, "odd) name (x", 'S', 12345, 4, command)
	got, blurred, found, err := table.QEMU("77777777-0000-4000-8000-000000000001")
	if err != nil || !found || blurred || got != (Process{PID: 42, Ticks: 12345, Boot: "boot-1"}) {
		t.Fatalf("%+v %t %t %v", got, blurred, found, err)
	}
	if _, _, found, _ := table.QEMU("77777777-0000-4000-8000-00000000000f"); found {
		t.Fatal("another VM's QEMU was taken for this one's")
	}
}

func TestZombiesAreGoneUnlessTheyHaveThreads(t *testing.T) {
	proc, table := newProc(t)
	proc.process(42, "qemu-system-x86", 'Z', 5, 1, "")
	if _, _, found, err := table.QEMU(guestUUID); found || err != nil {
		t.Fatalf("a zombie was taken for a QEMU that may write (%v)", err)
	}
	proc.process(43, "qemu-system-x86", 'Z', 5, 3, "")
	if _, blurred, found, _ := table.QEMU(guestUUID); !found || !blurred {
		t.Fatal("a dead QEMU whose threads hang in the kernel was taken for gone")
	}
}

func TestAliveNeedsTheSameProcess(t *testing.T) {
	proc, table := newProc(t)
	proc.process(42, "libvirtd", 'S', 100, 1, "libvirtd\x00")
	same := Process{PID: 42, Ticks: 100, Boot: "boot-1"}
	for name, c := range map[string]struct {
		process Process
		alive   bool
	}{
		"the same":                        {same, true},
		"its pid was given to another":    {Process{PID: 42, Ticks: 99, Boot: "boot-1"}, false},
		"of an earlier boot":              {Process{PID: 42, Ticks: 100, Boot: "boot-0"}, false},
		"gone":                            {Process{PID: 43, Ticks: 100, Boot: "boot-1"}, false},
		"never known, so never disproven": {Process{}, true},
	} {
		if got := table.Alive(c.process); got != c.alive {
			t.Errorf("%s: alive %t", name, got)
		}
	}
}
