package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/test/lab/blockserver"
	"github.com/clusterd/clusterd/test/lab/cgroup"
)

// ErrInUse is returned by [Up] when a living process keeps a lab with the same prefix.
var ErrInUse = errors.New("a lab with this prefix is up")

// Options say what to build. The zero value is a lab of three hosts.
type Options struct {
	// Prefix begins the name of everything the lab makes on the machine: one to five small letters.
	// Default "cl".
	Prefix string
	// Hosts is their number, 1 to 16. Default 3.
	Hosts int
	// Directory holds the hosts' disks, logs and sockets; it is emptied by Up and removed by Close.
	// It must lie on an ordinary file system and not below /run, /srv, /etc or /var/lib. Default
	// /var/tmp/clusterd-lab-PREFIX.
	Directory string
	// BMCUser and BMCPassword are for all BMCs. Default "admin" and a random word.
	BMCUser, BMCPassword string
	// KeepFiles leaves the directory there at Close, for looking at logs.
	KeepFiles bool
	// Logger hears what happens; by default nothing is said.
	Logger *slog.Logger
}

// Lab is a running lab.
type Lab struct {
	// Hosts are the hosts in order: Hosts[0] is node1.
	Hosts []*Host

	options    Options
	logger     *slog.Logger
	executable string
	control    net.Listener
	blocks     *blockserver.Server
	hubGroup   *cgroup.Group

	closeOnce sync.Once
	closing   chan struct{}
	closed    chan struct{}
	closeErr  error
}

var prefixPattern = regexp.MustCompile(`^[a-z]{1,5}$`)

const (
	hostsLimit       = 16
	diskBytes        = 1 << 20
	blockServerPort  = 10809
	socketPathLimit  = 107
	defaultHosts     = 3
	defaultPrefix    = "cl"
	directoryPattern = "/var/tmp/clusterd-lab-%s"
)

func (o *Options) complete() error {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if !prefixPattern.MatchString(o.Prefix) {
		return fmt.Errorf("lab prefix %q: one to five small letters are allowed", o.Prefix)
	}
	if o.Hosts == 0 {
		o.Hosts = defaultHosts
	}
	if o.Hosts < 1 || o.Hosts > hostsLimit {
		return fmt.Errorf("%d hosts: a lab has 1 to %d", o.Hosts, hostsLimit)
	}
	if o.Directory == "" {
		o.Directory = fmt.Sprintf(directoryPattern, o.Prefix)
	}
	if len(o.Directory)+len("/node16/init.sock") > socketPathLimit {
		return fmt.Errorf("lab directory %s: its path is too long for unix sockets", o.Directory)
	}
	if o.BMCUser == "" {
		o.BMCUser = "admin"
	}
	if o.BMCPassword == "" {
		o.BMCPassword = randomHex(6)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return nil
}

// Up builds a lab and boots its hosts. It first removes what a killed lab with the same prefix
// left behind. On error nothing is left. Errors include [ErrNotRoot], [ErrNotDebian] and
// [ErrInUse].
func Up(ctx context.Context, options Options) (*Lab, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	if err := options.complete(); err != nil {
		return nil, err
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	l := &Lab{options: options, logger: options.Logger, executable: executable, closing: make(chan struct{}),
		closed: make(chan struct{})}
	if status, err := AskStatus(ctx, options.Directory); err == nil {
		return nil, fmt.Errorf("%w: process %d keeps %s; end it first (lab down)", ErrInUse, status.Pid, options.Directory)
	}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) build(ctx context.Context) error {
	if err := l.installMissing(ctx); err != nil {
		return err
	}
	if err := l.removeLeftovers(ctx); err != nil {
		return err
	}
	for _, directory := range []string{"guest", "serial"} {
		if err := os.MkdirAll(filepath.Join(l.SharedDirectory(), directory), 0o755); err != nil {
			return err
		}
	}
	if err := buildGuest(ctx, filepath.Join(l.SharedDirectory(), "guest", "tick.elf")); err != nil {
		return err
	}
	if err := l.makeHub(ctx); err != nil {
		return err
	}
	var err error
	if l.hubGroup, err = cgroup.New(l.hubName()); err != nil {
		return err
	}
	if err := l.serveBlocks(); err != nil {
		return err
	}
	for number := 1; number <= l.options.Hosts; number++ {
		if err := l.addHost(number); err != nil {
			return err
		}
	}
	if l.control, err = net.Listen("unix", l.controlPath()); err != nil {
		return err
	}
	go serveControl(l.control, l.answer)
	return l.bootAll(ctx)
}

func (l *Lab) serveBlocks() error {
	listener, err := l.ListenInHub(fmt.Sprintf(":%d", blockServerPort))
	if err != nil {
		return err
	}
	l.blocks, err = blockserver.Serve(listener, blockserver.Options{
		Directory: filepath.Join(l.options.Directory, "disks"), DiskBytes: diskBytes, Logger: l.logger,
		HostOf: func(address netip.Addr) string {
			bytes := address.As4()
			return fmt.Sprintf("node%d", bytes[3])
		},
	})
	return err
}

func (l *Lab) addHost(number int) error {
	uuid, err := randomUUID()
	if err != nil {
		return err
	}
	name := fmt.Sprintf("node%d", number)
	host := &Host{
		Name: name, Number: number, HardwareUUID: uuid, machineID: randomHex(16),
		lab: l, directory: filepath.Join(l.options.Directory, name),
	}
	host.BMC = &Controller{host: host, directory: filepath.Join(l.options.Directory, fmt.Sprintf("bmc%d", number))}
	l.Hosts = append(l.Hosts, host)
	return os.MkdirAll(host.directory, 0o755)
}

// bootAll starts hosts and BMCs side by side: most of the time goes by waiting for libvirtd.
func (l *Lab) bootAll(ctx context.Context) error {
	failures := make([]error, 2*len(l.Hosts))
	var starting sync.WaitGroup
	for index, host := range l.Hosts {
		starting.Go(func() { failures[2*index] = host.Boot(ctx) })
		starting.Go(func() { failures[2*index+1] = host.BMC.start(ctx, l.hubGroup) })
	}
	starting.Wait()
	return errors.Join(failures...)
}

// Close ends everything the lab started and removes everything it made. It may be called twice
// and from any goroutine; each call returns when all is gone, or with what is not.
func (l *Lab) Close() error {
	l.closeOnce.Do(func() {
		close(l.closing)
		l.closeErr = l.tearDown()
		close(l.closed)
	})
	<-l.closed
	return l.closeErr
}

// Closed is closed when the lab is gone.
func (l *Lab) Closed() <-chan struct{} { return l.closed }

func (l *Lab) isClosed() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

func (l *Lab) tearDown() error {
	var mu sync.Mutex
	var failures []error
	if l.hubGroup != nil {
		// The BMCs first, so that none of them boots a host again.
		failures = append(failures, l.hubGroup.Kill())
	}
	var ending sync.WaitGroup
	for _, host := range l.Hosts {
		ending.Go(func() {
			err := host.Crash()
			mu.Lock()
			failures = append(failures, err)
			mu.Unlock()
		})
	}
	ending.Wait()
	if l.blocks != nil {
		failures = append(failures, l.blocks.Close())
	}
	if l.control != nil {
		_ = l.control.Close()
	}
	// The context of the caller may be over, and the tidying must happen all the same.
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	failures = append(failures, l.removeMachineState(ctx))
	if !l.options.KeepFiles {
		failures = append(failures, os.RemoveAll(l.options.Directory))
	}
	return errors.Join(failures...)
}

// removeMachineState removes cgroups with their processes, and the hub with its bridges and cables.
func (l *Lab) removeMachineState(ctx context.Context) error {
	failure := cgroup.KillMatching(regexp.MustCompile("^" + l.options.Prefix + `-(hub|node[0-9]+)$`))
	if _, err := os.Stat(l.hubNamespacePath()); err == nil {
		failure = errors.Join(failure, runQuietly(ctx, "", "ip", "netns", "del", l.hubName()))
	}
	return failure
}

func (l *Lab) removeLeftovers(ctx context.Context) error {
	if err := l.removeMachineState(ctx); err != nil {
		return fmt.Errorf("remove what an earlier lab left: %w", err)
	}
	return os.RemoveAll(l.options.Directory)
}

// RemoveLeftovers removes what a killed lab left behind. It returns [ErrInUse] when the lab is
// alive.
func RemoveLeftovers(ctx context.Context, options Options) error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	if err := options.complete(); err != nil {
		return err
	}
	if status, err := AskStatus(ctx, options.Directory); err == nil {
		return fmt.Errorf("%w: process %d", ErrInUse, status.Pid)
	}
	return (&Lab{options: options, logger: options.Logger}).removeLeftovers(ctx)
}

// CloseOnSignal closes the lab and ends the program when the user presses Ctrl-C or the program
// is asked to stop. It is for programs and tests that have no signal handling of their own.
func (l *Lab) CloseOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			if err := l.Close(); err != nil {
				fmt.Fprintln(os.Stderr, "lab:", err)
			}
			os.Exit(130)
		case <-l.closed:
			signal.Stop(signals)
		}
	}()
}

