package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/test/lab"
	"github.com/clusterd/clusterd/test/stage"
)

// unitsNode is the host with the real systemd.
const unitsNode = "node1"

// unitsWorld is the lab, in which one host runs a real systemd.
type unitsWorld struct {
	*stage.Lab
	machine *machine
}

// Command implements stage.World.
func (w *unitsWorld) Command(ctx context.Context, node string, argv ...string) *exec.Cmd {
	if node == unitsNode {
		return w.machine.command(ctx, argv...)
	}
	return w.Lab.Command(ctx, node, argv...)
}

// StartDaemon implements stage.World. The others find the credential of the document where a
// systemd would put it.
func (w *unitsWorld) StartDaemon(ctx context.Context, node string) error {
	if node == unitsNode {
		if _, err := w.machine.run(ctx, "systemctl", "restart", "libvirtd"); err != nil {
			return err
		}
		_, err := w.machine.run(ctx, "systemctl", "enable", "--now", "clusterd", "clusterd-handover")
		return err
	}
	if err := w.Host(node).RestartLibvirtd(ctx); err != nil {
		return err
	}
	return w.Host(node).StartService(ctx, lab.Service{
		Name: "clusterd", Argv: []string{"/srv/cluster/bin/clusterd", "run"}, Restart: lab.RestartOnFailure,
		Environment: []string{"CREDENTIALS_DIRECTORY=/srv/cluster/credentials"},
	})
}

// Socket implements stage.World.
func (w *unitsWorld) Socket(node string) string {
	if node == unitsNode {
		return filepath.Join("/proc", strconv.Itoa(w.machine.pid), "root/run/clusterd/clusterd.sock")
	}
	return w.Lab.Socket(node)
}

// Powered implements stage.World.
func (w *unitsWorld) Powered(node string) bool {
	if node == unitsNode {
		return w.machine.running()
	}
	return w.Lab.Powered(node)
}

// Guests implements stage.World.
func (w *unitsWorld) Guests(ctx context.Context, node string) ([]string, error) {
	if node != unitsNode {
		return w.Lab.Guests(ctx, node)
	}
	if !w.machine.running() {
		return nil, nil
	}
	names, err := w.machine.run(ctx, "virsh", "-q", "list", "--all", "--name")
	return strings.Fields(names), err
}

// unitsFenceAgent says that its outlet is on.
const unitsFenceAgent = `#!/bin/sh
action=none
while IFS= read -r line; do
  case $line in action=*) action=${line#action=} ;; esac
done
[ "$action" = metadata ] && cat <<END
<resource-agent name="fence_units"><parameters>
<parameter name="action" required="1"><content type="string" default="off"/></parameter>
<parameter name="plug" required="1"><content type="string"/></parameter>
</parameters><actions><action name="on"/><action name="off"/><action name="status"/><action name="monitor"/></actions>
</resource-agent>
END
case $action in metadata | status | monitor) exit 0 ;; esac
exit 1
`

// unitsAgent mounts what the host must see, and leaves a process running there as another user.
const unitsAgent = `#!/bin/sh
place=/run/units-mounted
case "$1" in
meta-data) echo '<resource-agent name="mounted"><parameters/><actions><action name="start" timeout="20s"/>` +
	`<action name="stop" timeout="20s"/><action name="monitor" timeout="20s" interval="5s"/></actions></resource-agent>' ;;
start)
  mountpoint -q $place && exit 0
  mkdir -p $place && mount -t tmpfs units $place || exit 1
  setsid setpriv --reuid 65534 --regid 65534 --clear-groups sleep 100000 </dev/null >/dev/null 2>&1 &
  echo $! >$place/pid ;;
stop)
  mountpoint -q $place || exit 0
  kill $(cat $place/pid); umount $place ;;
monitor) mountpoint -q $place && kill -0 $(cat $place/pid) || exit 7 ;;
*) exit 3 ;;
esac
`

