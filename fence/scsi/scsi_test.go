package scsi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/fence"
)

const (
	// byID is where udev keeps the stable names.
	byID    = "/dev/disk/by-id/"
	diskOne = byID + "wwn-0x5001405000000001"
	diskTwo = byID + "wwn-0x5001405000000002"
)

// bench is an array with two disks and a driver on each of three nodes.
type bench struct {
	t   *testing.T
	dir string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	t.Parallel()
	b := &bench{t, t.TempDir()}
	for _, path := range []string{diskOne, diskTwo} {
		saveArray(b.file(path), &array{})
	}
	return b
}

func (b *bench) file(path string) string { return filepath.Join(b.dir, filepath.Base(path)) }

func (b *bench) disk(path string) *array { return loadArray(b.file(path)) }

func (b *bench) change(path string, change func(*array)) {
	a := b.disk(path)
	change(a)
	saveArray(b.file(path), a)
}

func (b *bench) driver(node string) *Driver {
	return New(Options{
		Cluster: "test", Node: node, Nodes: func() []string { return []string{"a", "b", "c"} },
		Helper: []string{os.Args[0], "array", b.dir}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
}

// admitted returns a bench on which all three nodes are registered, a first.
func admitted(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	for _, node := range []string{"a", "b", "c"} {
		if err := b.driver(node).Unfence(within(t, 20*time.Second), san()); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func san() fence.Device {
	return fence.Device{Name: "san", Driver: Kind, Options: map[string]string{"devices": diskOne + " " + diskTwo}}
}

func against(node string) fence.Request {
	return fence.Request{Act: "1.1.0", Device: san(), Target: fence.Target{Node: node, Boot: "boot-1"},
		StillWanted: func() error { return nil }}
}

func within(t *testing.T, limit time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func expect(t *testing.T, result fence.Result, want fence.Outcome, words ...string) {
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

func TestAdmissionRegistersAndReserves(t *testing.T) {
	b := admitted(t)
	for _, path := range []string{diskOne, diskTwo} {
		a := b.disk(path)
		if len(a.Keys) != 3 || a.Type != 5 || a.Holder != KeyOf("test", "a") {
			t.Errorf("%s: %+v", path, a)
		}
	}
	if check := b.driver("b").Check(within(t, 10*time.Second), san()); check.Problem != "" ||
		check.Power != fence.PowerUnknown {
		t.Errorf("check %+v", check)
	}
	findings, err := b.driver("c").Survey(within(t, 10*time.Second), san())
	if err != nil || len(findings) != 2 || !findings[1].Registered ||
		!slices.Equal(findings[0].Nodes, []string{"a", "b", "c"}) {
		t.Errorf("%+v, %v", findings, err)
	}
}

func TestFenceCutsOffOnEveryDisk(t *testing.T) {
	b := admitted(t)
	driver := b.driver("b")
	result := driver.Fence(within(t, 20*time.Second), against("a"))
	expect(t, result, fence.Confirmed, diskOne, diskTwo, "aborted")
	if !slices.Equal(result.Proven.Disks, []string{diskOne, diskTwo}) {
		t.Errorf("cut off from %v", result.Proven.Disks)
	}
	for _, path := range []string{diskOne, diskTwo} {
		if a := b.disk(path); slices.Contains(a.Keys, KeyOf("test", "a")) || a.Holder != KeyOf("test", "b") {
			t.Errorf("%s: %+v", path, a)
		}
	}
	// The same fencer may repeat it; another one has seen nothing, unless it is
	// told what the first had proven.
	expect(t, driver.Fence(within(t, 20*time.Second), against("a")), fence.Confirmed)
	other := b.driver("c")
	expect(t, other.Fence(within(t, 20*time.Second), against("a")), fence.Unknown, "nobody proved")
	cuts, _ := other.CutOff(within(t, 20*time.Second), against("a"), func(device string) bool { return device == diskOne })
	if len(cuts) != 2 || !cuts[0].Proven || cuts[1].Proven {
		t.Errorf("%+v", cuts)
	}
	next := against("a")
	next.Target.Boot = "boot-2"
	expect(t, driver.Fence(within(t, 20*time.Second), next), fence.Unknown, "nobody proved")
	// The node that was cut off sees it, and cannot cut off others.
	expect(t, b.driver("a").Fence(within(t, 20*time.Second), against("b")), fence.Unknown, "own key")
	findings, err := b.driver("a").Survey(within(t, 10*time.Second), san())
	if err != nil || findings[0].Registered || !findings[0].Read || findings[0].Problem == "" {
		t.Errorf("%+v, %v", findings, err)
	}
}

func TestFenceOfHalfTheDisksIsUnknown(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*array)
		want   fence.Outcome
		words  string
	}{
		{"no abort", func(a *array) { a.Answer = map[operation]outcome{opPreemptAbort: outUnsupported} }, fence.Unknown,
			"cannot preempt and abort"},
		{"fails", func(a *array) { a.Answer = map[operation]outcome{opPreemptAbort: outFailed} }, fence.Unknown,
			"still registered"},
		{"liar", func(a *array) { a.Liar = true }, fence.Refuted, "does not do what it says"},
		{"counts nothing", func(a *array) { a.Idle = true }, fence.Unknown, "did not move"},
		{"answer lost", func(a *array) { a.Dies = true }, fence.Unknown, "nobody proved"},
		{"cannot be read", func(a *array) { a.Answer = map[operation]outcome{opRead: outUnsupported} }, fence.Unknown,
			"cannot be read"},
		{"keys cut short", func(a *array) { a.Garbage = map[operation]string{opRead: "outcome=done\n"} }, fence.Unknown,
			"cut short"},
		{"hangs", func(a *array) { a.Hang = map[operation]bool{opPreemptAbort: true} }, fence.Unknown, "in time"},
		{"no reservation", func(a *array) { a.Holder, a.Type = 0, 0 }, fence.Unknown, "no reservation"},
		{"somebody else's type", func(a *array) { a.Type = 1 }, fence.Unknown, "type 1"},
		{"stranger", func(a *array) { a.Keys = append(a.Keys, 0x99) }, fence.Unknown, "no node"},
		{"forgetful", func(a *array) { a.Forgetful = true }, fence.Unknown, "APTPL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := admitted(t)
			b.change(diskTwo, c.change)
			limit := 20 * time.Second
			if c.name == "hangs" {
				limit = 3 * time.Second
			}
			started := time.Now()
			result := b.driver("b").Fence(within(t, limit), against("a"))
			expect(t, result, c.want, c.words)
			if !slices.Equal(result.Proven.Disks, []string{diskOne}) {
				t.Errorf("cut off from %v, want the good disk alone", result.Proven.Disks)
			}
			if took := time.Since(started); took > limit+3*time.Second {
				t.Errorf("it took %v, the deadline was %v", took, limit)
			}
			if slices.Contains(b.disk(diskOne).Keys, KeyOf("test", "a")) {
				t.Error("the good disk was left open because of the bad one")
			}
		})
	}
}

func TestFenceAsksBeforeItSends(t *testing.T) {
	b := admitted(t)
	withdrawn := against("a")
	withdrawn.StillWanted = func() error { return errors.New("the intent was replaced") }
	expect(t, b.driver("b").Fence(within(t, 20*time.Second), withdrawn), fence.Unknown, "the intent was replaced")
	if slices.Contains(b.disk(diskOne).Log, string(opPreemptAbort)) {
		t.Error("it was sent all the same")
	}
	silent, self, boot, stranger := against("a"), against("b"), against("a"), against("zz")
	silent.StillWanted, boot.Target.Boot = nil, ""
	for words, request := range map[string]fence.Request{"still wanted": silent, "does not cut itself": self,
		"which boot": boot, "no node of this cluster": stranger} {
		expect(t, b.driver("b").Fence(within(t, 20*time.Second), request), fence.Unknown, words, "nothing was sent")
	}
}

// The fencer dies between the command and its result: whoever comes next finds the
// key gone, may not take that for a proof, and says what ends it.
func TestAFencerThatDiedLeavesNothingProven(t *testing.T) {
	b := admitted(t)
	for _, path := range []string{diskOne, diskTwo} {
		b.change(path, func(a *array) { a.Dies = true })
	}
	expect(t, b.driver("b").Fence(within(t, 20*time.Second), against("a")), fence.Unknown)
	for _, path := range []string{diskOne, diskTwo} {
		b.change(path, func(a *array) { a.Dies = false })
		if slices.Contains(b.disk(path).Keys, KeyOf("test", "a")) {
			t.Fatal("the key is still there, so this is another story")
		}
	}
	for _, node := range []string{"c", "b"} {
		expect(t, b.driver(node).Fence(within(t, 20*time.Second), against("a")), fence.Unknown,
			"nobody proved that what it had sent was aborted", "clusterd fence confirm")
	}
}

func TestUnfenceRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*array)
		words  string
	}{
		"other type": {func(a *array) { a.Keys, a.Holder, a.Type = []Key{KeyOf("test", "c")}, KeyOf("test", "c"), 1 },
			"type 1"},
		"stranger":    {func(a *array) { a.Keys = []Key{7} }, "sg_persist"},
		"no support":  {func(a *array) { a.Answer = map[operation]outcome{opRegister: outUnsupported} }, "unsupported"},
		"cannot hold": {func(a *array) { a.Answer = map[operation]outcome{opReserve: outFailed} }, "reserve"},
		"forgetful":   {func(a *array) { a.Forgetful = true }, "APTPL"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.change(diskTwo, c.change)
			err := b.driver("a").Unfence(within(t, 20*time.Second), san())
			if !errors.Is(err, ErrNotRegistered) || !strings.Contains(err.Error(), c.words) ||
				!strings.Contains(err.Error(), "node a") {
				t.Errorf("%v", err)
			}
			if check := b.driver("a").Check(within(t, 20*time.Second), san()); check.Problem == "" {
				t.Error("the check finds nothing")
			}
		})
	}
}

