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
)

// needLab skips a test that needs a real lab where there can be none, and gives it a lab of its own otherwise.
func needLab(t *testing.T, options Options) (*Lab, context.Context) {
	t.Helper()
	if os.Getenv("CLUSTERD_LAB") == "" {
		t.Skip("needs a real lab: set CLUSTERD_LAB=1 (as root, on Debian)")
	}
	if err := Check(); err != nil {
		t.Skip(err)
	}
	if missing := Missing(); len(missing) > 0 {
		t.Skipf("packages are missing: %s; \"lab up\" installs them", strings.Join(missing, " "))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	l, err := Up(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	l.CloseOnSignal()
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		checkNothingLeft(t, l)
	})
	return l, ctx
}

func checkNothingLeft(t *testing.T, l *Lab) {
	t.Helper()
	root, _, err := cgroupRoot()
	if err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(root, l.options.Prefix+"-*"))
	for _, path := range append(left, l.hubNamespacePath(), l.Directory()) {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s is left", path)
		}
	}
	mounts, _ := os.ReadFile("/proc/mounts")
	if strings.Contains(string(mounts), l.Directory()) || strings.Contains(string(mounts), l.hubName()) {
		t.Error("mounts are left")
	}
}

func TestLabSmoke(t *testing.T) {
	l, ctx := needLab(t, Options{Prefix: "smoke"})
	if err := Smoke(ctx, l, func(line string) { t.Log(line) }); err != nil {
		t.Fatal(err)
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
	waitUntil(t, ctx, "restart after SIGKILL", func() bool { return starts() == 2 && statusOf(t, ctx, host, "sleeper").Pid > 0 })
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

// TestLabFaults checks each way to break a host.
func TestLabFaults(t *testing.T) {
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
	if inside, err := host.Run(ctx, "cat", "/etc/clusterd/hardware-uuid"); err != nil || strings.TrimSpace(inside) != host.HardwareUUID {
		t.Fatalf("hardware UUID inside %q, %v", inside, err)
	}
	for fault, want := range map[Fault]string{Stuck: "is on", Lies: "is off"} {
		if err := host.BMC.SetFault(fault); err != nil {
			t.Fatal(err)
		}
		if _, err := power("off"); err != nil {
			t.Fatalf("%s: %v", fault, err)
		}
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
	host.BMC.SetOffDelay(time.Second)
	if _, err := power("off"); err != nil {
		t.Fatal(err)
	}
	expect("is on")
	waitUntil(t, ctx, "delayed off", func() bool { return !host.Power() })
	expect("is off")
	if _, err := power("on"); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, ctx, "boot by BMC", func() bool {
		_, err := host.Run(ctx, "virsh", "-q", "list")
		return err == nil
	})
	before := host.BootID()
	if _, err := power("reset"); err != nil {
		t.Fatal(err)
	}
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
