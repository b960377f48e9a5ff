package ocf

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// TestLabRealServers runs Debian's agents of whole servers as they are, each with
// the real server: in network and mount namespaces of their own, with /run and
// libvirt's folders empty, so that nothing of this machine is touched.
func TestLabRealServers(t *testing.T) {
	if os.Getenv("CLUSTERD_LAB") == "" || os.Geteuid() != 0 {
		t.Skip("runs real agents in namespaces: set CLUSTERD_LAB=1 (as root, on Debian)")
	}
	if os.Getenv(insideVariable) == "" {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		again := exec.CommandContext(ctx, "unshare", "--net", "--mount", os.Args[0], "-test.run", "^TestLabRealServers$",
			"-test.v")
		again.Env = append(os.Environ(), insideVariable+"=1")
		said, err := again.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		t.Logf("%s", said)
		return
	}
	for _, line := range []string{"ip link set lo up", "ip link add net0 type bridge",
		"ip addr add 10.77.0.1/24 dev net0", "ip link set net0 up", "mount -t tmpfs tmpfs /run"} {
		mustRun(t, strings.Fields(line)...)
	}
	t.Run("apache", realApache)
	t.Run("pgsql", realPostgres)
	t.Run("VirtualDomain", realVirtualDomain)
	// These two need an NFS server and a device mapper in the kernel, which a test
	// cannot bring along.
	t.Run("exportfs", func(t *testing.T) { knows(t, "ocf:heartbeat:exportfs", "directory", "clientspec", "fsid") })
	t.Run("LVM-activate", func(t *testing.T) { knows(t, "ocf:heartbeat:LVM-activate", "vgname", "vg_access_mode") })
}

func mustRun(t *testing.T, argv ...string) {
	t.Helper()
	if said, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v: %s", argv, err, said)
	}
}

func needs(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("%v; the packages are resource-agents, apache2, curl, postgresql, libvirt-daemon-system and "+
				"qemu-system-x86", err)
		}
	}
}

func realBench(t *testing.T) *bench {
	dir := t.TempDir()
	for _, folder := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(folder, 0o755); err != nil { // the database runs as its own user
			t.Fatal(err)
		}
	}
	agent, err := New(Options{Node: "real", Boot: "boot", Folder: filepath.Join(dir, "records"),
		Folders: dialect.Folders{Scratch: filepath.Join(dir, "scratch")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Close() })
	return &bench{t: t, dir: dir, agent: agent}
}

// story starts a server, finds it, kills it, finds it broken, and stops it.
func (b *bench) story(service resources.Spec, works func() bool, kill func()) {
	b.t.Helper()
	b.want(service, agents.Absent)
	b.mustStart(service)
	b.want(service, agents.Running)
	if !works() {
		b.t.Fatal("it was started, and does not work")
	}
	kill()
	waitFor(b.t, func() bool { return b.agent.Look(context.Background(), service).Condition == agents.Broken })
	if result := b.stop(service); !result.OK {
		b.t.Fatalf("stop: %+v", result)
	}
	b.want(service, agents.Absent)
	b.mustStart(service)
	if result := b.stop(service); !result.OK || works() {
		b.t.Fatalf("stop of one that works: %+v", result)
	}
	b.want(service, agents.Absent)
}

var quick = []resources.ResourceCheck{{Interval: time.Second, Timeout: 20 * time.Second}}

