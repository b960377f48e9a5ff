package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/test/lab/cgroup"
)

// ErrPowerOff is returned when something is asked of a host that has no power.
var ErrPowerOff = errors.New("the host has no power")

// Host is one pretend machine. Its methods may be used from several goroutines; power operations
// wait for each other.
type Host struct {
	// Name is the host name, node1 and so on; Number its place, from 1.
	Name   string
	Number int
	// HardwareUUID never changes. The host reads it in /etc/clusterd/hardware-uuid (and in DMI
	// where the machine has that), libvirt reports it, and the BMC gives it as its GUID.
	HardwareUUID string
	// BMC is the host's management controller.
	BMC *Controller

	lab       *Lab
	directory string
	machineID string

	power sync.Mutex // Held during power operations.

	mu      sync.Mutex
	bootID  string
	running *runningHost
	pulled  map[Network]bool // Cables that are out; a boot does not plug them in.
}

// runningHost is what exists only while a host has power.
type runningHost struct {
	pid   int
	group *cgroup.Group
	gone  chan struct{} // Closed when no process of the host is left.
}

const (
	bootDeadline        = 30 * time.Second
	freezePatience      = 2 * time.Second
	crashFreezePatience = 50 * time.Millisecond
)

// Directory is the host's place on the real disk: etc-clusterd and var-lib-clusterd are its
// /etc/clusterd and /var/lib/clusterd, log holds the logs of its services.
func (h *Host) Directory() string { return h.directory }

// Address is the host's address on a network.
func (h *Host) Address(network Network) string {
	if network == Guests {
		return addressIn(Guests, hostGuestOctet(h.Number))
	}
	return addressIn(network, h.Number)
}

// Power says whether the host is on. A frozen host is on; one being cut off is on until its last
// process has ended.
func (h *Host) Power() bool { return h.current() != nil }

// BootID is the boot id of the current or last boot.
func (h *Host) BootID() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bootID
}

// Pid is the pid, in the root namespace, of the host's first process; 0 without power.
func (h *Host) Pid() int {
	if running := h.current(); running != nil {
		return running.pid
	}
	return 0
}

func (h *Host) current() *runningHost {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.running
}

// Boot gives the host power and returns once its libvirtd answers. Registered services are
// started, as by systemd, but not waited for. A host that is on is left alone.
func (h *Host) Boot(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootDeadline)
	defer cancel()
	if err := h.powerOn(ctx); err != nil {
		return fmt.Errorf("boot %s: %w", h.Name, err)
	}
	if err := h.waitForLibvirt(ctx); err != nil {
		return fmt.Errorf("boot %s: %w (see %s)", h.Name, err, filepath.Join(h.directory, "log"))
	}
	return nil
}

func (h *Host) powerOn(ctx context.Context) error {
	h.power.Lock()
	defer h.power.Unlock()
	if h.Power() {
		return nil
	}
	if h.lab.isClosed() {
		return errors.New("the lab is closing")
	}
	bootID, err := randomUUID()
	if err != nil {
		return err
	}
	planPath, err := h.writePlan(bootID)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(h.directory, "log", "init.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	goAheadRead, goAhead, err := os.Pipe()
	if err != nil {
		return err
	}
	defer goAheadRead.Close()
	defer goAhead.Close()
	report, reportWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer report.Close()
	defer reportWrite.Close()

	running, err := h.launch(h.initCommand(planPath, log, goAheadRead, reportWrite))
	if err != nil {
		return err
	}
	reportWrite.Close()
	h.mu.Lock()
	h.bootID, h.running = bootID, running
	h.mu.Unlock()
	h.lab.removeCables(ctx, h.Number)
	if err := errors.Join(h.lab.plugHost(ctx, h.Number, running.pid), h.leavePulled()); err != nil {
		return errors.Join(err, h.cutPower())
	}
	if _, err := goAhead.Write([]byte{1}); err != nil {
		return errors.Join(err, h.cutPower())
	}
	if err := waitForReport(ctx, report); err != nil {
		return errors.Join(err, h.cutPower())
	}
	if err := h.mountWatchdog(running); err != nil {
		return errors.Join(err, h.cutPower())
	}
	return nil
}

// initCommand is this program itself, run again in namespaces of its own.
func (h *Host) initCommand(planPath string, log, goAhead, report *os.File) *exec.Cmd {
	command := exec.Command(h.lab.executable, hostInitArgument, planPath)
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = []*os.File{goAhead, report}
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC |
			syscall.CLONE_NEWPID,
	}
	return command
}