func TestHungHelpersAreCounted(t *testing.T) {
	r := newRunner(slog.New(slog.NewTextHandler(io.Discard, nil)))
	for range maxHung {
		if err := r.enter("disk"); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.enter("disk"); err == nil || !strings.Contains(err.Error(), "have not come back") {
		t.Errorf("one more was let in: %v", err)
	}
	if err := r.enter("another"); err != nil {
		t.Error(err)
	}
	r.leave("disk")
	if err := r.enter("disk"); err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	device := func(change func(*fence.Device)) fence.Device {
		d := san()
		change(&d)
		return d
	}
	with := func(name, value string) fence.Device {
		return device(func(d *fence.Device) { d.Options[name] = value })
	}
	driver := newBench(t).driver("a")
	for words, d := range map[string]fence.Device{
		"another fence driver": device(func(d *fence.Device) { d.Driver = "ipmi" }),
		"no address":           device(func(d *fence.Device) { d.Password = "x" }),
		"is not known":         with("key", "1"),
		"names 0 disks":        with("devices", " "),
		"a disk twice":         with("devices", diskOne+" "+diskOne),
		"absolute path":        with("command", "pr-tool"),
		"stable name":          with("devices", "/dev/sda"),
		"whole disk":           with("devices", diskOne+"-part1"),
	} {
		if err := driver.Validate(d); err == nil || !strings.Contains(err.Error(), words) ||
			!strings.Contains(err.Error(), "san") {
			t.Errorf("%q: %v", words, err)
		}
	}
	for _, d := range []fence.Device{
		san(), with("devices", byID+"dm-uuid-mpath-36001405f00dfeed0000000000000001a"),
		with("devices", byID+"nvme-eui.0025385b71b00001"),
		{Name: "user", Driver: Kind, Options: map[string]string{"command": "/usr/libexec/pr",
			"devices": "iscsi://array/target/1"}},
	} {
		if err := driver.Validate(d); err != nil {
			t.Error(err)
		}
	}
	if err := driver.PowerOn(t.Context(), san()); !errors.Is(err, ErrNoPower) {
		t.Errorf("power on: %v", err)
	}
}

// TestRealHelper asks the real helper about things that are no
// disk with reservations.
func TestRealHelper(t *testing.T) {
	t.Parallel()
	helper := []string{os.Args[0], "helper"}
	r := newRunner(slog.New(slog.NewTextHandler(io.Discard, nil)))
	for device, words := range map[string]string{diskOne: "no such disk", "/dev/null": "no block device",
		"/proc/self/status": "no block device"} {
		p, err := r.run(within(t, 10*time.Second), helper, request{operation: opRead, device: device})
		if err != nil || p.outcome != outFailed || !strings.Contains(p.detail, words) {
			t.Errorf("%s: %+v, %v", device, p, err)
		}
	}
	if p, err := r.run(within(t, 10*time.Second), []string{"/bin/false"},
		request{operation: opRead, device: "x"}); err == nil {
		t.Errorf("a program that fails answered %+v", p)
	}
}
