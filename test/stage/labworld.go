package stage

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/test/lab"
)

// insideTools is where the hosts find the build: a copy on their shared storage, so that a new
// build in the working tree does not change a cluster that runs.
const insideTools = "/srv/cluster/bin"

const serviceName = "clusterd"

// Lab is a world of pretend hosts with real libvirt, QEMU and IPMI.
type Lab struct {
	*lab.Lab
}

// NewLab builds the lab and copies the tools of a folder into it. Errors are those of lab.Up.
func NewLab(ctx context.Context, tools string, options lab.Options) (*Lab, error) {
	built, err := lab.Up(ctx, options)
	if err != nil {
		return nil, err
	}
	l := &Lab{built}
	if err := l.install(tools); err != nil {
		return nil, fmt.Errorf("%w (closing: %v)", err, built.Close())
	}
	return l, nil
}

// FromLab makes a world of a lab that is up.
func FromLab(built *lab.Lab, tools string) (*Lab, error) {
	l := &Lab{built}
	return l, l.install(tools)
}

func (l *Lab) install(tools string) error {
	folder := filepath.Join(l.SharedDirectory(), "bin")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"clusterd", "clusterd-doorkeeper", "clustat", "clusvcadm"} {
		if err := copyProgram(filepath.Join(tools, name), filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("copy %s into the lab: %w; build first (make build)", name, err)
		}
	}
	for _, host := range l.Hosts {
		if _, err := l.WriteFile(host.Name, "node.yaml", l.NodeSettings(host.Name)); err != nil {
			return err
		}
	}
	return nil
}

func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(target, source); err != nil {
		target.Close()
		return err
	}
	return target.Close()
}

// Nodes implements World.
func (l *Lab) Nodes() []string {
	var names []string
	for _, host := range l.Hosts {
		names = append(names, host.Name)
	}
	return names
}

// Label implements World.
func (l *Lab) Label() string { return "" }

// Prompt implements World.
func (l *Lab) Prompt(node string) string { return node + "# " }

// Command implements World.
func (l *Lab) Command(ctx context.Context, node string, argv ...string) *exec.Cmd {
	path := "PATH=" + insideTools + ":/etc/lab/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	return l.Host(node).Command(ctx, append([]string{"env", path}, argv...)...)
}

// WriteFile implements World.
func (l *Lab) WriteFile(node, name, text string) (string, error) {
	path := filepath.Join(l.Host(node).Directory(), "etc-clusterd", name)
	return "/etc/clusterd/" + name, os.WriteFile(path, []byte(text), 0o600)
}

// NodeSettings implements World. All else is as it comes: the lab's hosts are like real ones.
func (l *Lab) NodeSettings(node string) string {
	return fmt.Sprintf("name: %s\naddress: %s\nhardware_uuid_file: /etc/clusterd/hardware-uuid\n", node,
		l.Host(node).Address(lab.Management))
}

// StartDaemon implements World. libvirtd comes first: it looks for hooks when it starts, and
// founding or joining has just installed the doorkeeper.
func (l *Lab) StartDaemon(ctx context.Context, node string) error {
	if err := l.Host(node).RestartLibvirtd(ctx); err != nil {
		return err
	}
	return l.Host(node).Start(ctx, serviceName, insideTools+"/clusterd", "run")
}

// StopDaemon implements World.
func (l *Lab) StopDaemon(ctx context.Context, node string) error {
	return l.Host(node).RemoveService(ctx, serviceName)
}

// Wipe implements World.
func (l *Lab) Wipe(node string) error {
	return emptyFolder(filepath.Join(l.Host(node).Directory(), "var-lib-clusterd"))
}

func emptyFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(folder, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Socket implements World: a UNIX socket is found by its path, through the host's own root.
func (l *Lab) Socket(node string) string {
	return filepath.Join("/proc", strconv.Itoa(l.Host(node).Pid()), "root/run/clusterd/clusterd.sock")
}

// Log implements World.
func (l *Lab) Log(node string) string { return l.Host(node).ServiceLog(serviceName) }

// Device implements World.
func (l *Lab) Device(node string) Device {
	user, password := l.BMCCredentials()
	return Device{Address: l.Host(node).BMC.Address(), Username: user, Password: password, Cipher: "3"}
}

// CutPower implements World.
func (l *Lab) CutPower(node string) error { return l.Host(node).Crash() }

// Boot implements World.
func (l *Lab) Boot(ctx context.Context, node string) error { return l.Host(node).Boot(ctx) }

// Powered implements World.
func (l *Lab) Powered(node string) bool { return l.Host(node).Power() }

// Guests implements World.
func (l *Lab) Guests(ctx context.Context, node string) ([]string, error) {
	if !l.Powered(node) {
		return nil, nil
	}
	names, err := l.Host(node).Run(ctx, "virsh", "-q", "list", "--all", "--name")
	return strings.Fields(names), err
}

// Watch implements World.
func (l *Lab) Watch(guest lab.Guest) (Watch, error) {
	probe, err := l.ProbeGuest(guest.Address())
	if err != nil {
		return nil, err
	}
	return labWatch{probe}, nil
}

// CheckSingleWriter implements World.
func (l *Lab) CheckSingleWriter(guest lab.Guest) error { return l.Lab.CheckSingleWriter(guest.Name) }

// Record implements World.
func (l *Lab) Record(guest lab.Guest) ([]string, error) {
	writes, err := l.Writers(guest.Name)
	var lines []string
	for _, write := range writes {
		lines = append(lines, write.String())
	}
	return lines, err
}

type labWatch struct{ probe *lab.Probe }

func (w labWatch) Reset() { w.probe.Reset() }
func (w labWatch) Stop()  { w.probe.Stop() }
func (w labWatch) Seen() Seen {
	report := w.probe.Report()
	seen := Seen{Answers: report.Received > 0, Nonce: report.LastNonce, Runs: len(report.Runs), Tick: report.LastTick,
		TickWentBack: report.TickWentBack, Silence: report.LongestSilence, SilentFor: report.SilentFor}
	if len(report.Runs) > 0 {
		seen.RunSince = report.Runs[len(report.Runs)-1].FirstSeen
	}
	return seen
}
