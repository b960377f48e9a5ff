package lab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Network is one of the lab's four cables.
type Network string

// The networks; package documentation has the addresses.
const (
	Management Network = "mgmt"
	Guests     Network = "guest"
	BMC        Network = "bmc"
	Storage    Network = "store"
)

// cables lists the networks in the order of the hosts' interfaces: eth0, eth1, and so on.
var cables = []struct {
	network Network
	second  int
}{{Management, 99}, {Guests, 77}, {BMC, 97}, {Storage, 98}}

const hubOctet = 254

func addressIn(network Network, octet int) string {
	for _, cable := range cables {
		if cable.network == network {
			return fmt.Sprintf("10.%d.0.%d", cable.second, octet)
		}
	}
	return ""
}

func (l *Lab) hubNamespacePath() string { return "/run/netns/" + l.hubName() }
func (l *Lab) hubName() string          { return l.options.Prefix + "-hub" }
func (l *Lab) bridgeName(network Network) string {
	return l.options.Prefix + "-" + string(network)
}

// linkName is the hub's end of a host's cable; at most 15 characters, the kernel's limit.
func (l *Lab) linkName(number int, network Network) string {
	return fmt.Sprintf("%s-n%d-%s", l.options.Prefix, number, network)
}

// runQuietly runs a short command with a deadline and gives its output only in the error.
func runQuietly(ctx context.Context, input string, argv ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Stdin = strings.NewReader(input)
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		text := output.String()
		if len(text) > 2000 {
			text = text[:2000]
		}
		return fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(text))
	}
	return nil
}

// ipInHub carries out several ip commands by one process, which is what makes a boot quick.
func (l *Lab) ipInHub(ctx context.Context, lines ...string) error {
	return runQuietly(ctx, strings.Join(lines, "\n")+"\n", "ip", "-n", l.hubName(), "-force", "-batch", "-")
}

func (l *Lab) makeHub(ctx context.Context) error {
	if err := runQuietly(ctx, "", "ip", "netns", "add", l.hubName()); err != nil {
		return err
	}
	lines := []string{"link set lo up"}
	for index, cable := range cables {
		bridge := l.bridgeName(cable.network)
		lines = append(lines,
			fmt.Sprintf("link add %s address 02:63:6c:00:%02x:fe type bridge mcast_snooping 0", bridge, index),
			fmt.Sprintf("link set %s up", bridge),
			fmt.Sprintf("addr add %s/24 dev %s", addressIn(cable.network, hubOctet), bridge))
	}
	for number := 1; number <= l.options.Hosts; number++ {
		lines = append(lines, fmt.Sprintf("addr add %s/24 dev %s", addressIn(BMC, bmcOctet(number)), l.bridgeName(BMC)))
	}
	return l.ipInHub(ctx, lines...)
}

// plugHost makes the cables of a host whose first process has this pid. The MAC addresses are
// fixed: a host that came back with new ones would be unreachable until its neighbours forget
// the old.
func (l *Lab) plugHost(ctx context.Context, number, pid int) error {
	var lines []string
	for index, cable := range cables {
		hubEnd := l.linkName(number, cable.network)
		lines = append(lines,
			fmt.Sprintf("link add name %s type veth peer name eth%d address 02:63:6c:00:%02x:%02x netns %d", hubEnd, index,
				index, number, pid),
			fmt.Sprintf("link set %s master %s up", hubEnd, l.bridgeName(cable.network)))
	}
	return l.ipInHub(ctx, lines...)
}

// unplugHost takes all cables down at once. It does so before the host's processes die, because
// dying sockets would say goodbye with FIN or RST, and a power cut never does.
func (l *Lab) unplugHost(number int) error {
	return l.inHub(func() error {
		for _, cable := range cables {
			if err := setLink(l.linkName(number, cable.network), false); err != nil && !isNoDevice(err) {
				return err
			}
		}
		return nil
	})
}

// removeCables forgets the hub's ends. Cables that already went away with the host's namespace
// are as good as removed.
func (l *Lab) removeCables(ctx context.Context, number int) {
	var lines []string
	for _, cable := range cables {
		lines = append(lines, "link del "+l.linkName(number, cable.network))
	}
	_ = l.ipInHub(ctx, lines...)
}

func (l *Lab) setCables(number int, up bool, networks []Network) error {
	return l.inHub(func() error {
		for _, network := range networks {
			if err := setLink(l.linkName(number, network), up); err != nil {
				return fmt.Errorf("link %s of node%d: %w", network, number, err)
			}
		}
		return nil
	})
}

func isNoDevice(err error) bool { return err == unix.ENODEV }

// setLink sets an interface of the calling thread's namespace up or down by ioctl; starting a
// process for it would cost more than the rest of a power cut.
func setLink(name string, up bool) error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	request, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(socket, unix.SIOCGIFFLAGS, request); err != nil {
		return err
	}
	flags := request.Uint16() &^ unix.IFF_UP
	if up {
		flags |= unix.IFF_UP
	}
	request.SetUint16(flags)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
}

// inHub runs an action on a thread that has entered the hub's network namespace. Sockets made by
// it stay in the hub.
func (l *Lab) inHub(action func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		result, home := l.actInHub(action)
		// A thread that could not come home stays locked and ends with its goroutine; nobody may
		// inherit it.
		if home {
			runtime.UnlockOSThread()
		}
		done <- result
	}()
	return <-done
}

func (l *Lab) actInHub(action func() error) (result error, home bool) {
	before, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err, true
	}
	defer before.Close()
	hub, err := os.Open(l.hubNamespacePath())
	if err != nil {
		return err, true
	}
	defer hub.Close()
	if err := unix.Setns(int(hub.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the hub's network namespace: %w", err), true
	}
	result = action()
	return result, unix.Setns(int(before.Fd()), unix.CLONE_NEWNET) == nil
}

// ListenInHub listens for TCP connections on an address of the hub.
func (l *Lab) ListenInHub(address string) (listener net.Listener, err error) {
	err = l.inHub(func() error {
		listener, err = net.Listen("tcp4", address)
		return err
	})
	return listener, err
}

// ListenPacketInHub opens a UDP socket in the hub, from where all hosts, guests and BMCs are
// reachable.
func (l *Lab) ListenPacketInHub(address string) (socket net.PacketConn, err error) {
	err = l.inHub(func() error {
		socket, err = net.ListenPacket("udp4", address)
		return err
	})
	return socket, err
}

// DialInHub opens a TCP connection from the hub to an address of a host or a service.
func (l *Lab) DialInHub(address string, limit time.Duration) (connection net.Conn, err error) {
	err = l.inHub(func() error {
		connection, err = net.DialTimeout("tcp4", address, limit)
		return err
	})
	return connection, err
}

// HubCommand prepares a command that runs in the hub's network namespace.
func (l *Lab) HubCommand(ctx context.Context, argv ...string) *exec.Cmd {
	return groupCommand(ctx, append([]string{"nsenter", "--net=" + l.hubNamespacePath(), "--"}, argv...))
}

// groupCommand prepares a command that dies with all its children when the context ends.
func groupCommand(ctx context.Context, argv []string) *exec.Cmd {
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	return command
}
