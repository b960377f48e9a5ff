package ocf

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/program"
	"github.com/clusterd/clusterd/resources"
)

const systemdPath = "/lib/systemd/systemd"

// TestLabUnits drives units of a real systemd, which is process 1 of namespaces
// of its own and knows no units but those of the test.
func TestLabUnits(t *testing.T) {
	if os.Getenv("CLUSTERD_LAB") == "" || os.Geteuid() != 0 {
		t.Skip("runs a systemd in namespaces: set CLUSTERD_LAB=1 (as root)")
	}
	switch os.Getenv(insideVariable) {
	case "init":
		becomeSystemd(t)
	case "unit":
		unitsOfRealSystemd(t)
	default:
		for _, file := range []string{systemdPath, "/usr/bin/systemctl"} {
			if _, err := os.Stat(file); err != nil {
				t.Skipf("%v; the package is systemd", err)
			}
		}
		bootSystemd(t)
	}
}

// bootSystemd begins the systemd, which runs this test again as a unit, and
// waits for the last word of that.
func bootSystemd(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	places, err := program.NewPlaces("clusterd-test-systemd-" + strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Skip(err)
	}
	home := program.Home{Key: "systemd", Title: "systemd"}
	place, err := places.Open(home)
	if err != nil {
		t.Fatal(err)
	}
	defer place.Close()
	namespaces := []string{"--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--cgroup", "--net", "--uts",
		"--ipc"}
	var said bytes.Buffer
	boot := exec.Command("unshare", append(namespaces, os.Args[0], "-test.run", "^TestLabUnits$")...)
	boot.Env = append(os.Environ(), insideVariable+"=init", outVariable+"="+out)
	boot.Stdout, boot.Stderr = &said, &said
	boot.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(place.Fd())}
	if err := boot.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- boot.Wait() }()
	defer func() {
		_ = boot.Process.Kill() // its child, systemd, goes with it, and all below
		<-ended
		removeGroups(t, place.Name())
		places.Remove(home)
	}()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		text, _ := os.ReadFile(out)
		switch {
		case bytes.Contains(text, []byte("\nPASS\n")):
			return
		case bytes.Contains(text, []byte("\nFAIL\n")):
			t.Fatalf("%s", text)
		}
	}
	text, _ := os.ReadFile(out)
	t.Fatalf("it has not ended after two minutes: %s\nsystemd: %s", text, said.Bytes())
}

// outVariable names the file into which the inner test writes.
const outVariable = "CLUSTERD_TEST_OUT"

// removeGroups ends and removes what is left of a systemd's tree. One that has executed itself
// anew has outlived its parent before.
func removeGroups(t *testing.T, top string) {
	waitFor(t, func() bool {
		var folders []string
		_ = filepath.Walk(top, func(path string, info os.FileInfo, err error) error {
			if err == nil && info.IsDir() {
				folders = append(folders, path)
				killMembers(path)
			}
			return nil
		})
		for i := len(folders) - 1; i >= 0; i-- {
			_ = os.Remove(folders[i])
		}
		_, err := os.Stat(top)
		return os.IsNotExist(err)
	})
}

