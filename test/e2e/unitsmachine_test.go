package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clusterd/clusterd/test/lab"
)

const (
	unitsBootDeadline = 90 * time.Second
	// unitsEndDeadline is more than the hand-over may take.
	unitsEndDeadline = 2 * time.Minute
)

// machine is a host of the lab whose process 1 is a real systemd. It shares the host's network
// and files; the lab's own libvirtd there is stopped, and Debian's unit runs it instead.
type machine struct {
	// whole is the test at whose end the machine goes; parts of it may boot it again.
	whole  *testing.T
	host   *lab.Host
	folder string
	forest forest
	said   bytes.Buffer
	boot   *exec.Cmd
	ended  chan struct{}
	pid    int
}

// newMachine prepares a host; packages are archives whose units it shall have.
func newMachine(t *testing.T, ctx context.Context, host *lab.Host, packages []string) *machine {
	t.Helper()
	m := &machine{whole: t, host: host, folder: filepath.Join(host.Directory(), "units")}
	if err := os.MkdirAll(m.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := host.StopService(ctx, "libvirtd"); err != nil {
		t.Fatal(err)
	}
	upper := filepath.Join(m.folder, "usr")
	m.prepare(t, ctx, fmt.Sprintf("mkdir -p %[1]s %[1]s.work && mount -t overlay overlay "+
		"-o lowerdir=/usr,upperdir=%[1]s,workdir=%[1]s.work,index=off /usr", upper))
	// Whatever else is installed on this machine is not to be started here.
	m.prepare(t, ctx, "rm -rf /etc/systemd/system /etc/rc?.d && mkdir -p /etc/systemd/system && : >/etc/fstab")
	for _, unit := range []string{"systemd-modules-load", "systemd-timesyncd", "console-getty", "openipmi"} {
		m.prepare(t, ctx, "ln -s /dev/null /etc/systemd/system/"+unit+".service")
	}
	for _, archive := range packages {
		m.prepare(t, ctx, "dpkg-deb --fsys-tarfile "+archive+" | tar -x --keep-directory-symlink --no-overwrite-dir "+
			"--exclude=./etc/libvirt --exclude=./usr/share/doc -C /")
	}
	m.prepare(t, ctx, "grep -q ^libvirt: /etc/group || echo libvirt:x:64056: >>/etc/group; mkdir -p /var/log/journal; "+
		"sed -i -e /^cgroup_controllers/d /etc/libvirt/qemu.conf")
	return m
}

// prepare runs a line in the host below the systemd.
func (m *machine) prepare(t *testing.T, ctx context.Context, line string) {
	t.Helper()
	if _, err := m.host.Run(ctx, "sh", "-ec", line); err != nil {
		t.Fatal(err)
	}
}

// start boots systemd in a forest and waits until it has started everything.
func (m *machine) start(t *testing.T, ctx context.Context, f forest) {
	t.Helper()
	m.forest = f
	if err := os.WriteFile(filepath.Join(m.folder, "boot-id"), []byte(newBootID(t)+"\n"), 0o444); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	inside := []string{"unshare", "--pid", "--fork", "--kill-child", "--mount", "--cgroup", "--"}
	inside = append(inside, self, initArgument, m.folder)
	outside := []string{self, enterArgument}
	for _, tree := range f.trees {
		outside = append(outside, tree.own)
		if !f.alone && tree.controllers != "" {
			inside = append(inside, tree.controllers)
		}
	}
	entering := m.host.Command(ctx, inside...)
	outside = append(outside, "--", entering.Path)
	m.boot = exec.Command(outside[0], append(outside[1:], entering.Args[1:]...)...)
	m.boot.Stdout, m.boot.Stderr = &m.said, &m.said
	m.boot.Env = entering.Env
	m.boot.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := m.boot.Start(); err != nil {
		t.Fatal(err)
	}
	m.ended = make(chan struct{})
	go func() {
		_ = m.boot.Wait()
		close(m.ended)
	}()
	m.whole.Cleanup(m.cut)
	m.awaitBoot(t, ctx)
}

func newBootID(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (m *machine) awaitBoot(t *testing.T, ctx context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, unitsBootDeadline)
	defer cancel()
	state := ""
	for ctx.Err() == nil && m.running() {
		if m.pid = m.first(); m.pid != 0 {
			output, _ := m.run(ctx, "systemctl", "is-system-running")
			if state = strings.TrimSpace(output); state == "running" || state == "degraded" {
				return
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("systemd does not come up (%q): %s", state, m.said.String())
}

// first is the process id, on this machine, of the machine's process 1.
func (m *machine) first() int {
	for _, tree := range m.forest.trees {
		if tree.controllers != "" {
			continue
		}
		text, _ := os.ReadFile(filepath.Join(tree.own, "init.scope", "cgroup.procs"))
		for word := range strings.FieldsSeq(string(text)) {
			status, _ := os.ReadFile(filepath.Join("/proc", word, "status"))
			for line := range strings.Lines(string(status)) {
				fields := strings.Fields(line)
				if len(fields) > 1 && fields[0] == "NSpid:" && fields[len(fields)-1] == "1" {
					pid, _ := strconv.Atoi(word)
					return pid
				}
			}
		}
	}
	return 0
}

func (m *machine) running() bool {
	if m.ended == nil {
		return false
	}
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// cut ends all that runs in the machine at once.
func (m *machine) cut() {
	if !m.running() {
		return
	}
	if m.pid != 0 {
		_ = syscall.Kill(m.pid, syscall.SIGKILL)
	} else {
		_ = syscall.Kill(-m.boot.Process.Pid, syscall.SIGKILL)
	}
	<-m.ended
}

// awaitEnd waits until a machine that shuts down is off.
func (m *machine) awaitEnd(t *testing.T) {
	t.Helper()
	select {
	case <-m.ended:
		m.pid = 0
	case <-time.After(unitsEndDeadline):
		t.Fatal("the machine does not go off")
	}
}

// command prepares a command in the machine.
func (m *machine) command(ctx context.Context, argv ...string) *exec.Cmd {
	words := []string{"-t", strconv.Itoa(m.pid), "-m", "-u", "-i", "-n", "-p", "--"}
	command := exec.CommandContext(ctx, "nsenter", append(words, argv...)...)
	command.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8", "SYSTEMD_PAGER="}
	command.WaitDelay = time.Second
	if !m.running() {
		command.Err = errors.New("the machine is off")
	}
	return command
}

// run runs a short command in the machine. The error contains what it said.
func (m *machine) run(ctx context.Context, argv ...string) (string, error) {
	var output, complaint strings.Builder
	command := m.command(ctx, argv...)
	command.Stdout, command.Stderr = &output, &complaint
	if err := command.Run(); err != nil {
		return output.String(), fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, output.String()+complaint.String())
	}
	return output.String(), nil
}

// typed runs a command that has to succeed.
func (m *machine) typed(t *testing.T, ctx context.Context, argv ...string) string {
	t.Helper()
	output, err := m.run(ctx, argv...)
	if err != nil {
		t.Fatalf("%v\n%s", err, m.journal(40))
	}
	return output
}

// property is what systemctl shows of a unit.
func (m *machine) property(t *testing.T, ctx context.Context, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(m.typed(t, ctx, "systemctl", "show", "--value", "-p", name, unit))
}

// journal is the end of the journal, also of a machine that is off.
func (m *machine) journal(lines int, arguments ...string) string {
	folder := filepath.Join(m.host.Directory(), "overlay", "var-log", "journal")
	command := exec.Command("journalctl", append([]string{"-D", folder, "-q", "--no-pager", "-o", "short-precise",
		"-n", strconv.Itoa(lines)}, arguments...)...)
	output, err := command.CombinedOutput()
	if err != nil {
		return err.Error() + ": " + string(output)
	}
	return string(output)
}