func (h *Host) writePlan(bootID string) (string, error) {
	if err := os.MkdirAll(filepath.Join(h.directory, "log"), 0o755); err != nil {
		return "", err
	}
	plan := hostPlan{
		Name: h.Name, Number: h.Number, Hosts: h.lab.options.Hosts, Directory: h.directory, Shared: h.lab.SharedDirectory(),
		Capabilities: filepath.Join(cacheDirectory(), "capabilities"), HardwareUUID: h.HardwareUUID, MachineID: h.machineID,
		BootID: bootID,
	}
	content, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(h.directory, "plan.json")
	return path, os.WriteFile(path, content, 0o644)
}

// launch starts the host's first process and watches for its end. When that process is reaped,
// the kernel has already ended all others of its pid namespace; the cgroup is emptied all the
// same, for processes that were about to enter.
func (h *Host) launch(command *exec.Cmd) (*runningHost, error) {
	group, err := cgroup.New(fmt.Sprintf("%s-%s", h.lab.options.Prefix, h.Name))
	if err != nil {
		return nil, err
	}
	if err := group.Start(command); err != nil {
		return nil, errors.Join(err, group.Kill())
	}
	running := &runningHost{pid: command.Process.Pid, group: group, gone: make(chan struct{})}
	go func() {
		_ = command.Wait()
		if err := group.Kill(); err != nil {
			h.lab.logger.Error("processes of a host without power remain", "host", h.Name, "error", err)
		}
		h.lab.blocks.DropHost(h.Name)
		h.mu.Lock()
		h.running = nil
		h.mu.Unlock()
		close(running.gone)
	}()
	return running, nil
}

func waitForReport(ctx context.Context, report *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = report.SetReadDeadline(time.Now()) })
	defer stop()
	line, err := bufio.NewReader(report).ReadString('\n')
	if err != nil {
		return fmt.Errorf("its init does not report: %w", errors.Join(err, ctx.Err()))
	}
	if line = strings.TrimSpace(line); line != "ready" {
		return errors.New(line)
	}
	return nil
}

// Crash cuts the power: the cables go dead, everything stops at one instant and is gone. Nothing
// is said to anybody. It returns when no process of the host is left.
func (h *Host) Crash() error {
	h.power.Lock()
	defer h.power.Unlock()
	return h.cutPower()
}

func (h *Host) cutPower() error {
	running := h.current()
	if running == nil {
		return nil
	}
	var failures []error
	failures = append(failures, h.lab.unplugHost(h.Number))
	// Without the freeze, processes that die a little later would see the others die, and could act
	// on it. A process that hangs in the kernel cannot act, so it is not waited for.
	failures = append(failures, running.group.Freeze(crashFreezePatience))
	failures = append(failures, syscall.Kill(running.pid, syscall.SIGKILL))
	failures = append(failures, running.group.ReleaseKilled())
	select {
	case <-running.gone:
		return nil
	case <-time.After(15 * time.Second):
		return fmt.Errorf("cut the power of %s: %w", h.Name, errors.Join(append(failures, errors.New("processes remain"))...))
	}
}

