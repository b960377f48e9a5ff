package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/test/lab/cgroup"
)

// needLab gives a test a lab of its own, and checks at the end that nothing is left of it.
func needLab(t *testing.T, options Options) (*Lab, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	t.Cleanup(func() { checkNothingLeft(t, options) })
	return ForTest(t, ctx, options), ctx
}

func checkNothingLeft(t *testing.T, options Options) {
	t.Helper()
	root, _, err := cgroup.Root()
	if err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(root, options.Prefix+"-*"))
	for _, path := range append(left, "/run/netns/"+options.Prefix+"-hub", DefaultDirectory(options.Prefix)) {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	if strings.Contains(string(mounts), DefaultDirectory(options.Prefix)) ||
		strings.Contains(string(mounts), options.Prefix+"-hub") {
		t.Error("mounts are left")
	}
}

// waitUntil polls a condition of the world outside, which no clock of ours governs.
func waitUntil(t *testing.T, ctx context.Context, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func statusOf(t *testing.T, ctx context.Context, host *Host, name string) ServiceStatus {
	t.Helper()
	services, err := host.Services(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, service := range services {
		if service.Name == name {
			return service
		}
	}
	return ServiceStatus{}
}

func TestLabServices(t *testing.T) {
	l, ctx := needLab(t, Options{Prefix: "svc", Hosts: 1})
	host := l.Hosts[0]
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	kept := "/var/lib/clusterd/starts"
	must(host.Start(ctx, "sleeper", "sh", "-c", "echo $$ >> "+kept+"; exec sleep 1000"))
	starts := func() int {
		content, _ := os.ReadFile(filepath.Join(host.Directory(), "var-lib-clusterd", "starts"))
		return strings.Count(string(content), "\n")
	}
	waitUntil(t, ctx, "first start", func() bool { return starts() == 1 })
	must(host.KillService(ctx, "sleeper", syscall.SIGKILL))
	waitUntil(t, ctx, "restart after SIGKILL",
		func() bool { return starts() == 2 && statusOf(t, ctx, host, "sleeper").Pid > 0 })
	if status := statusOf(t, ctx, host, "sleeper"); status.LastExit != "killed by SIGKILL" {
		t.Fatalf("%+v", status)
	}
	must(host.Crash())
	if _, err := host.Services(ctx); err == nil {
		t.Fatal("a host without power answered")
	}
	must(host.Boot(ctx))
	waitUntil(t, ctx, "start at boot", func() bool { return starts() == 3 })
	must(host.StopService(ctx, "sleeper"))
	if status := statusOf(t, ctx, host, "sleeper"); status.Pid != 0 || !status.Held {
		t.Fatalf("after stop: %+v", status)
	}
	must(host.ReleaseService(ctx, "sleeper"))
	waitUntil(t, ctx, "start after release", func() bool { return starts() == 4 })

	before := statusOf(t, ctx, host, "libvirtd").Pid
	must(host.KillLibvirtd(ctx, false))
	waitUntil(t, ctx, "libvirtd's return", func() bool {
		pid := statusOf(t, ctx, host, "libvirtd").Pid
		return pid != 0 && pid != before
	})
	must(host.RestartLibvirtd(ctx))
	must(host.Shutdown(ctx))
	if host.Power() {
		t.Fatal("on after shutdown")
	}
}

// TestLabFaults checks each way to break a host, on both kinds of cgroup where the machine has
// both.
func TestLabFaults(t *testing.T) {
	t.Run("cgroup2", checkFaults)
	t.Run("cgroup1", func(t *testing.T) {
		cgroup.AvoidVersion2 = true
		t.Cleanup(func() { cgroup.AvoidVersion2 = false })
		if _, _, err := cgroup.Root(); err != nil {
			t.Skip("this machine has no cgroup v1 freezer")
		}
		checkFaults(t)
	})
}

func checkFaults(t *testing.T) {
	l, ctx := needLab(t, Options{Prefix: "fault", Hosts: 2})
	first, second := l.Hosts[0], l.Hosts[1]
	reachable := func(address string) bool {
		ctx, cancel := context.WithTimeout(ctx, 600*time.Millisecond)
		defer cancel()
		_, err := second.Run(ctx, "bash", "-c", "exec 3<>/dev/tcp/"+address+"/16509")
		return err == nil
	}
	if !reachable("10.99.0.1") {
		t.Fatal("node1's libvirtd is not reachable at first")
	}
	if err := first.Cut(); err != nil {
		t.Fatal(err)
	}
	if reachable("10.99.0.1") {
		t.Fatal("reachable although cut")
	}
	if status, err := l.IPMI(ctx, first, "chassis", "power", "status"); err != nil || !strings.Contains(status, "is on") {
		t.Fatalf("a host without management network has a BMC all the same: %q, %v", status, err)
	}
	if err := first.Heal(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, ctx, "healing", func() bool { return reachable("10.99.0.1") })

	if err := first.Freeze(); err != nil {
		t.Fatal(err)
	}
	if !reachable("10.99.0.1") {
		t.Fatal("a frozen host's kernel still takes connections")
	}
	impatient, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	if _, err := first.Services(impatient); err == nil {
		t.Fatal("a frozen init answered")
	}
	cancel()
	if err := first.Thaw(); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Services(ctx); err != nil {
		t.Fatalf("after thawing: %v", err)
	}
	if err := first.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := first.Crash(); err != nil || first.Power() {
		t.Fatalf("cutting the power of a frozen host: %v", err)
	}
}

func TestLabBMC(t *testing.T) {
	l, ctx := needLab(t, Options{Prefix: "bmc", Hosts: 1})
	host := l.Hosts[0]
	power := func(words ...string) (string, error) {
		return l.IPMI(ctx, host, append([]string{"chassis", "power"}, words...)...)
	}
	press := func(word string) {
		t.Helper()
		if _, err := power(word); err != nil {
			t.Fatalf("power %s: %v", word, err)
		}
	}
	expect := func(want string) {
		t.Helper()
		if said, err := power("status"); err != nil || !strings.Contains(said, want) {
			t.Fatalf("status %q, %v; want %q", said, err, want)
		}
	}
	guid, err := l.IPMI(ctx, host, "mc", "guid", "smbios")
	if err != nil || !strings.Contains(guid, host.HardwareUUID) {
		t.Fatalf("GUID %q, %v; want %s", guid, err, host.HardwareUUID)
	}
	if inside, err := host.Run(ctx, "cat", "/etc/clusterd/hardware-uuid"); err != nil ||
		strings.TrimSpace(inside) != host.HardwareUUID {
		t.Fatalf("hardware UUID inside %q, %v", inside, err)
	}
	for fault, want := range map[Fault]string{Stuck: "is on", Lies: "is off"} {
		if err := host.BMC.SetFault(fault); err != nil {
			t.Fatal(err)
		}
		press("off")
		expect(want)
		if !host.Power() {
			t.Fatalf("%s: the host lost its power", fault)
		}
	}
	if err := host.BMC.SetFault(Dead); err != nil {
		t.Fatal(err)
	}
	if said, err := power("status"); err == nil {
		t.Fatalf("a dead BMC said %q", said)
	}
	if err := host.BMC.SetFault(Healthy); err != nil {
		t.Fatal(err)
	}
	host.BMC.SetOffDelay(4 * time.Second)
	press("off")
	expect("is on")
	waitUntil(t, ctx, "delayed off", func() bool { return !host.Power() })
	expect("is off")
	press("on")
	waitUntil(t, ctx, "boot by BMC", func() bool {
		_, err := host.Run(ctx, "virsh", "-q", "list")
		return err == nil
	})
	before := host.BootID()
	press("reset")
	waitUntil(t, ctx, "reset by BMC", func() bool { return host.Power() && host.BootID() != before })
}

// TestLabSeesTwoWriters makes the worst case on purpose, to show that the witness would see it.
func TestLabSeesTwoWriters(t *testing.T) {
	l, ctx := needLab(t, Options{Prefix: "twice", Hosts: 2})
	guest := Guest{Name: "twice", Number: 12}
	if err := os.WriteFile(filepath.Join(l.SharedDirectory(), "twice.xml"), []byte(GuestXML(guest)), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, host := range l.Hosts {
		if _, err := host.Run(ctx, "virsh", "-q", "create", "/srv/cluster/twice.xml"); err != nil {
			t.Fatalf("no lock may stop the second start here, but: %v", err)
		}
	}
	waitUntil(t, ctx, "a verdict of two writers", func() bool { return l.CheckSingleWriter("twice") != nil })
	runs, err := l.Writers("twice")
	if err != nil {
		t.Fatal(err)
	}
	t.Log(fmt.Sprint(len(runs), " runs; verdict: ", l.CheckSingleWriter("twice")))
}

// createGuest starts a guest on a host and returns a function that starts it again.
func createGuest(t *testing.T, ctx context.Context, l *Lab, host *Host, guest Guest) (again func()) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(l.SharedDirectory(), guest.Name+".xml"), []byte(GuestXML(guest)),
		0o644); err != nil {
		t.Fatal(err)
	}
	again = func() {
		t.Helper()
		if _, err := host.Run(ctx, "virsh", "-q", "create", "/srv/cluster/"+guest.Name+".xml"); err != nil {
			t.Fatal(err)
		}
	}
	again()
	return again
}

func TestLabGuestLivesWithoutStorage(t *testing.T) {
	l, ctx := needLab(t, Options{Prefix: "guest", Hosts: 1})
	host, guest := l.Hosts[0], Guest{Name: "web", Number: 13}
	probe, err := l.ProbeGuest(guest.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Stop()
	createGuest(t, ctx, l, host, guest)
	if err := probe.WaitForAnswer(ctx); err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"dirty 1000", "reset"} {
		if err := l.OrderGuest(ctx, guest.Address(), order); err != nil {
			t.Fatal(err)
		}
	}
	waitUntil(t, ctx, "another run after reset", func() bool { return len(probe.Report().Runs) == 2 })
	written := func() uint64 {
		runs, err := l.Writers("web")
		if err != nil || len(runs) < 2 {
			return 0
		}
		return runs[len(runs)-1].Count
	}
	waitUntil(t, ctx, "the second run's first write", func() bool { return written() > 0 })

	// Without its storage the guest must still answer: it is alive, and a probe must not take it
	// for dead.
	if err := host.Cut(Storage); err != nil {
		t.Fatal(err)
	}
	probe.Reset()
	waitUntil(t, ctx, "fifty answers without storage", func() bool { return probe.Report().Received > 50 })
	if err := host.Heal(Storage); err != nil {
		t.Fatal(err)
	}
	before := written()
	waitUntil(t, ctx, "writes after healing", func() bool { return written() > before+2 })
}

func TestLabGuestObeysButtonAndLibvirtItsHook(t *testing.T) {
	l, ctx := needLab(t, Options{Prefix: "hook", Hosts: 1})
	host, guest := l.Hosts[0], Guest{Name: "web", Number: 14}
	again := createGuest(t, ctx, l, host, guest)
	// libvirtd looks for hook scripts when it starts and never again, so the hook comes before a
	// restart.
	command := host.Command(ctx, "sh", "-c", "cat > /etc/libvirt/hooks/qemu && chmod 755 /etc/libvirt/hooks/qemu")
	command.Stdin = strings.NewReader("#!/bin/sh\necho \"$@\" >> /var/log/hook.log\n")
	if err := command.Run(); err != nil {
		t.Fatal(err)
	}
	if err := host.RestartLibvirtd(ctx); err != nil {
		t.Fatal(err)
	}
	names := func() string {
		names, err := host.Run(ctx, "virsh", "-q", "list", "--all", "--name")
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(names)
	}
	if names() != "web" {
		t.Fatal("the guest did not survive libvirtd's restart")
	}
	if _, err := host.Run(ctx, "virsh", "-q", "shutdown", "web"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, ctx, "the guest to obey the power button", func() bool { return names() == "" })
	again()
	calls, err := host.Run(ctx, "cat", "/var/log/hook.log")
	if err != nil || !strings.Contains(calls, "web prepare begin") {
		t.Fatalf("the hook was not asked: %q, %v", calls, err)
	}
}