// newUnitsFixture founds a cluster of three hosts, the first of which runs a real systemd.
func newUnitsFixture(t *testing.T, ctx context.Context) (*fixture, *machine) {
	t.Helper()
	packages := unitsPackages(t)
	trees := newForest(t, t, unifiedAlone(t))
	built := lab.ForTest(t, ctx, lab.Options{Prefix: "units"})
	tools := t.TempDir()
	if err := stage.BuildTools(ctx, filepath.Join("..", ".."), tools); err != nil {
		t.Fatal(err)
	}
	world, err := stage.FromLab(built, tools)
	if err != nil {
		t.Fatal(err)
	}
	m := newMachine(t, ctx, built.Host(unitsNode), packages)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("--- the end of the journal of %s\n%s", unitsNode, m.journal(150))
		}
	})
	m.install(t, ctx, tools)
	for _, node := range world.Nodes() {
		settings := world.NodeSettings(node) + "ocf_root: /srv/cluster/ocf\n"
		if _, err := world.WriteFile(node, "node.yaml", settings); err != nil {
			t.Fatal(err)
		}
	}
	m.start(t, ctx, trees)
	f := &fixture{world: world, watches: map[string]stage.Watch{}, Cluster: &stage.Cluster{
		World: &unitsWorld{Lab: world, machine: m}, Plan: unitsPlan(t, world),
	}}
	return f, m
}

// install does what the README has an administrator do.
func (m *machine) install(t *testing.T, ctx context.Context, tools string) {
	t.Helper()
	staging := filepath.Join(m.folder, "destination")
	root := filepath.Join("..", "..")
	install := exec.CommandContext(ctx, "make", "-C", root, "install", "BIN="+tools, "DESTDIR="+staging)
	if output, err := install.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v: %s", err, output)
	}
	m.prepare(t, ctx, "tar -c -C "+staging+" . | tar -x --keep-directory-symlink --no-overwrite-dir -C /")
}

// unitsPlan is a document that makes the daemon use all that its sandbox may be in the way of.
func unitsPlan(t *testing.T, world *stage.Lab) stage.Plan {
	t.Helper()
	device := world.Device("node3")
	files := map[string]string{
		"credentials/bmc": device.Password + "\n", "fence_units": unitsFenceAgent, "ocf/resource.d/units/mounted": unitsAgent,
	}
	for name, text := range files {
		path := filepath.Join(world.SharedDirectory(), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return stage.Plan{
		Cluster: "units", Domains: domains, Services: guests,
		Levels: map[string]string{"node2": "[[bmc-node2], [outlet2]]", "node3": "[[secret3]]"},
		Devices: []string{
			`outlet2: {driver: agent, options: {agent: /srv/cluster/fence_units, plug: "2", identity: assumed}}`,
			`secret3: {driver: ipmi, address: "` + device.Address + `", username: ` + device.Username +
				`, password_credential: bmc, options: {cipher: "` + device.Cipher + `"}}`,
		},
		Trees: []string{
			"service:shop:", "  domain: stays", "  resources:", "    - {type: \"ocf:units:mounted\", name: shop}",
		},
	}
}

// unitsPackages are the archives of Debian's that make test-units has fetched.
func unitsPackages(t *testing.T) []string {
	t.Helper()
	folder := os.Getenv("CLUSTERD_UNITS")
	if folder == "" {
		t.Skip("boots a systemd in the lab: run make test-units (as root, on Debian)")
	}
	if _, err := os.Stat(systemdProgram); err != nil {
		t.Skipf("%v; the package is systemd", err)
	}
	var packages []string
	for _, name := range []string{"libvirt-daemon-system", "systemd-container"} {
		found, err := filepath.Glob(filepath.Join(folder, name+"_*.deb"))
		if err != nil || len(found) == 0 {
			t.Skipf("%s has no %s; run make test-units", folder, name)
		}
		packages = append(packages, found[len(found)-1])
	}
	return packages
}