// Host finds a host by name, and returns nil if there is none.
func (l *Lab) Host(name string) *Host {
	for _, host := range l.Hosts {
		if host.Name == name {
			return host
		}
	}
	return nil
}

// Directory is where the lab keeps its files; SharedDirectory is what all hosts see as
// /srv/cluster.
func (l *Lab) Directory() string { return l.options.Directory }

// SharedDirectory is the shared storage of the hosts, as seen from outside.
func (l *Lab) SharedDirectory() string { return filepath.Join(l.options.Directory, "shared") }

// BMCCredentials are user and password of all BMCs.
func (l *Lab) BMCCredentials() (user, password string) {
	return l.options.BMCUser, l.options.BMCPassword
}

// Writers tells who wrote to a disk so far, oldest first; see [blockserver.Server.Writers].
func (l *Lab) Writers(disk string) ([]blockserver.Write, error) { return l.blocks.Writers(disk) }

// CheckSingleWriter returns an error that is [blockserver.ErrTwoWriters] when a disk had two
// writers.
func (l *Lab) CheckSingleWriter(disk string) error { return l.blocks.CheckSingleWriter(disk) }

// IPMI runs ipmitool in the hub against a host's BMC. The password travels in the environment,
// not in argv.
func (l *Lab) IPMI(ctx context.Context, host *Host, words ...string) (string, error) {
	argv := []string{"ipmitool", "-I", "lanplus", "-C", "3", "-R", "1", "-N", "2", "-E", "-U", l.options.BMCUser,
		"-H", addressIn(BMC, bmcOctet(host.Number)), "-p", fmt.Sprint(bmcPort)}
	command := l.HubCommand(ctx, append(argv, words...)...)
	command.Env = append(os.Environ(), "IPMI_PASSWORD="+l.options.BMCPassword)
	output, err := command.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("ipmitool to the BMC of %s: %w: %s", host.Name, err, exit.Stderr)
	}
	return string(output), err
}

func randomHex(bytes int) string {
	raw := make([]byte, bytes)
	_, _ = rand.Read(raw) // Never fails, says its documentation.
	return hex.EncodeToString(raw)
}

func randomUUID() (string, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:]), nil
}
