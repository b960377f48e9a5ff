package assemble

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/agents/ocf"
	"github.com/clusterd/clusterd/agents/ocf/dialect"
	"github.com/clusterd/clusterd/agents/router"
	"github.com/clusterd/clusterd/agents/simulated"
	"github.com/clusterd/clusterd/agents/vm"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/roster"
	"github.com/clusterd/clusterd/internal/tunnel"
	"github.com/clusterd/clusterd/quorum"
	"github.com/clusterd/clusterd/resources"
)

// newAgent makes the hypervisor's agent, and for libvirt the tunnel that its
// migrations take.
func newAgent(node nodefile.Node, self Self, logger *slog.Logger) (agents.Agent, *roster.Book, func(),
	error) {
	book := &roster.Book{}
	if node.Witness {
		return agents.None{}, book, func() {}, nil
	}
	if node.Hypervisor == nodefile.NoHypervisor {
		agent, err := withServices(agents.None{}, node, logger)
		return agent, book, func() {}, err
	}
	way := newWay(node, self, book, logger)
	agent, err := vm.New(vm.Options{URI: node.Hypervisor, Node: node.Name, StateDir: filepath.Join(node.RunDir, "calls"),
		Tunnel: way, QEMUUser: way.config.DataUID, Logger: logger})
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
func withServices(vms agents.Agent, node nodefile.Node, logger *slog.Logger) (agents.Agent, error) {
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

// TunnelConfig is what the process that carries migrations runs by.
func TunnelConfig(node nodefile.Node, logger *slog.Logger) tunnel.Config {
	uid, gid := qemuOwner(qemuConfiguration)
	return tunnel.Config{
		Dir: filepath.Join(node.RunDir, "tunnel"), DataUID: uid, DataGID: gid, Listen: node.Listen(node.TunnelPort),
		LibvirtSocket: node.LibvirtSocket, Logger: logger,
		Security: tunnel.NewMembers(node.DataDir, rosterPath(node), logger),
	}
}

// forwarder is this program as the process that carries migrations. It listens where this daemon
// has read that it should: node.yaml may have been edited since, and then no forwarder would be
// the one that the daemon looks for.
func (s Self) forwarder(node nodefile.Node) []string {
	return append(Helper("--config"), s.Config, "forward", "--listen", node.Listen(node.TunnelPort))
}

func tunnelAddress(tls string, node nodefile.Node) (string, error) {
	host, _, err := net.SplitHostPort(tls)
	if err != nil {
		return "", fmt.Errorf("the address %q of a node cannot be read: %w", tls, err)
	}
	return net.JoinHostPort(host, strconv.Itoa(node.TunnelPort)), nil
}
