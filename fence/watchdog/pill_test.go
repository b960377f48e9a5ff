package watchdog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/fence"
)

var times = Header{Watchdog: 5 * time.Second, Allocate: time.Second, Loop: time.Second, MsgWait: 10 * time.Second}

func TestLayout(t *testing.T) {
	h := times
	h.SectorSize, h.Slots, h.UUID = 512, slotCount, [16]byte{1, 2, 3}
	back, err := decodeHeader(h.encode())
	if err != nil || back != h {
		t.Errorf("%+v, %v", back, err)
	}
	if got := decodeMail(Mail{Off, "node-b"}.encode(512)); got != (Mail{Off, "node-b"}) {
		t.Errorf("%+v", got)
	}
	if got := decodeNode(encodeNode("node-a", 512)); got != "node-a" {
		t.Errorf("%q", got)
	}
	if _, err := decodeHeader(make([]byte, 512)); !errors.Is(err, ErrNoHeader) {
		t.Errorf("%v", err)
	}
	for words, change := range map[string]func(*Header){
		"sectors": func(h *Header) { h.SectorSize = 4096 }, "no slots": func(h *Header) { h.Slots = 0 },
		"is nothing": func(h *Header) { h.Loop = 0 }, "three loops": func(h *Header) { h.Loop = 2 * time.Second },
		"twice the watchdog": func(h *Header) { h.MsgWait = 9 * time.Second },
		"more than":          func(h *Header) { h.MsgWait = time.Hour },
	} {
		wrong := h
		change(&wrong)
		if err := wrong.check(512); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
	if h.fresh()+h.Watchdog+time.Second > h.MsgWait || h.fresh() < 2*h.Loop {
		t.Errorf("a look may be %v old", h.fresh())
	}
}

// paperDisks makes disks out of plain files.
func paperDisks(t *testing.T, count int) []string {
	t.Helper()
	var paths []string
	for i := range count {
		path := filepath.Join(t.TempDir(), "disk")
		if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Format(path, times); err != nil {
			if i == 0 && strings.Contains(err.Error(), "invalid argument") {
				t.Skip("the folder for temporary files takes no direct access")
			}
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}

func enroll(t *testing.T, paths []string, node string) []*diskWatcher {
	t.Helper()
	watchers, err := openWatchers(t.Context(), paths, node, times.Watchdog, Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, s := range watchers {
			s.disk.close()
		}
	})
	return watchers
}

func pillDriver(t *testing.T) *Driver {
	t.Helper()
	d := New(Options{Node: "b", Armed: func(fence.Target, []string) error { return nil },
		Helper: []string{os.Args[0], "helper"}, Logger: silentLog})
	d.anyPath = true
	return d
}

func pill(paths []string) fence.Request {
	return fence.Request{
		Device: fence.Device{Name: "pill", Driver: Kind,
			Options: map[string]string{"devices": strings.Join(paths, " ")}},
		Target:      fence.Target{Node: "a", Boot: "boot-1"},
		StillWanted: func() error { return nil }, SignOfLife: func() bool { return false },
	}
}

// The options of the node's own watchdog stand beside the disks in one device.
func TestPillDeviceSaysHowTheWatchdogIsArmed(t *testing.T) {
	d := pillDriver(t)
	device := pill([]string{"/dev/disk/by-id/a"}).Device
	device.Options["timeout"], device.Options["watchdog"] = "5s", "/dev/watchdog1"
	if err := d.Validate(device); err != nil {
		t.Error(err)
	}
	for option, value := range map[string]string{"timeout": "soon", "lease": "10s"} {
		wrong := pill([]string{"/dev/disk/by-id/a"}).Device
		wrong.Options[option] = value
		if err := d.Validate(wrong); err == nil || !strings.Contains(err.Error(), option) {
			t.Errorf("option %s is %q: %v", option, value, err)
		}
	}
}

// TestPillOnDisks carries a pill over real files and a real helper process, in
// a time of its own so that nobody waits.
func TestPillOnDisks(t *testing.T) {
	t.Parallel()
	paths := paperDisks(t, 3)
	watchers := enroll(t, paths, "a")
	d := pillDriver(t)
	if check := d.Check(t.Context(), pill(paths).Device); check.Problem != "" || check.Power != fence.PowerUnknown {
		t.Fatalf("%+v", check)
	}
	d.now = skippingClock()
	result := d.Fence(t.Context(), pill(paths))
	if result.Outcome != fence.Confirmed || len(result.Evidence) != 2 {
		t.Fatalf("%+v", result)
	}
	for _, s := range watchers {
		if mail, _, err := s.look(); err != nil || mail != (Mail{Reset, "b"}) {
			t.Errorf("%+v, %v", mail, err)
		}
	}
	if _, err := openWatchers(t.Context(), paths, "a", times.Watchdog, Now); !errors.Is(err, ErrStalePill) {
		t.Errorf("admitted with a pill: %v", err)
	}
	if err := d.Clear(t.Context(), pill(paths).Device, "a"); err != nil {
		t.Error(err)
	}
	if again := enroll(t, paths, "A"); again[0].slot != watchers[0].slot {
		t.Errorf("slot %d, then %d", watchers[0].slot, again[0].slot)
	}
	if _, err := openWatchers(t.Context(), paths, "a", 6*time.Second, Now); err == nil ||
		!strings.Contains(err.Error(), "the configuration says") {
		t.Errorf("another timeout: %v", err)
	}
	if err := Format(paths[1], times); err != nil {
		t.Fatal(err)
	}
	if _, final, err := watchers[1].look(); !final || !errors.Is(err, errChanged) {
		t.Errorf("made anew while watched: final %v, %v", final, err)
	}
	if result := d.Fence(t.Context(), pill(paths[1:2])); result.Outcome != fence.Unknown ||
		!strings.Contains(strings.Join(result.Evidence, ""), "no slot") {
		t.Errorf("%+v", result)
	}
	if result := d.Fence(t.Context(),
		pill([]string{paths[0], "/dev/none1", "/dev/none2"})); result.Outcome != fence.Unknown {
		t.Errorf("%+v", result)
	}
}

// skippingClock advances by half a minute each time it is read.
func skippingClock() func() time.Duration {
	now := Now()
	return func() time.Duration {
		now += 30 * time.Second
		return now
	}
}

var errDisk = errors.New("I/O error")

// TestPillWaits holds the order of things in virtual time: what is proven only
// after the wait, and what spoils it.
func TestPillWaits(t *testing.T) {
	for _, c := range []struct {
		name  string
		disks int
		// fails are the disks that refuse the message.
		fails   int
		change  func(*Driver, *fence.Request)
		limit   time.Duration
		want    fence.Outcome
		waited  time.Duration
		written int
	}{
		{name: "one disk", disks: 1, want: fence.Confirmed, waited: times.MsgWait, written: 1},
		{name: "two of three", disks: 3, fails: 1, want: fence.Confirmed, waited: times.MsgWait, written: 2},
		{name: "one of three", disks: 3, fails: 2, want: fence.Unknown, written: 1},
		{name: "none", disks: 1, fails: 1, want: fence.Unknown},
		{name: "heard afterwards", disks: 1, change: func(_ *Driver, r *fence.Request) {
			r.SignOfLife = func() bool { return true }
		}, want: fence.Unknown, waited: times.MsgWait, written: 1},
		{name: "not wanted", disks: 1, change: func(_ *Driver, r *fence.Request) {
			r.StillWanted = func() error { return errDisk }
		}, want: fence.Unknown},
		{name: "never armed", disks: 1, change: func(d *Driver, _ *fence.Request) {
			d.options.Armed = func(fence.Target, []string) error { return errDisk }
		}, want: fence.Unknown},
		{name: "deadline before the wait ends", disks: 1, limit: 9 * time.Second, want: fence.Unknown},
		{name: "no boot", disks: 1, change: func(_ *Driver, r *fence.Request) { r.Target.Boot = "" }, want: fence.Unknown},
		{name: "itself", disks: 1, change: func(_ *Driver, r *fence.Request) { r.Target.Node = "b" }, want: fence.Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, names := time.Now(), []string{"1", "2", "3"}[:c.disks]
				d, written := paperPost(t, names[:c.disks-c.fails])
				d.now = func() time.Duration { return time.Since(start) }
				request := pill(names)
				if c.change != nil {
					c.change(d, &request)
				}
				ctx := t.Context()
				if c.limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.limit)
					defer cancel()
				}
				result := d.Fence(ctx, request)
				waited := time.Since(start)
				if result.Outcome != c.want || waited < c.waited || waited > c.waited+c.waited/50 || len(written) != c.written {
					t.Errorf("%s after %v with %d messages: %v", result.Outcome, waited, len(written), result.Evidence)
				}
			})
		})
	}
}