// Shutdown is the planned way: the services get SIGTERM, the last started first, then the host
// is off.
func (h *Host) Shutdown(ctx context.Context) error {
	h.power.Lock()
	defer h.power.Unlock()
	running := h.current()
	if running == nil {
		return nil
	}
	if err := h.ask(ctx, controlRequest{Do: doShutdown}); err != nil {
		return fmt.Errorf("shut down %s: %w", h.Name, err)
	}
	select {
	case <-running.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shut down %s: %w", h.Name, ctx.Err())
	}
}

// Freeze stops all processes of the host without ending them, like a hung machine whose kernel
// still answers pings.
func (h *Host) Freeze() error {
	running := h.current()
	if running == nil {
		return ErrPowerOff
	}
	return running.group.Freeze(freezePatience)
}

// Thaw lets a frozen host go on as if nothing had happened, which is exactly its danger.
func (h *Host) Thaw() error {
	running := h.current()
	if running == nil {
		return ErrPowerOff
	}
	return running.group.Thaw()
}

// Cut pulls cables out: the management network's, if none is named.
// They stay out until Heal, over boots too.
func (h *Host) Cut(networks ...Network) error { return h.setCables(false, networks) }

// Heal plugs them in again.
func (h *Host) Heal(networks ...Network) error { return h.setCables(true, networks) }

func (h *Host) setCables(in bool, networks []Network) error {
	if len(networks) == 0 {
		networks = []Network{Management}
	}
	h.mu.Lock()
	for _, network := range networks {
		if h.pulled == nil {
			h.pulled = map[Network]bool{}
		}
		h.pulled[network] = !in
	}
	h.mu.Unlock()
	return h.lab.setCables(h.Number, in, networks)
}

// leavePulled takes out again, at a boot, what was out before.
func (h *Host) leavePulled() error {
	h.mu.Lock()
	var networks []Network
	for network, out := range h.pulled {
		if out {
			networks = append(networks, network)
		}
	}
	h.mu.Unlock()
	return h.lab.setCables(h.Number, false, networks)
}

// Command prepares a command that runs inside the host, with its output and input at the
// caller's disposal. The command runs outside the host's cgroup, so Freeze does not stop it;
// Crash does end it. Without power it fails when started.
func (h *Host) Command(ctx context.Context, argv ...string) *exec.Cmd {
	target := []string{"nsenter", "-t", strconv.Itoa(h.Pid()), "-m", "-u", "-i", "-n", "-p", "--", "setsid"}
	command := groupCommand(ctx, append(target, argv...))
	command.Cancel = func() error { return killEntered(command.Process.Pid) }
	command.Env = []string{environmentDefault, "HOME=/root", "LANG=C.UTF-8", "TERM=" + os.Getenv("TERM")}
	if h.Pid() == 0 {
		command.Err = fmt.Errorf("%s: %w", h.Name, ErrPowerOff)
	}
	return command
}

// killEntered ends what an nsenter has started, and leaves it to that nsenter to reap it. Were
// both killed, the entered process would become a zombie of this machine's process 1; a lazy one
// takes seconds to reap it, and until then the host's pid namespace, and so its power, cannot
// end.
func killEntered(nsenter int) error {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", nsenter, nsenter))
	entered := strings.Fields(string(children))
	if err != nil || len(entered) == 0 {
		return syscall.Kill(-nsenter, syscall.SIGKILL)
	}
	for _, word := range entered {
		if pid, err := strconv.Atoi(word); err == nil && pid > 1 {
			// The group is the command's own once setsid has run; before that there is only the process.
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	return nil
}

// Run runs a short command inside the host and returns its output. The error contains what the
// command said.
func (h *Host) Run(ctx context.Context, argv ...string) (string, error) {
	var output, complaint strings.Builder
	command := h.Command(ctx, argv...)
	command.Stdout, command.Stderr = &output, &complaint
	if err := command.Run(); err != nil {
		return output.String(), fmt.Errorf("%s: %s: %w: %s", h.Name, strings.Join(argv, " "), err,
			strings.TrimSpace(complaint.String()))
	}
	return output.String(), nil
}
