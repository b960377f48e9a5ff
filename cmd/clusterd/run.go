package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/agents/router"
	"github.com/clusterd/clusterd/agents/simulated"
	"github.com/clusterd/clusterd/agents/vm"
	"github.com/clusterd/clusterd/agents/vm/doorkeeper"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	fenceagent "github.com/clusterd/clusterd/fence/agent"
	"github.com/clusterd/clusterd/fence/power"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/tunnel"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/resources"
)

func runCommand() *urfave.Command {
	return &urfave.Command{
		Name: "run", Usage: "run the daemon in the foreground",
		Description: "SIGTERM stops the daemon and leaves every VM running. Before a host goes down, `clusterd node " +
			"leave` hands its services over.",
		Action: run,
	}
}

func run(c *urfave.Context) error {
	node, err := nodeSettings(c)
	if err != nil {
		return err
	}
	if removal, err := membership.Folder(node.DataDir).Removal(); node.Simulate == nil && (removal != nil || err != nil) {
		if err != nil {
			return err
		}
		return *removal
	}
	allowLateTimers()
	keepMemoryToItself()
	logger := newLogger(node)
	agent, addresses, closeTunnel, err := newAgent(c, node, logger)
	if err != nil {
		return err
	}
	defer closeTunnel()
	options := daemon.Options{
		Node: node, Folder: membership.Folder(node.DataDir), Agent: agent, Logger: logger, Addresses: addresses,
		Drivers: powerDrivers(logger),
	}
	if node.Simulate != nil {
		options.ProbeKernel = simulatedKernel(node.Simulate.Dir)
	} else {
		options.Doctor = newDoctor(node, agent)
		options.Importer = newImporter(agent)
		options.Managed = func(uuids []string) error {
			return doorkeeper.WriteManaged(managedPath(node), uuids)
		}
	}
	var d *daemon.Daemon
	if node.Simulate == nil {
		membership, err := options.Folder.Membership()
		if err != nil {
			return err
		}
		addGuard(&options, membership, func() *cluster.State { return d.State() })
	}
	d, err = daemon.New(options)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stopping := make(chan os.Signal, 1)
	signal.Notify(stopping, syscall.SIGTERM, os.Interrupt)
	go func() {
		<-stopping
		logger.Info("stopping; VMs run on", "node", node.Name)
		d.Goodbye(ctx)
		d.HandOver(ctx)
		cancel()
	}()
	err = d.Run(ctx)
	if errors.Is(err, daemon.ErrAgain) {
		logger.Info("clusterd starts again in its own place; VMs run on", "node", node.Name)
		return again()
	}
	return err
}

// powerDrivers are the fence drivers that switch power.
func powerDrivers(logger *slog.Logger) map[string]fence.Driver {
	return map[string]fence.Driver{
		power.KindIPMI:     power.New(power.KindIPMI, power.Options{Logger: logger}),
		power.KindIPMITool: power.New(power.KindIPMITool, power.Options{Logger: logger}),
		power.KindRedfish:  power.New(power.KindRedfish, power.Options{Logger: logger}),
		fenceagent.Kind:    fenceagent.New(fenceagent.Options{Logger: logger}),
	}
}

// again puts this program in its own place, with nothing of the old run left but
// the number of its process: whoever supervises it sees no end.
func again() error {
	if err := syscall.Exec("/proc/self/exe", os.Args, os.Environ()); err != nil {
		return fmt.Errorf("clusterd could not start itself again, start it by hand: %w", err)
	}
	return nil
}

// managedPath is where the doorkeeper finds the managed VMs when the daemon is
// down: on disk, because the doorkeeper must know them right after a boot.
func managedPath(node config.Node) string { return filepath.Join(node.DataDir, "managed") }