func killMembers(group string) {
	text, _ := os.ReadFile(filepath.Join(group, "cgroup.procs"))
	for word := range strings.FieldsSeq(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// becomeSystemd is process 1 of the new namespaces on its way to be systemd.
func becomeSystemd(t *testing.T) {
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"))
	for unix.Unmount("/sys/fs/cgroup", unix.MNT_DETACH) == nil {
	}
	must(unix.Mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, ""))
	must(os.Mkdir("/run/units", 0o755))
	unit := func(name, text string) { must(os.WriteFile("/run/units/"+name, []byte(text), 0o644)) }
	unit("default.target", "[Unit]\nWants=inner.service\n")
	unit("inner.service", "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nStandardOutput=append:"+os.Getenv(
		outVariable)+"\nStandardError=inherit\n"+
		"Environment=CLUSTERD_LAB=1 "+insideVariable+"=unit\nExecStart="+os.Args[0]+" -test.run ^TestLabUnits$ -test.v\n")
	service := func(name, text string) {
		unit(name+".service", "[Unit]\nDefaultDependencies=no\n[Service]\n"+text+"\n")
	}
	service("little", "ExecStart=/bin/sleep 1000")
	service("broken", "Type=oneshot\nExecStart=/bin/false")
	service("clusterd-handover",
		"Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecStop=/bin/sleep 1000")
	service("slow", "Type=oneshot\nExecStart=/bin/sleep 1000")
	environment := []string{
		"container=lab", "SYSTEMD_UNIT_PATH=/run/units:/run/systemd/system", "PATH=" + os.Getenv("PATH"),
	}
	must(unix.Exec(systemdPath, []string{systemdPath, "--system", "--log-target=console"}, environment))
}

func unitsOfRealSystemd(t *testing.T) {
	b := newBench(t)
	often := []resources.ResourceCheck{{Interval: 200 * time.Millisecond, Timeout: 5 * time.Second}}
	unit := func(name string) resources.Resource {
		return resources.Resource{Type: "systemd:" + name, Name: name, Checks: often, StartTimeout: 5 * time.Second,
			StopTimeout: 5 * time.Second}
	}
	control := func(arguments ...string) string {
		t.Helper()
		said, err := exec.Command("systemctl", arguments...).CombinedOutput()
		if err != nil && arguments[0] != "is-active" {
			t.Fatalf("systemctl %v: %v: %s", arguments, err, said)
		}
		return strings.TrimSpace(string(said))
	}
	web := b.spec(unit("little"))
	b.want(web, agents.Absent)
	b.mustStart(web)
	if state := control("is-active", "little.service"); state != "active" {
		t.Errorf("started, and systemd says %s", state)
	}
	control("daemon-reexec") // ends every connection
	b.want(web, agents.Running)
	control("kill", "--signal=KILL", "little.service")
	waitFor(t, func() bool { return b.agent.Look(context.Background(), web).Condition == agents.Broken })
	b.mustStart(web)
	before := control("show", "-p", "Before", "little.service")
	if !strings.Contains(before, "clusterd-handover.service") {
		t.Errorf("a shutdown of the host would end the unit beside the hand-over: %s", before)
	}
	// The hand-over waits for the stop, and systemd would have the stop wait for the hand-over.
	control("start", "clusterd-handover.service")
	control("stop", "--no-block", "clusterd-handover.service")
	if result := b.stop(web); !result.OK || control("is-active", "little.service") != "inactive" {
		t.Errorf("%+v", result)
	}
	b.want(web, agents.Absent)
	control("kill", "--signal=KILL", "clusterd-handover.service")

	for name, says := range map[string]string{
		"broken":  "its job failed; the unit is failed (failed), result exit-code",
		"nowhere": "not found",
	} {
		if result := b.start(b.spec(unit(name))); result.OK || result.Source != agents.Absent ||
			!strings.Contains(result.Why, says) {
			t.Errorf("%s: %+v", name, result)
		}
	}
	// Its time is over while systemd works: the stop that follows takes the job back.
	slow := unit("slow")
	slow.StartTimeout = 500 * time.Millisecond
	if result := b.start(b.spec(slow)); result.OK || result.Source != agents.Absent ||
		!strings.Contains(result.Why, "did not answer in time") {
		t.Errorf("%+v", result)
	}
	if state := control("is-active", "slow.service"); state == "activating" {
		t.Error("slow.service still starts")
	}
	scopesOfRealSystemd(t, b, control)
}

func scopesOfRealSystemd(t *testing.T, b *bench, control func(...string) string) {
	b.write("start.thing-a", "setsid sleep 1000 & echo $! >"+b.dir+"/pid")
	b.write("stop.thing-a", `kill $(cat `+b.dir+`/pid)`)
	shop := b.spec(thingNamed("a"), thingNamed("b")) // b leaves nothing behind
	b.mustStart(shop)
	pid, err := os.ReadFile(b.dir + "/pid")
	if err != nil {
		t.Fatal(err)
	}
	group, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/cgroup")
	if err != nil || !strings.Contains("\n"+string(group), "\n0::/system.slice/clusterd-service_shop-") {
		t.Errorf("%s %v", group, err)
	}
	listed := control("list-units", "--no-legend", "--plain", "--type=scope", "clusterd-*")
	if !strings.Contains(listed, "active running service:shop, kept alive by clusterd") ||
		strings.Count(listed, "\n") > 0 {
		t.Errorf("%q", listed)
	}
	home := program.Home{Key: shop.UUID, Title: shop.Name}
	if living := b.agent.places.Processes(home); len(living) != 1 {
		t.Errorf("in the scope: %v", living)
	}
	b.open() // the next daemon
	b.want(shop, agents.Running)
	if result := b.stop(shop); !result.OK {
		t.Errorf("%+v", result)
	}
	waitFor(t, func() bool { return control("list-units", "--no-legend", "--type=scope", "clusterd-*") == "" })
	// At once again: the name is free, or the scope is still there.
	for range 3 {
		b.mustStart(shop)
		if result := b.stop(shop); !result.OK {
			t.Errorf("%+v", result)
		}
	}
	b.write("stop.thing-a", `kill -0 $(cat `+b.dir+`/pid) 2>/dev/null && exit 1`)
	b.write("monitor.thing-a", `kill -0 $(cat `+b.dir+`/pid 2>/dev/null) 2>/dev/null || exit 7`)
	b.mustStart(shop)
	if result := b.stop(shop); !result.OK || len(b.agent.places.Processes(home)) > 0 {
		t.Errorf("what did not stop was not killed in its scope: %+v", result)
	}
}
