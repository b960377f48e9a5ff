package lab

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The hidden first arguments with which the calling program is run again. They are long on
// purpose: no test flag and no sensible command is called so.
const (
	hostInitArgument = "lab-host-init"
	chassisArgument  = "lab-chassis"
)

// Reexec turns the process into a lab helper, and does not return, when it was started as one;
// otherwise it does nothing. It must run before flags are parsed and before anything is started.
func Reexec() {
	if len(os.Args) < 2 || (len(os.Args) < 3 && os.Args[1] != systemctlArgument) {
		return
	}
	var err error
	switch os.Args[1] {
	case hostInitArgument:
		err = runHostInit(os.Args[2])
	case chassisArgument:
		err = runChassis(os.Args[2], os.Args[3:])
	case systemctlArgument:
		err = runSystemctl(os.Args[2:])
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// hostPlan is everything the init of a host must know; the lab writes it before each boot.
type hostPlan struct {
	Name         string `json:"name"`
	Number       int    `json:"number"`
	Hosts        int    `json:"hosts"`
	Directory    string `json:"directory"`
	Shared       string `json:"shared"`
	Capabilities string `json:"capabilities"`
	HardwareUUID string `json:"hardware_uuid"`
	MachineID    string `json:"machine_id"`
	BootID       string `json:"boot_id"`
}

func (p hostPlan) path(parts ...string) string {
	return filepath.Join(append([]string{p.Directory}, parts...)...)
}

// The init's two pipes: the lab says on the first that the cables are plugged, the init reports
// on the second.
const (
	goAheadDescriptor = 3
	reportDescriptor  = 4
)

// SearchPath is where a host looks for programs: first its own, then the build on the shared
// storage.
const SearchPath = hostTools + ":/srv/cluster/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// runHostInit is process 1 of a host: it makes the place look like a machine of its own, then
// supervises services until the power is cut or a shutdown is asked for.
func runHostInit(planPath string) error {
	report := os.NewFile(reportDescriptor, "report")
	content, err := os.ReadFile(planPath)
	if err != nil {
		return err
	}
	var plan hostPlan
	if err := json.Unmarshal(content, &plan); err != nil {
		return err
	}
	// As a session of its own the host does not hear the Ctrl-C that is meant for the lab.
	_, _ = unix.Setsid()
	os.Clearenv()
	_ = os.Setenv("PATH", SearchPath)
	_ = os.Setenv("HOME", "/root")
	_ = os.Setenv("LANG", "C.UTF-8")

	goAhead := os.NewFile(goAheadDescriptor, "go-ahead")
	if n, _ := goAhead.Read(make([]byte, 1)); n != 1 {
		return fmt.Errorf("the lab that was booting %s is gone", plan.Name)
	}
	goAhead.Close()
	control, err := becomeHost(plan)
	if err != nil {
		fmt.Fprintf(report, "boot of %s failed: %v\n", plan.Name, err)
		return err
	}
	manager := newSupervisor(plan)
	stopSignals := make(chan os.Signal, 1)
	signal.Notify(stopSignals, unix.SIGTERM)
	manager.startAll()
	go serveControl(control, manager.answer)
	fmt.Fprintln(report, "ready")
	report.Close()
	select {
	case <-stopSignals:
	case <-manager.shutdownAsked:
	}
	manager.stopAll()
	return nil
}

func becomeHost(plan hostPlan) (net.Listener, error) {
	// The socket is made before the mounts, while its path still leads to the real file system for
	// sure.
	socketPath := plan.path("init.sock")
	_ = os.Remove(socketPath)
	control, err := net.Listen("unix", socketPath)
	if err != nil {
		return nil, err
	}
	if err := unix.Sethostname([]byte(plan.Name)); err != nil {
		return nil, err
	}
	if err := mountHost(plan); err != nil {
		return nil, err
	}
	if err := writeHostFiles(plan); err != nil {
		return nil, err
	}
	return control, configureInterfaces(plan)
}

func configureInterfaces(plan hostPlan) error {
	for _, scope := range []string{"all", "default"} {
		// Without IPv6 there is no duplicate address detection and no chatter to explain in a packet
		// trace.
		_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+scope+"/disable_ipv6", []byte("1"), 0o644)
	}
	lines := []string{"link set lo up"}
	for index, cable := range cables {
		device := fmt.Sprintf("eth%d", index)
		octet := plan.Number
		if cable.network == Guests {
			lines = append(lines,
				fmt.Sprintf("link add br0 address 02:63:6c:01:%02x:%02x type bridge mcast_snooping 0", index, plan.Number),
				"link set br0 up", fmt.Sprintf("link set %s master br0 up", device))
			device, octet = "br0", hostGuestOctet(plan.Number)
		} else {
			lines = append(lines, fmt.Sprintf("link set %s up", device))
		}
		lines = append(lines, fmt.Sprintf("addr add %s/24 dev %s", addressIn(cable.network, octet), device))
	}
	command := exec.Command("ip", "-batch", "-")
	command.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("ip -batch: %w: %s", err, output)
	}
	return nil
}

func hostGuestOctet(number int) int { return 200 + number }

// libvirtdService is the one unit every host has. The listener on TCP is there for comparing
// with plain virsh migrate; it is open to the lab's own namespaces only.
func libvirtdService() Service {
	return Service{
		Name: libvirtdName, Argv: []string{"/usr/sbin/libvirtd", "--listen"},
		Restart: RestartAlways, RestartDelay: 200 * time.Millisecond,
	}
}

const libvirtdName = "libvirtd"
