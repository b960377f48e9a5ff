package assemble

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/vm"
	"github.com/clusterd/clusterd/agents/vm/doorkeeper"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/fence/watchdog"
	"github.com/clusterd/clusterd/internal/adoption"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/owned"
)

// importer takes VMs in by libvirt.
type importer struct{ agent *vm.Agent }

func newImporter(agent agents.Agent) adoption.Importer {
	if libvirt, ok := libvirtOf(agent); ok {
		return importer{libvirt}
	}
	return nil
}

// Dump implements adoption.Importer.
func (i importer) Dump(ctx context.Context, title string) (adoption.Imported, error) {
	d, err := i.agent.DumpForImport(ctx, title)
	return adoption.Imported{Definition: d.XML, UUID: d.UUID, Running: d.Running, ForgetsTPM: d.ForgetsTPM}, err
}

// Unpersist implements adoption.Importer.
func (i importer) Unpersist(ctx context.Context, uuid string) error {
	return i.agent.Unpersist(ctx, uuid)
}

// newDoctor examines what only this host knows: its hypervisor and its hook.
func newDoctor(node nodefile.Node, agent agents.Agent) func(context.Context, *cluster.State) []daemon.Finding {
	return func(ctx context.Context, root *cluster.State) []daemon.Finding {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		findings := watchdogFindings(node, root)
		libvirt, ok := libvirtOf(agent)
		if !ok {
			return findings // without libvirt nothing asks a door
		}
		findings = append(findings, doorFinding(node), versionFinding(ctx, node, libvirt))
		findings = append(findings, definitionFindings(ctx, node, libvirt, root)...)
		findings = append(findings, namedFindings(ctx, node, libvirt, root)...)
		return append(findings, lockFindings(node, root)...)
	}
}

// watchdogFindings tells of a watchdog that no hardware stands behind.
func watchdogFindings(node nodefile.Node, root *cluster.State) []daemon.Finding {
	wanted := fence.WantedBy(root.Document.Nodes[node.Name].Fence, root.Document.Devices)
	if !wanted.Watchdog || !watchdog.Simulated(wanted.Settings.Device) {
		return nil
	}
	return []daemon.Finding{{Node: node.Name, What: "watchdog", Severity: "warning",
		Text: "SIMULATED: " + wanted.Settings.Device + " is a socket, and what listens there ends this host, no " +
			"hardware does",
		Next: "on a real host, name the board's /dev/watchdog, or softdog's"}}
}

func doorFinding(node nodefile.Node) daemon.Finding {
	f := daemon.Finding{Node: node.Name, What: "doorkeeper", Severity: "ok", Text: "libvirt's qemu hook is in place"}
	binary, door, err := DoorOf(node)
	if err == nil {
		err = doorkeeper.Installed(node.HooksDir, binary, door)
	}
	if err != nil {
		f.Severity, f.Text, f.Next = "error", err.Error(),
			"put the hook in place (see README, Installation) and restart libvirtd; until then a VM can be started behind "+
				"the cluster's back"
		return f
	}
	switch known, err := doorkeeper.Seen(node.HooksDir, doorkeeper.PidFiles); {
	case err != nil:
		f.Severity, f.Text, f.Next = "error", err.Error(),
			"restart libvirtd on "+node.Name+", which touches no VM; until then a VM can be started behind the cluster's back"
	case !known:
		f.Text += "; no running libvirtd was found that could have seen it"
	}
	// libvirtd runs them as root, whatever the daemon thinks of them.
	for _, program := range []string{filepath.Join(node.HooksDir, "qemu"), binary} {
		if err := owned.Program(program); err != nil && f.Severity == "ok" {
			f.Severity, f.Text = "warning", "a program of the hook runs as root: "+err.Error()
			f.Next = "set owner and mode along its whole path"
		}
	}
	return f
}

func versionFinding(ctx context.Context, node nodefile.Node, libvirt *vm.Agent) daemon.Finding {
	versions, err := libvirt.Versions(ctx)
	if err != nil {
		return daemon.Finding{Node: node.Name, What: "hypervisor", Severity: "unknown",
			Text: "libvirt does not answer: " + err.Error(), Next: "look at libvirtd on " + node.Name}
	}
	return daemon.Finding{Node: node.Name, What: "hypervisor", Severity: "ok",
		Text: fmt.Sprintf("libvirt %s, QEMU %s", versions.Libvirt, versions.QEMU)}
}

// definitionFindings looks for persistent copies of managed VMs and for
// autostart, which would start one behind the cluster's back.
func definitionFindings(ctx context.Context, node nodefile.Node, libvirt *vm.Agent,
	root *cluster.State) []daemon.Finding {
	names := map[string]string{}
	var uuids []string
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		names[service.Spec.UUID] = name
		uuids = append(uuids, service.Spec.UUID)
	}
	defined, err := libvirt.Definitions(ctx, uuids)
	if err != nil {
		return []daemon.Finding{{Node: node.Name, What: "autostart", Severity: "unknown",
			Text: "could not be looked up: " + err.Error(), Next: "look at libvirtd on " + node.Name}}
	}
	var findings []daemon.Finding
	for _, d := range defined {
		switch {
		case d.Autostart:
			findings = append(findings, daemon.Finding{Node: node.Name, What: "autostart", Severity: "error",
				Text: names[d.UUID] + " has libvirt's autostart set here", Next: "virsh autostart --disable " + d.UUID})
		case d.Persistent:
			findings = append(findings, daemon.Finding{Node: node.Name, What: "definition", Severity: "warning",
				Text: names[d.UUID] + " has a persistent definition here",
				Next: "virsh undefine --keep-nvram --keep-tpm " + d.UUID})
		}
	}
	if len(findings) == 0 {
		findings = append(findings, daemon.Finding{Node: node.Name, What: "autostart", Severity: "ok",
			Text: "no managed VM is defined or autostarted by libvirt itself"})
	}
	return findings
}

// lockFindings tells which disks no image lock protects between hosts; with
// those everything rests on the cluster's own laws.
func lockFindings(node nodefile.Node, root *cluster.State) []daemon.Finding {
	var without []string
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		if service.Owner == node.Name && len(vm.ImageLocks(service.Spec.Disks)) > 0 {
			without = append(without, name)
		}
	}
	f := daemon.Finding{Node: node.Name, What: "image locks", Severity: "ok",
		Text: "every disk of the VMs here has an image lock, or none runs here"}
	if len(without) > 0 {
		f.Text = "not needed: migrations hand over paused; without one between hosts: " + strings.Join(without, ", ")
	}
	return []daemon.Finding{f}
}

// doorkeeperName is the hook's program, which is installed beside this one.
const doorkeeperName = "clusterd-doorkeeper"

// DoorOf finds the doorkeeper of this host, and what it has to know. An error says what is missing.
func DoorOf(node nodefile.Node) (string, doorkeeper.Door, error) {
	self, err := os.Executable()
	if err != nil {
		return "", doorkeeper.Door{}, errors.New("the path of this program cannot be found")
	}
	binary := filepath.Join(filepath.Dir(self), doorkeeperName)
	if _, err := os.Stat(binary); err != nil {
		return "", doorkeeper.Door{}, fmt.Errorf("%s is missing beside %s; install it there", doorkeeperName, self)
	}
	return binary, doorkeeper.Door{Socket: node.SocketPath(), Managed: managedPath(node)}, nil
}
