package bmc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNoSimulator is returned by StartSimulator when the program ipmi_sim is
// not installed (Debian package openipmi).
var ErrNoSimulator = errors.New("ipmi_sim is not installed (Debian package openipmi)")

const (
	// simulatorReady bounds the wait for ipmi_sim's first answer.
	simulatorReady = 10 * time.Second
	pingPause      = 50 * time.Millisecond
)

// presencePing is an ASF presence ping (IPMI 2.0, 13.2.3).
var presencePing = []byte{0x06, 0x00, 0xff, 0x06, 0x00, 0x00, 0x11, 0xbe, 0x80, 0x00, 0x00, 0x00}

// SimulatorOptions describes one run of ipmi_sim.
type SimulatorOptions struct {
	// Folder is an empty folder for its files; the caller removes it.
	Folder string
	// Username and Password open it.
	Username, Password string
	// HardwareUUID is what it tells of its host.
	HardwareUUID string
	// On is the power at start.
	On bool
}

// Simulator is a running ipmi_sim: somebody else's reading of the same
// specification. Client and server of one library share their mistakes.
type Simulator struct {
	address string
	folder  string
	process *exec.Cmd
}

// StartSimulator starts ipmi_sim on a free loopback port and waits until it
// answers. ErrNoSimulator is returned when it is not installed.
func StartSimulator(ctx context.Context, options SimulatorOptions) (*Simulator, error) {
	program, err := exec.LookPath("ipmi_sim")
	if err != nil {
		return nil, ErrNoSimulator
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := writeFiles(options, port); err != nil {
		return nil, fmt.Errorf("write ipmi_sim's files: %w", err)
	}
	process := exec.CommandContext(ctx, program, "-n", "-c", "lan.conf", "-f", "commands", "-s", "state")
	process.Dir = options.Folder
	process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	process.Cancel = func() error { return syscall.Kill(-process.Process.Pid, syscall.SIGKILL) }
	process.WaitDelay = time.Second
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start ipmi_sim: %w", err)
	}
	s := &Simulator{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), folder: options.Folder, process: process}
	if err := s.awaitAnswer(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Address is the host:port on which it listens.
func (s *Simulator) Address() string { return s.address }

// Power is the true power of its chassis.
func (s *Simulator) Power() bool {
	state, err := os.ReadFile(filepath.Join(s.folder, "power"))
	return err == nil && strings.TrimSpace(string(state)) == "1"
}

// Offs counts the off commands that reached its chassis.
func (s *Simulator) Offs() int {
	told, err := os.ReadFile(filepath.Join(s.folder, "offs"))
	if err != nil {
		return 0
	}
	return strings.Count(string(told), "\n")
}

// Silence stops it in its tracks, as a hung controller.
func (s *Simulator) Silence() error { return syscall.Kill(-s.process.Process.Pid, syscall.SIGSTOP) }

// SetFaults lets the same things go wrong as in a BMC, but LieOff, Refuse and
// Lose, which it cannot. They stay until Close.
func (s *Simulator) SetFaults(faults Faults) error {
	if faults.LieOff > 0 || faults.Refuse || faults.Lose > 0 {
		return errors.New("ipmi_sim can neither lie, refuse nor lose packets")
	}
	marks := map[string]string{}
	if faults.Stuck {
		marks["stuck"] = ""
	}
	if faults.Flapping {
		marks["flapping"] = ""
	}
	if faults.SlowOff > 0 {
		marks["slow"] = fmt.Sprintf("%.3f", faults.SlowOff.Seconds())
	}
	if faults.DiesWithHost {
		marks["dies"] = strconv.Itoa(s.process.Process.Pid)
	}
	for name, content := range marks {
		if err := os.WriteFile(filepath.Join(s.folder, name), []byte(content), 0o600); err != nil {
			return fmt.Errorf("set a fault of ipmi_sim: %w", err)
		}
	}
	if faults.Deaf {
		return s.Silence()
	}
	return nil
}

// Close ends it.
func (s *Simulator) Close() {
	_ = syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL)
	_ = s.process.Wait()
}

func (s *Simulator) awaitAnswer() error {
	conn, err := net.Dial("udp", s.address)
	if err != nil {
		return fmt.Errorf("reach ipmi_sim: %w", err)
	}
	defer conn.Close()
	buffer := make([]byte, 512)
	for end := time.Now().Add(simulatorReady); time.Now().Before(end); {
		_ = conn.SetReadDeadline(time.Now().Add(pingPause))
		if _, err := conn.Write(presencePing); err == nil {
			if _, err := conn.Read(buffer); err == nil {
				return nil
			}
		}
		// A refused datagram returns at once; the pause keeps the loop from spinning.
		time.Sleep(pingPause)
	}
	return fmt.Errorf("ipmi_sim did not answer on %s within %s", s.address, simulatorReady)
}

func freePort() (int, error) {
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer socket.Close()
	return socket.LocalAddr().(*net.UDPAddr).Port, nil
}

func writeFiles(options SimulatorOptions, port int) error {
	guid, err := wireGUID(options.HardwareUUID)
	if err != nil {
		return err
	}
	power := "0"
	if options.On {
		power = "1"
	}
	files := map[string]string{
		"power":    power,
		"commands": simulatorCommands,
		"chassis":  chassisProgram,
		"lan.conf": fmt.Sprintf(simulatorConfig, port, guid, filepath.Join(options.Folder, "chassis"), options.Username,
			options.Password),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(options.Folder, name), []byte(content), 0o700); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(options.Folder, "state"), 0o700)
}

const simulatorConfig = `name "simulated"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 %d
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid %x
  endlan
  chassis_control "%s"
  user 2 true "%s" "%s" admin 10 none md2 md5 straight
`

const simulatorCommands = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`

// chassisProgram is what ipmi_sim calls for its chassis. It is called as
// "chassis get power boot" or "chassis set power 0" and keeps the power, and what
// goes wrong, in files beside itself. What goes on in the background holds none of
// ipmi_sim's pipes, because it waits for them.
const chassisProgram = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
reading() {
  if [ -e flapping ]; then
    if [ -e odd ]; then rm odd; echo 0; else : > odd; echo 1; fi
  else
    cat power
  fi
}
switch() {
  [ "$1" = 0 ] && echo off >> offs
  if [ -e stuck ]; then
    return
  elif [ "$1" = 0 ] && [ -e slow ]; then
    (sleep "$(cat slow)"; echo 0 > power) >/dev/null 2>&1 </dev/null &
  elif [ "$1" = 0 ] && [ -e dies ]; then
    echo 0 > power
    (sleep 0.1; kill -STOP "$(cat dies)") >/dev/null 2>&1 </dev/null &
  else
    echo "$1" > power
  fi
}
action=$1
shift
while [ $# -gt 0 ]; do
  case "$action $1" in
    "get power") echo "power:$(reading)" ;;
    "get boot") echo "boot:default" ;;
    "set power") switch "$2"; shift ;;
    "set "*) shift ;;
  esac
  shift
done
exit 0
`
