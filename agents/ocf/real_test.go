package ocf

import (
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/resources"
)

// TestLabRealAgents runs Debian's agents as they are, in network and mount
// namespaces of their own, so that nothing of this machine is touched.
func TestLabRealAgents(t *testing.T) {
	if os.Getenv("CLUSTERD_LAB") == "" || os.Geteuid() != 0 {
		t.Skip("runs real agents in namespaces: set CLUSTERD_LAB=1 (as root, on Debian)")
	}
	for _, file := range []string{"/usr/lib/ocf/resource.d/heartbeat/IPaddr2", "/usr/sbin/nginx", "/usr/sbin/modprobe",
		"/usr/bin/fuser"} {
		if _, err := os.Stat(file); err != nil {
			t.Skipf("%v; the packages are resource-agents, nginx-light, kmod and psmisc", err)
		}
	}
	if os.Getenv(insideVariable) == "" {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		again := exec.CommandContext(ctx, "unshare", "--net", "--mount", os.Args[0], "-test.run", "^TestLabRealAgents$",
			"-test.v")
		again.Env = append(os.Environ(), insideVariable+"=1")
		if said, err := again.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
		return
	}
	for _, argv := range [][]string{{"ip", "link", "set", "lo", "up"}, {"ip", "link", "add", "net0", "type", "bridge"},
		{"ip", "addr", "add", "10.77.0.1/24", "dev", "net0"}, {"ip", "link", "set", "net0", "up"}} {
		if said, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", argv, err, said)
		}
	}
	realService(t)
}

// insideVariable tells the test that it is in its namespaces.
const insideVariable = "CLUSTERD_TEST_INSIDE"

// realService starts a service of real agents, ends its server and takes its address behind their
// backs, and stops it.
func realService(t *testing.T) {
	dir := t.TempDir()
	mount, link := filepath.Join(dir, "mount"), filepath.Join(dir, "link")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	agent, err := New(Options{Node: "real", Boot: "boot", Folder: filepath.Join(dir, "records"),
		Folders: dialect.Folders{Scratch: filepath.Join(dir, "scratch")},
		Logger:  slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	service := realTree(dir, mount, link, webConfiguration(t, dir))
	b := &bench{t: t, dir: dir, agent: agent}
	b.want(service, agents.Absent)
	b.mustStart(service)
	answers := func() bool {
		c, err := net.DialTimeout("tcp", "10.77.0.5:80", time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	if mounts, _ := os.ReadFile("/proc/self/mounts"); !answers() || !strings.Contains(string(mounts), mount) {
		t.Error("it was started, and its address does not answer or its file system is not mounted")
	}
	if target, err := os.Readlink(link); err != nil || target != mount {
		t.Error(err)
	}
	pid, err := os.ReadFile(dir + "/nginx.pid")
	if err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("pkill", "-KILL", "-s", strings.TrimSpace(string(pid))).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, said)
	}
	waitFor(t, func() bool { return !answers() })
	waitFor(t, answers) // mended in place
	b.want(service, agents.Running)
	if said, err := exec.Command("ip", "addr", "del", "10.77.0.5/24", "dev", "net0").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, said)
	}
	waitFor(t, func() bool { return agent.Look(context.Background(), service).Condition == agents.Broken })
	if result := b.stop(service); !result.OK {
		t.Fatalf("%+v", result)
	}
	b.want(service, agents.Absent)
	if mounts, _ := os.ReadFile("/proc/self/mounts"); strings.Contains(string(mounts), mount) {
		t.Error("the file system is still mounted")
	}
}

// webConfiguration writes what nginx is to serve, and returns the file.
func webConfiguration(t *testing.T, dir string) string {
	t.Helper()
	configuration := filepath.Join(dir, "nginx.conf")
	// The agent looks for directives at the beginning of lines.
	text := strings.Join([]string{"user root;", "pid " + dir + "/nginx.pid;", "error_log " + dir + "/error.log;",
		"events {}", "http {", "access_log off;",
		"server { listen 10.77.0.5:80; location / { return 200 here; } }", "}", ""}, "\n")
	if err := os.WriteFile(configuration, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return configuration
}

// realTree is a file system with an address on it and a server on that, a link and a dummy.
func realTree(dir, mount, link, configuration string) resources.Spec {
	often := []resources.ResourceCheck{{Interval: time.Second, Timeout: 20 * time.Second}}
	web := resources.Resource{Type: "ocf:heartbeat:nginx", Name: "web", Subtree: resources.Independent, Checks: often,
		Parameters: map[string]string{"configfile": configuration}}
	address := resources.Resource{Type: "ocf:heartbeat:IPaddr2", Name: "ip", Checks: often,
		Parameters: map[string]string{"ip": "10.77.0.5", "cidr_netmask": "24"}, Children: []resources.Resource{web}}
	return spec("service:real",
		resources.Resource{Type: "ocf:heartbeat:Filesystem", Name: "fs",
			Parameters: map[string]string{"device": "tmpfs", "directory": mount, "fstype": "tmpfs"},
			Children:   []resources.Resource{address}},
		resources.Resource{Type: "ocf:heartbeat:symlink", Name: "ln",
			Parameters: map[string]string{"link": link, "target": mount}},
		resources.Resource{Type: "ocf:heartbeat:Dummy", Name: "d", Parameters: map[string]string{"state": dir + "/dummy"}},
	)
}
