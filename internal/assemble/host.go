package assemble

import (
	"log/slog"

	"github.com/clusterd/clusterd/agents/network"
	"github.com/clusterd/clusterd/agents/simulated"
	"github.com/clusterd/clusterd/agents/vm/doorkeeper"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/daemon"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/roster"
)

// SpareTheMachine is done before anything else: it holds for every thread and every page that comes
// later.
func SpareTheMachine() {
	allowLateTimers()
	keepMemoryToItself()
}

// Self is this program as it calls itself.
type Self struct {
	// Config is the path of the configuration that it was given.
	Config string
}

// Host puts together what a daemon reaches of its machine, in this order, because each stands on
// the one before:
//
//  1. The agents, which look what this boot runs already, and the tunnel that migrations take. Its
//     forwarder is begun early, so that this node can be a target before it is asked for anything.
//  2. The fence drivers that switch power. They open nothing before they are asked.
//  3. On a real machine, what asks its hypervisor and the doorkeeper beside it.
//  4. Last the guard, with the drivers that go with it, because their keys are named after the
//     cluster that the node's folder says it belongs to.
//
// root tells the newest State; it is asked at each use, and first when the daemon runs. done ends
// what does not end with the daemon. membership.ErrNoCluster is returned for a node of no cluster.
func Host(node nodefile.Node, self Self, logger *slog.Logger, root func() *cluster.State) (
	host daemon.Host, done func(), err error,
) {
	if node.Simulate != nil {
		return simulatedHost(node, logger)
	}
	agent, addresses, done, err := newAgent(node, self, logger)
	if err != nil {
		return daemon.Host{}, nil, err
	}
	host = daemon.Host{
		Agent: agent, Addresses: addresses, Drivers: PowerDrivers(logger),
		Doctor: newDoctor(node, agent), Importer: newImporter(agent),
		Managed:  func(uuids []string) error { return doorkeeper.WriteManaged(managedPath(node), uuids) },
		Networks: &network.VXLAN{},
		Capacity: func() (cluster.Capacity, error) { return capacityBelow("/") },
	}
	place, err := membership.Folder(node.DataDir).Membership()
	if err != nil {
		done()
		return daemon.Host{}, nil, err
	}
	addGuard(&host, node, place.ID, logger, root)
	return host, done, nil
}

// simulatedHost is one in a folder, of `make demo SIM=1`: its VMs, its power and its kernel are
// files there. Services made of resources are real where they are asked for.
func simulatedHost(node nodefile.Node, logger *slog.Logger) (daemon.Host, func(), error) {
	host := daemon.Host{Addresses: &roster.Book{}, Drivers: PowerDrivers(logger),
		ProbeKernel: simulatedKernel(node.Simulate.Dir)}
	vms, err := simulated.New(simulated.Options{Dir: node.Simulate.Dir, Node: node.Name})
	if err != nil {
		return daemon.Host{}, nil, err
	}
	host.Agent = vms
	if node.Simulate.Agents {
		host.Agent, err = withServices(vms, node, logger)
	}
	return host, func() {}, err
}