// paperPost is a driver whose messages arrive on the good disks alone.
func paperPost(t *testing.T, good []string) (*Driver, chan string) {
	t.Helper()
	d, written := pillDriver(t), make(chan string, 3)
	d.post = func(_ context.Context, e job) (jobResult, error) {
		if e.Kind == jobPost {
			if !slices.Contains(good, e.Disk) {
				return jobResult{}, errDisk
			}
			written <- e.Disk
		}
		h := times
		h.UUID[0] = e.Disk[0]
		return jobResult{Header: h}, nil
	}
	return d, written
}

func TestSameDiskTwiceIsNoMajority(t *testing.T) {
	same := jobResult{Header: times}
	if _, err := agreed([]jobResult{same, same, {Problem: "gone"}}); err == nil {
		t.Error("one disk under two names counts as two")
	}
	other := jobResult{Header: times}
	other.Header.UUID[0], other.Header.MsgWait = 1, 20*time.Second
	if _, err := agreed([]jobResult{same, other, {Problem: "gone"}}); err == nil ||
		!strings.Contains(err.Error(), "other times") {
		t.Errorf("%v", err)
	}
}

// byID is where udev keeps the stable names.
const byID = "/dev/disk/by-id/"

func TestPillValidate(t *testing.T) {
	d := pillDriver(t)
	d.anyPath = false
	for words, device := range map[string]fence.Device{
		"another fence driver": {Driver: "scsi"},
		"no address":           {Driver: Kind, Address: "x"},
		"names 2 disks":        {Driver: Kind, Options: map[string]string{"devices": byID + "a " + byID + "b"}},
		"stable name":          {Driver: Kind, Options: map[string]string{"devices": "/dev/sda"}},
		"twice":                {Driver: Kind, Options: map[string]string{"devices": strings.Repeat(byID+"a ", 3)}},
		"is not known":         {Driver: Kind, Options: map[string]string{"lease": "5s"}},
	} {
		if err := d.Validate(device); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
}
