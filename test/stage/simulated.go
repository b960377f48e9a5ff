package stage

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/clusterd/clusterd/agents/simulated"
	"github.com/clusterd/clusterd/test/bmc"
	"github.com/clusterd/clusterd/test/lab"
)

// Simulated is a world of processes on the loopback interface: the daemons, their log and their
// tools are real, the hypervisor and the machines are pretended.
type Simulated struct {
	directory string
	tools     string
	port      int
	password  string
	machines  []*machine
	closing   sync.Once
}

// machine is one pretended host.
type machine struct {
	name, address string
	folder        string
	controller    *bmc.BMC
	daemon        *supervised

	mu      sync.Mutex
	powered bool
	wanted  bool // The daemon is started whenever there is power.
}

// NewSimulated makes a world of three machines in a folder of its own below the system's
// temporary one.
func NewSimulated(tools string) (*Simulated, error) { return NewSimulatedOf(tools, 3) }

// MostSimulated is how many machines a simulated world can have.
const MostSimulated = 64

// NewSimulatedOf makes a world of so many machines.
func NewSimulatedOf(tools string, count int) (*Simulated, error) {
	if count < 1 || count > MostSimulated {
		return nil, fmt.Errorf("%d machines: a simulated world has 1 to %d", count, MostSimulated)
	}
	directory, err := os.MkdirTemp("", "clusterd-simulated-")
	if err != nil {
		return nil, err
	}
	s := &Simulated{directory: directory, tools: tools, password: rand.Text()[:16]}
	if s.port, err = freePorts(count); err == nil {
		for number := 1; number <= count && err == nil; number++ {
			err = s.addMachine(number)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Simulated) world() string { return filepath.Join(s.directory, "world") }

func (s *Simulated) addMachine(number int) error {
	m := &machine{name: "node" + strconv.Itoa(number), address: "127.0.0." + strconv.Itoa(number), powered: true}
	m.folder = filepath.Join(s.directory, m.name)
	for _, folder := range []string{"data", "run", "etc", "hooks"} {
		if err := os.MkdirAll(filepath.Join(m.folder, folder), 0o700); err != nil {
			return err
		}
	}
	if err := simulated.AddNode(s.world(), m.name); err != nil {
		return err
	}
	uuid := hardwareUUID(s.directory, m.name)
	if err := os.WriteFile(filepath.Join(m.folder, "hardware-uuid"), []byte(uuid+"\n"), 0o600); err != nil {
		return err
	}
	m.daemon = &supervised{argv: []string{filepath.Join(s.tools, "clusterd"), "run"}, environment: s.environment(m),
		logPath: filepath.Join(m.folder, "clusterd.log")}
	var err error
	m.controller, err = bmc.Start(bmc.Options{Address: m.address + ":0", Username: "admin", Password: s.password,
		HardwareUUID: uuid, On: true,
		OnPower: func(on bool) error { return s.setPower(m, on) }})
	if err != nil {
		return err
	}
	s.machines = append(s.machines, m)
	_, err = s.WriteFile(m.name, "node.yaml", s.NodeSettings(m.name))
	return err
}

// hardwareUUID makes a UUID that is the machine's own and differs between two worlds.
func hardwareUUID(directory, name string) string {
	sum := sha256.Sum256([]byte(directory + "/" + name))
	sum[6], sum[8] = sum[6]&0x0f|0x40, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Controller is a machine's management controller, for faults.
func (s *Simulated) Controller(node string) *bmc.BMC { return s.machine(node).controller }

// HardwareUUID is a machine's.
func (s *Simulated) HardwareUUID(node string) string {
	return hardwareUUID(s.directory, node)
}

// Switch is what any controller of a machine does to its power.
func (s *Simulated) Switch(node string, on bool) error { return s.setPower(s.machine(node), on) }

// freePorts finds four ports in a row that are free on the addresses of so many machines; every
// node of a cluster uses the same ones.
func freePorts(count int) (int, error) {
	for range 50 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		first := listener.Addr().(*net.TCPAddr).Port
		listener.Close()
		if first < 65000 && allFree(first, count) {
			return first, nil
		}
	}
	return 0, fmt.Errorf("found no four free ports in a row on 127.0.0.1 to 127.0.0.%d", count)
}

func allFree(first, count int) bool {
	for number := 1; number <= count; number++ {
		for port := first; port < first+4; port++ {
			listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0."+strconv.Itoa(number), strconv.Itoa(port)))
			if err != nil {
				return false
			}
			listener.Close()
		}
	}
	return true
}

// setPower is what the pretended controller does to the pretended machine. The daemon dies
// first: a machine without power says nothing.
func (s *Simulated) setPower(m *machine, on bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.powered == on {
		return nil
	}
	if !on {
		m.powered = false
		m.daemon.kill()
		return simulated.PowerCut(s.world(), m.name)
	}
	if err := simulated.PowerOn(s.world(), m.name); err != nil {
		return err
	}
	m.powered = true
	if m.wanted {
		m.daemon.start()
	}
	return nil
}

func (s *Simulated) machine(node string) *machine {
	for _, m := range s.machines {
		if m.name == node {
			return m
		}
	}
	return nil
}

// Nodes implements World.
func (s *Simulated) Nodes() []string {
	var names []string
	for _, m := range s.machines {
		names = append(names, m.name)
	}
	return names
}

// Label implements World.
func (s *Simulated) Label() string { return "SIMULATED" }

// Prompt implements World.
func (s *Simulated) Prompt(node string) string { return node + "$ " }

func (s *Simulated) environment(m *machine) []string {
	return append(os.Environ(), "CLUSTERD_CONFIG="+filepath.Join(m.folder, "etc", "node.yaml"),
		"CLUSTERD_SOCKET="+s.socket(m), "CLUSTERD_HOST=")
}

// Command implements World.
func (s *Simulated) Command(ctx context.Context, node string, argv ...string) *exec.Cmd {
	program := argv[0]
	if tool := filepath.Join(s.tools, program); isFile(tool) {
		program = tool
	}
	command := exec.CommandContext(ctx, program, argv[1:]...)
	command.Env = s.environment(s.machine(node))
	command.WaitDelay = time.Second
	return command
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// WriteFile implements World.
func (s *Simulated) WriteFile(node, name, text string) (string, error) {
	path := filepath.Join(s.machine(node).folder, "etc", name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// NodeSettings implements World.
func (s *Simulated) NodeSettings(node string) string {
	m := s.machine(node)
	return fmt.Sprintf(`name: %s
address: %s
port: %d
tunnel_port: %d
heartbeat_port: %d
gossip_port: %d
data_dir: %s/data
run_dir: %s/run
hooks_dir: %s/hooks
hardware_uuid_file: %s/hardware-uuid
boot_id_file: %s
simulate: {dir: %s}
`, m.name, m.address, s.port, s.port+1, s.port+2, s.port+3, m.folder, m.folder, m.folder, m.folder,
		simulated.BootIDPath(s.world(), m.name), s.world())
}

// StartDaemon implements World.
func (s *Simulated) StartDaemon(_ context.Context, node string) error {
	m := s.machine(node)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted = true
	if m.powered {
		m.daemon.start()
	}
	return nil
}

// StopDaemon implements World.
func (s *Simulated) StopDaemon(_ context.Context, node string) error {
	m := s.machine(node)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wanted = false
	m.daemon.kill()
	return nil
}

// Wipe implements World.
func (s *Simulated) Wipe(node string) error {
	return emptyFolder(filepath.Join(s.machine(node).folder, "data"))
}

func (s *Simulated) socket(m *machine) string { return filepath.Join(m.folder, "run", "clusterd.sock") }

// Socket implements World.
func (s *Simulated) Socket(node string) string { return s.socket(s.machine(node)) }

// Pid is the process id of a node's daemon, 0 while there is none.
func (s *Simulated) Pid(node string) int { return s.machine(node).daemon.Pid() }

// Log implements World.
func (s *Simulated) Log(node string) string { return s.machine(node).daemon.logPath }

// Device implements World.
func (s *Simulated) Device(node string) Device {
	return Device{Address: s.machine(node).controller.Address(), Username: "admin", Password: s.password, Cipher: "3"}
}

// CutPower implements World.
func (s *Simulated) CutPower(node string) error {
	m := s.machine(node)
	err := s.setPower(m, false)
	m.controller.Report(false)
	return err
}

// Boot implements World.
func (s *Simulated) Boot(_ context.Context, node string) error {
	m := s.machine(node)
	err := s.setPower(m, true)
	m.controller.Report(true)
	return err
}

// Powered implements World.
func (s *Simulated) Powered(node string) bool {
	m := s.machine(node)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.powered
}

// Close implements World.
func (s *Simulated) Close() (err error) {
	s.closing.Do(func() {
		for _, m := range s.machines {
			m.controller.Close()
		}
		for _, m := range s.machines {
			err = errors.Join(err, s.StopDaemon(context.Background(), m.name))
		}
		err = errors.Join(err, os.RemoveAll(s.directory))
	})
	return err
}

// Guests implements World.
func (s *Simulated) Guests(_ context.Context, node string) ([]string, error) {
	runs, err := simulated.Runs(s.world())
	var names []string
	for _, run := range runs {
		if run.Node == node && run.To.IsZero() {
			names = append(names, guestName(run))
		}
	}
	return names, err
}

// Watch implements World.
func (s *Simulated) Watch(guest lab.Guest) (Watch, error) {
	return &simulatedWatch{world: s.world(), uuid: guest.UUID(), since: time.Now()}, nil
}

// CheckSingleWriter implements World: the record of who ran when is the witness.
func (s *Simulated) CheckSingleWriter(lab.Guest) error { return simulated.CheckSingle(s.world()) }
