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

	"github.com/clusterd/clusterd/test/lab/cgroup"
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

// Controller is the BMC of one host: Debian's ipmi_sim, whose chassis is the host. Only IPMI
// cipher suite 3 works.
type Controller struct {
	host      *Host
	directory string

	mu       sync.Mutex
	fault    Fault
	offDelay time.Duration
	liedOff  bool
	process  *os.Process
	ended    chan struct{} // Closed when that process has ended.
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

// SetOffDelay makes power off take effect so long after its acknowledgement. Status says on
// until then, as with real machines, which take four to five seconds.
func (c *Controller) SetOffDelay(delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offDelay = delay
}

// Wire has the address of this controller lead to the board of a host, as a mixed-up cable or
// an address that was typed twice does: it tells the UUID of that host, and switches its power.
// Its own host puts it right.
func (c *Controller) Wire(ctx context.Context, to *Host) error {
	c.mu.Lock()
	process, ended := c.process, c.ended
	c.mu.Unlock()
	if process == nil {
		return errors.New("the BMC is not running")
	}
	if err := process.Kill(); err != nil {
		return err
	}
	select {
	case <-ended:
	case <-ctx.Done():
		return fmt.Errorf("the BMC of %s does not end: %w", c.host.Name, ctx.Err())
	}
	return c.serve(ctx, c.host.lab.hubGroup, to)
}

// start runs the simulator in the hub and waits until it answers.
func (c *Controller) start(ctx context.Context, group *cgroup.Group) error {
	return c.serve(ctx, group, c.host)
}

// serve is start for the board of any host.
func (c *Controller) serve(ctx context.Context, group *cgroup.Group, of *Host) error {
	if err := os.MkdirAll(filepath.Join(c.directory, "state"), 0o700); err != nil {
		return err
	}
	options := c.host.lab.options
	chassis := fmt.Sprintf("%s %s %s %s", c.host.lab.executable, chassisArgument, c.host.lab.controlPath(), of.Name)
	configuration := fmt.Sprintf(bmcConfiguration, c.host.Name, strings.Replace(c.Address(), ":", " ", 1),
		guidOf(of.HardwareUUID), chassis, options.BMCUser, options.BMCPassword)
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
	// Not HubCommand: this process is meant to outlive the context of its start, and the cgroup is
	// what ends it.
	command := exec.Command("nsenter", "--net="+c.host.lab.hubNamespacePath(), "--",
		"ipmi_sim", "-n", "-c", "lan.conf", "-f", "cmd.emu", "-s", filepath.Join(c.directory, "state"))
	command.Dir, command.Stdout, command.Stderr = c.directory, log, log
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := group.Start(command); err != nil {
		return fmt.Errorf("start the BMC of %s: %w", c.host.Name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	c.mu.Lock()
	c.process, c.ended = command.Process, ended
	c.mu.Unlock()
	return c.waitUntilItAnswers(ctx)
}

// waitUntilItAnswers asks for the channel's authentication capabilities, the one thing a BMC
// answers without a session.
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
	return fmt.Errorf("the BMC of %s does not answer on %s; see %s", c.host.Name, c.Address(),
		filepath.Join(c.directory, "log"))
}

// runChassis is the program that ipmi_sim runs for each look at, or change of, the power: "...
// HOST get power" or "... HOST set power 0". It passes the words on to the lab and prints the
// lab's answer.
func runChassis(controlPath string, words []string) error {
	if len(words) < 2 {
		return errors.New("chassis: too few words")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	answer, err := callControl(ctx, controlPath, controlRequest{Do: doChassis, Host: words[0], Words: words[1:]})
	if err != nil {
		return err
	}
	fmt.Print(answer.Text)
	return nil
}

// chassis answers ipmi_sim. The simulator waits for it, so an off that is carried out at once
// has ended every process of the host before its acknowledgement leaves the BMC.
func (c *Controller) chassis(words []string) (string, error) {
	verb, words := words[0], words[1:]
	switch verb {
	case "get":
		var text strings.Builder
		for _, word := range words {
			switch word {
			case "power":
				power := 0
				if c.reportedPower() {
					power = 1
				}
				fmt.Fprintf(&text, "power:%d\n", power)
			case "boot":
				text.WriteString("boot:default\n")
			}
		}
		return text.String(), nil
	case "set":
		for ; len(words) > 1; words = words[2:] {
			if err := c.set(words[0], words[1] == "1"); err != nil {
				return "", err
			}
		}
	}
	return "", nil
}

func (c *Controller) reportedPower() bool {
	c.mu.Lock()
	lied := c.liedOff
	c.mu.Unlock()
	return !lied && c.host.Power()
}

func (c *Controller) set(what string, on bool) error {
	c.mu.Lock()
	fault, delay := c.fault, c.offDelay
	if fault == Lies && what == "power" {
		c.liedOff = !on
	}
	c.mu.Unlock()
	switch {
	case fault == Refuses && what != "identify":
		return errors.New("this BMC is set to refuse")
	case fault == Stuck || fault == Lies:
		return nil
	case what == "power" && on:
		return c.bootInBackground()
	case what == "power":
		return c.offAfter(delay)
	case what == "reset" && on:
		if err := c.host.Crash(); err != nil {
			return err
		}
		return c.bootInBackground()
	case what == "shutdown" && on:
		// The ACPI button only asks; the machine takes its time and may never do it.
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
			defer cancel()
			c.note("shutdown", c.host.Shutdown(ctx))
		}()
	}
	return nil
}

func (c *Controller) offAfter(delay time.Duration) error {
	if delay <= 0 {
		return c.host.Crash()
	}
	time.AfterFunc(delay, func() { c.note("delayed power off", c.host.Crash()) })
	return nil
}

func (c *Controller) bootInBackground() error {
	if c.host.lab.isClosed() {
		return errors.New("the lab is closing")
	}
	go func() { c.note("power on", c.host.Boot(context.Background())) }()
	return nil
}

func (c *Controller) note(what string, err error) {
	if err != nil {
		c.host.lab.logger.Error("BMC: "+what+" failed", "host", c.host.Name, "error", err)
	}
}

// guidOf gives the UUID's bytes in the order of SMBIOS, first three fields little-endian, which
// is what the BMCs of the large vendors send.
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