func connects(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func pidIn(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || len(strings.Fields(string(text))) == 0 {
		t.Fatalf("%s: %q, %v", path, text, err)
	}
	return strings.Fields(string(text))[0]
}

func realApache(t *testing.T) {
	needs(t, "/usr/sbin/apache2", "/usr/bin/curl", "/usr/lib/ocf/resource.d/heartbeat/apache")
	b := realBench(t)
	configuration, pidFile := filepath.Join(b.dir, "apache.conf"), filepath.Join(b.dir, "apache.pid")
	lines := []string{"ServerRoot " + b.dir, "ServerName real", "PidFile " + pidFile, "Listen 10.77.0.1:80",
		"ErrorLog " + b.dir + "/error.log", "Mutex file:" + b.dir}
	for _, module := range []string{"mpm_event", "authz_core", "status"} {
		lines = append(lines, fmt.Sprintf("LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so", module, module))
	}
	lines = append(lines, "<Location /server-status>", "SetHandler server-status", "</Location>", "")
	if err := os.WriteFile(configuration, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	web := resources.Resource{Type: "ocf:heartbeat:apache", Name: "web", Checks: quick,
		Parameters: map[string]string{"configfile": configuration, "httpd": "/usr/sbin/apache2",
			"statusurl": "http://10.77.0.1/server-status"}}
	b.story(spec("service:web", web), func() bool { return connects("10.77.0.1:80") },
		func() { mustRun(t, "pkill", "-KILL", "-f", configuration) })
}

func realPostgres(t *testing.T) {
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(programs) == 0 {
		t.Skip("there is no /usr/lib/postgresql/*/bin; the package is postgresql")
	}
	needs(t, "/usr/bin/psql", "/usr/lib/ocf/resource.d/heartbeat/pgsql")
	b, bin := realBench(t), programs[len(programs)-1]
	data, sockets := filepath.Join(b.dir, "data"), filepath.Join(b.dir, "sockets")
	for _, folder := range []string{data, sockets} {
		mustRun(t, "install", "-d", "-o", "postgres", "-m", "700", folder)
	}
	mustRun(t, "su", "postgres", "-s", "/bin/sh", "-c", bin+"/initdb --no-sync --no-locale -A trust -D "+data)
	db := resources.Resource{Type: "ocf:heartbeat:pgsql", Name: "db", Checks: quick, Parameters: map[string]string{
		"pgctl": bin + "/pg_ctl", "pgdata": data, "socketdir": sockets, "pghost": sockets, "logfile": data + "/log",
		"start_opt": "-c listen_addresses=10.77.0.1 -c unix_socket_directories=" + sockets,
	}}
	b.story(spec("service:db", db), func() bool { return connects("10.77.0.1:5432") },
		func() { mustRun(t, "kill", "-KILL", pidIn(t, data+"/postmaster.pid")) })
}

func realVirtualDomain(t *testing.T) {
	needs(t, "/usr/sbin/libvirtd", "/usr/bin/virsh", "/usr/bin/qemu-system-x86_64",
		"/usr/lib/ocf/resource.d/heartbeat/VirtualDomain")
	for _, folder := range []string{"/var/lib", "/var/cache", "/var/log", "/etc/libvirt"} {
		mustRun(t, "mount", "-t", "tmpfs", "tmpfs", folder)
	}
	if err := os.WriteFile("/etc/libvirt/qemu.conf",
		[]byte("user = \"root\"\ngroup = \"root\"\nswtpm_user = \"root\"\nswtpm_group = \"root\"\nsecurity_driver = "+
			"\"none\"\nstdio_handler = \"file\"\ncgroup_controllers = [ ]\nnamespaces = [ ]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// libvirt's QEMU driver insists on a user that Debian makes in another package.
	for file, line := range map[string]string{"/etc/passwd": "libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin\n",
		"/etc/group": "libvirt-qemu:x:64055:\n"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ours := filepath.Join("/run", filepath.Base(file))
		if err := os.WriteFile(ours, append(text, line...), 0o644); err != nil {
			t.Fatal(err)
		}
		mustRun(t, "mount", "--bind", ours, file)
	}
	libvirtd := exec.CommandContext(t.Context(), "/usr/sbin/libvirtd")
	if err := libvirtd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return exec.Command("virsh", "-q", "-c", "qemu:///system", "list").Run() == nil })
	b := realBench(t)
	definition := filepath.Join(b.dir, "guest.xml")
	// The agent looks for the name on a line of its own.
	text := "<domain type='qemu'>\n<name>guest</name>\n<memory unit='MiB'>16</memory><os><type arch='x86_64' " +
		"machine='pc'>hvm</type></os>" +
		"<on_poweroff>destroy</on_poweroff><devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon " +
		"model='none'/></devices></domain>\n"
	if err := os.WriteFile(definition, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	guest := resources.Resource{Type: "ocf:heartbeat:VirtualDomain", Name: "guest", Checks: quick,
		Parameters: map[string]string{
			"config": definition, "hypervisor": "qemu:///system", "force_stop": "true", "autoset_utilization_cpu": "false",
			"autoset_utilization_hv_memory": "false",
		}}
	runs := func() bool {
		state, err := exec.Command("virsh", "-q", "-c", "qemu:///system", "domstate", "guest").Output()
		return err == nil && strings.TrimSpace(string(state)) == "running"
	}
	b.story(spec("service:guest", guest), runs,
		func() { mustRun(t, "virsh", "-q", "-c", "qemu:///system", "destroy", "guest") })
}

// knows holds that an agent's own description is read, and names these parameters.
func knows(t *testing.T, kind string, parameters ...string) {
	needs(t, filepath.Join("/usr/lib/ocf/resource.d", strings.TrimPrefix(strings.ReplaceAll(kind, ":", "/"), "ocf/")))
	catalogue := &dialect.Catalogue{Folders: dialect.Folders{OCF: "/usr/lib/ocf", Scratch: t.TempDir()}}
	found, err := catalogue.Find(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range parameters {
		if !slices.ContainsFunc(found.Meta.Parameters, func(p resources.AgentParameter) bool { return p.Name == name }) {
			t.Errorf("%s: its description has no parameter %s", kind, name)
		}
	}
}
