package watchdog

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
)

// TestRealSBD lets Debian's sbd read what we write and the other way round, on
// a loop device. sbd is somebody else's reading of the same disk.
func TestRealSBD(t *testing.T) {
	disk := loopDevice(t)
	sbd := func(arguments ...string) string {
		t.Helper()
		return runSBD(t, disk, arguments...)
	}
	// sbd's disk, our watcher, sbd's message, our fence.
	sbd("-1", "3", "-4", "6", "-2", "1", "create")
	sbd("allocate", "other")
	watchers, err := openWatchers(t.Context(), []string{disk}, "a", 3*time.Second, Now)
	if err != nil {
		t.Fatal(err)
	}
	diskWatcher := watchers[0]
	defer diskWatcher.disk.close()
	if diskWatcher.slot != 1 || diskWatcher.header.MsgWait != 6*time.Second {
		t.Errorf("slot %d, header %+v", diskWatcher.slot, diskWatcher.header)
	}
	says(t, sbd("list"), "0 other clear", "1 a clear")
	// Only reset waits for msgwait, like the other commands that end a node.
	for _, command := range []Command{Test, Exit, Reset} {
		sbd("message", "a", command.String())
		if mail, _, err := diskWatcher.look(); err != nil || mail.Command != command || mail.From == "" {
			t.Errorf("%s reads as %+v, %v", command, mail, err)
		}
	}
	if _, err := openWatchers(t.Context(), []string{disk}, "a", 3*time.Second, Now); !errors.Is(err, ErrStalePill) {
		t.Errorf("admitted with sbd's pill: %v", err)
	}
	driver := pillDriver(t)
	driver.now = skippingClock()
	request := pill([]string{disk})
	if result := driver.Fence(t.Context(), request); result.Outcome != fence.Confirmed {
		t.Fatalf("%+v", result)
	}
	says(t, sbd("list"), "1 a reset b")
	if err := driver.Clear(t.Context(), request.Device, "a"); err != nil {
		t.Error(err)
	}
	says(t, sbd("list"), "1 a clear")
}

// TestRealSBDReadsOurDisk gives sbd a disk that we made.
func TestRealSBDReadsOurDisk(t *testing.T) {
	disk := loopDevice(t)
	ours := times
	ours.Watchdog, ours.MsgWait = 7*time.Second, 15*time.Second
	if err := Format(disk, ours); err != nil {
		t.Fatal(err)
	}
	says(t, runSBD(t, disk, "dump"), "Header version : 2.1", "Number of slots : 255", "Sector size : 512",
		"Timeout (watchdog) : 7", "Timeout (allocate) : 1", "Timeout (loop) : 1", "Timeout (msgwait) : 15")
	runSBD(t, disk, "allocate", "theirs")
	d, err := openDisk(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	h, err := d.header()
	if err != nil || h.Watchdog != ours.Watchdog || h.UUID == [16]byte{} {
		t.Errorf("%+v, %v", h, err)
	}
	if slot, err := d.find(h, "theirs"); err != nil || slot != 0 {
		t.Errorf("slot %d, %v", slot, err)
	}
}

func runSBD(t *testing.T, disk string, arguments ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sbd", append([]string{"-d", disk}, arguments...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("sbd %v: %v\n%s", arguments, err, out)
	}
	return string(out)
}

// says reports whether sbd's words are among what it wrote, however it spaces them.
func says(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, words := range want {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), words) {
			t.Errorf("sbd does not say %q:\n%s", words, got)
		}
	}
}

func loopDevice(t *testing.T) string {
	t.Helper()
	if os.Getenv("CLUSTERD_FENCE") == "" {
		t.Skip("the real sbd is run by make test-fence (CLUSTERD_FENCE=1)")
	}
	if os.Geteuid() != 0 {
		t.Skip("a loop device needs root")
	}
	for _, program := range []string{"sbd", "losetup"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed (Debian packages sbd and mount)", program)
		}
	}
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "-f", "--show", "--direct-io=on", image).Output()
	if err != nil {
		t.Skipf("no loop device can be had: %v", err)
	}
	disk := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "-d", disk).CombinedOutput(); err != nil {
			t.Errorf("losetup -d %s: %v %s", disk, err, out)
		}
	})
	return disk
}