func newLogger(node config.Node) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(node.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// newAgent makes the hypervisor's agent, and for libvirt the tunnel that its
// migrations take.
func newAgent(c *urfave.Context, node config.Node, logger *slog.Logger) (agents.Agent, *daemon.AddressBook, func(),
	error) {
	book := &daemon.AddressBook{}
	if node.Simulate != nil {
		agent, err := simulated.New(simulated.Options{Dir: node.Simulate.Dir, Node: node.Name})
		if err != nil || !node.Simulate.Agents {
			return agent, book, func() {}, err
		}
		both, err := withServices(agent, node, logger)
		return both, book, func() {}, err
	}
	if node.Witness {
		return agents.None{}, book, func() {}, nil
	}
	if node.Hypervisor == config.NoHypervisor {
		agent, err := withServices(agents.None{}, node, logger)
		return agent, book, func() {}, err
	}
	way := &way{node: node, book: book, config: tunnelConfig(node, logger), argv: forwardArguments(c), logger: logger}
	book.Changed = way.writeRoster
	agent, err := vm.New(vm.Options{URI: node.Hypervisor, Node: node.Name, StateDir: filepath.Join(node.RunDir, "calls"),
		Tunnel: way, Logger: logger})
	if err != nil {
		return nil, nil, nil, err
	}
	both, err := withServices(agent, node, logger)
	if err != nil {
		return nil, nil, nil, err
	}
	go way.begin()
	return both, book, way.close, nil
}

// withServices adds the hands for services made of resources.
func withServices(vms agents.Agent, node config.Node, logger *slog.Logger) (agents.Agent, error) {
	boot, err := membership.BootID(node)
	if err != nil {
		return nil, err
	}
	services, err := ocf.New(ocf.Options{
		Node: node.Name, Boot: boot, Folder: filepath.Join(node.RunDir, "services"), Logger: logger,
		Folders: dialect.Folders{OCF: node.OCFRoot, Scratch: filepath.Join(node.RunDir, "agents")},
	})
	if err != nil {
		return nil, err
	}
	return router.New(map[string]agents.Agent{resources.KindVM: vms, resources.KindService: services}), nil
}

// libvirtOf finds the hands for VMs among those of a node.
func libvirtOf(agent agents.Agent) (*vm.Agent, bool) {
	if routed, several := agent.(*router.Router); several {
		agent = routed.Of(resources.KindVM)
	}
	libvirt, is := agent.(*vm.Agent)
	return libvirt, is
}

// simulatedKernel answers for the kernels of simulated hosts, which all share
// this machine's.
func simulatedKernel(dir string) func(context.Context, quorum.Peer) (quorum.Answer, string) {
	return func(_ context.Context, peer quorum.Peer) (quorum.Answer, string) {
		on, err := simulated.Powered(dir, peer.ID)
		switch {
		case err != nil:
			return quorum.Unknown, err.Error()
		case on:
			return quorum.Answers, "simulated power is on"
		}
		return quorum.Silent, "simulated power is off"
	}
}

func tunnelConfig(node config.Node, logger *slog.Logger) tunnel.Config {
	uid, gid := qemuOwner(qemuConfiguration)
	return tunnel.Config{
		Dir: filepath.Join(node.RunDir, "tunnel"), DataUID: uid, DataGID: gid, Listen: node.Listen(node.TunnelPort),
		LibvirtSocket: node.LibvirtSocket, Logger: logger,
		Security: tunnel.NewMembers(node.DataDir, rosterPath(node), logger),
	}
}

func forwardArguments(c *urfave.Context) []string {
	self, err := os.Executable()
	if err != nil {
		self = "/proc/self/exe"
	}
	return []string{self, "--config", c.String("config"), "forward"}
}

func forwardCommand() *urfave.Command {
	return &urfave.Command{
		Name: "forward", Hidden: true, Usage: "forward live migrations; started by the daemon, outlives it",
		Action: func(c *urfave.Context) error {
			node, err := nodeSettings(c)
			if err != nil {
				return err
			}
			return tunnel.RunForwarder(c.Context, tunnelConfig(node, newLogger(node)))
		},
	}
}

func tunnelAddress(tls string, node config.Node) (string, error) {
	host, _, err := net.SplitHostPort(tls)
	if err != nil {
		return "", fmt.Errorf("the address %q of a node cannot be read: %w", tls, err)
	}
	return net.JoinHostPort(host, strconv.Itoa(node.TunnelPort)), nil
}
