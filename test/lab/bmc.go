package lab

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Fault is a way in which a BMC fails its owner.
type Fault string

// The faults. A real BMC has shown each of them to somebody.
const (
	// Healthy carries out what it is told.
	Healthy Fault = ""
	// Refuses answers every power command with an error; status still works.
	Refuses Fault = "refuses"
	// Stuck acknowledges power commands and does nothing; its status stays true.
	Stuck Fault = "stuck"
	// Lies acknowledges an off, does nothing, and then reports off.
	Lies Fault = "lies"
	// Dead answers nothing at all.
	Dead Fault = "dead"
)

// Controller is the BMC of one host: Debian's ipmi_sim, whose chassis is the host. Only IPMI cipher suite 3 works.
type Controller struct {
	host      *Host
	directory string

	mu       sync.Mutex
	fault    Fault
	offDelay time.Duration
	liedOff  bool
	process  *os.Process
}

const bmcPort = 623

func bmcOctet(number int) int { return 100 + number }

// Address is host and port of the BMC, reachable from every host and from the hub.
func (c *Controller) Address() string {
	return fmt.Sprintf("%s:%d", addressIn(BMC, bmcOctet(c.host.Number)), bmcPort)
}

// SetFault makes the BMC fail in one way, or makes it whole again.
func (c *Controller) SetFault(fault Fault) error {
	switch fault {
	case Healthy, Refuses, Stuck, Lies, Dead:
	default:
		return fmt.Errorf("no fault %q: try refuses, stuck, lies, dead or none", fault)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault, c.liedOff = fault, false
	if c.process == nil {
		return errors.New("the BMC is not running")
	}
	if fault == Dead {
		return c.process.Signal(syscall.SIGSTOP)
	}
	return c.process.Signal(syscall.SIGCONT)
}

// SetOffDelay makes power off take effect so long after its acknowledgement. Status says on until then, as with real machines,
// which take four to five seconds.
func (c *Controller) SetOffDelay(delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offDelay = delay
}

// start runs the simulator in the hub and waits until it answers.
func (c *Controller) start(ctx context.Context, group *cgroup) error {
	if err := os.MkdirAll(filepath.Join(c.directory, "state"), 0o700); err != nil {
		return err
	}
	options := c.host.lab.options
	chassis := fmt.Sprintf("%s %s %s %s", c.host.lab.executable, chassisArgument, c.host.lab.controlPath(), c.host.Name)
	configuration := fmt.Sprintf(bmcConfiguration, c.host.Name, strings.Replace(c.Address(), ":", " ", 1),
		guidOf(c.host.HardwareUUID), chassis, options.BMCUser, options.BMCPassword)
	if err := os.WriteFile(filepath.Join(c.directory, "lan.conf"), []byte(configuration), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.directory, "cmd.emu"), []byte(bmcEmulation), 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(c.directory, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// Not HubCommand: this process is meant to outlive the context of its start, and the cgroup is what ends it.
	command := exec.Command("nsenter", "--net="+c.host.lab.hubNamespacePath(), "--",
		"ipmi_sim", "-n", "-c", "lan.conf", "-f", "cmd.emu", "-s", filepath.Join(c.directory, "state"))
	command.Dir, command.Stdout, command.Stderr = c.directory, log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := group.start(command); err != nil {
		return fmt.Errorf("start the BMC of %s: %w", c.host.Name, err)
	}
	go func() { _ = command.Wait() }()
	c.mu.Lock()
	c.process = command.Process
	c.mu.Unlock()
	return c.waitUntilItAnswers(ctx)
}

// waitUntilItAnswers asks for the channel's authentication capabilities, the one thing a BMC answers without a session.
func (c *Controller) waitUntilItAnswers(ctx context.Context) error {
	socket, err := c.host.lab.ListenPacketInHub(":0")
	if err != nil {
		return err
	}
	defer socket.Close()
	target, err := net.ResolveUDPAddr("udp4", c.Address())
	if err != nil {
		return err
	}
	question, _ := hex.DecodeString("0600ff07" + "000000000000000000" + "09" + "2018c8" + "8100388e04b5")
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		_, _ = socket.WriteTo(question, target)
		_ = socket.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, _, err := socket.ReadFrom(make([]byte, 512)); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the BMC of %s does not answer on %s; see %s", c.host.Name, c.Address(), filepath.Join(c.directory, "log"))
}

// guidOf gives the UUID's bytes in the order of SMBIOS, first three fields little-endian, which is what the BMCs of the
// large vendors send.
func guidOf(uuid string) string {
	text := strings.ReplaceAll(uuid, "-", "")
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != 16 {
		return text
	}
	order := []int{3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}
	var guid strings.Builder
	for _, index := range order {
		fmt.Fprintf(&guid, "%02x", raw[index])
	}
	return guid.String()
}

const bmcConfiguration = `name "%s"
set_working_mc 0x20
  startlan 1
    addr %s
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid %s
  endlan
  chassis_control "%s"
  user 2 true "%s" "%s" admin 10 none md2 md5 straight
`

const bmcEmulation = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`
