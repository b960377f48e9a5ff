package nodefile

import (
	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/keys"
)

// key is a row of the table of keys. A change counts when the daemon starts anew, so no row says
// what it does.
type key = keys.Key[*reading, Node]

// nodeKeys are the keys of the node's own file.
var nodeKeys = []key{
	{
		Name:    "name",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.Name(&n.Name, "node") },
		Default: "the host name up to its first dot",
		Means:   "the node's name",
	},
	{
		Name:    "address",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.host(&n.Address, "address") },
		Default: "chosen",
		Means:   "the address under which other nodes reach this one. Give it on hosts with more than one network",
	},
	{
		Name:  "moved",
		Read:  func(p *reading, n *Node) func(*yaml.Node) { return p.moved(&n.Moved) },
		Means: "`{OLD: NEW}`, while all nodes get new addresses at once ([recovery](recovery.md#an-address-changes))",
	},
	{
		Name:  "addresses",
		Read:  func(p *reading, n *Node) func(*yaml.Node) { return p.hosts(&n.Addresses, "addresses") },
		Means: "further addresses of this host; they go into its certificate. Heartbeats take `address` only, so far",
	},
	{
		Name:    "port",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.Number(&n.Port, "port", 1, 65535) },
		Default: "7440",
		Means:   "TCP: the log, the interface for tools, joining",
	},
	{
		Name:    "tunnel_port",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.Number(&n.TunnelPort, "tunnel_port", 1, 65535) },
		Default: "7441",
		Means:   "TCP: live migrations",
	},
	{
		Name: "heartbeat_port",
		Read: func(p *reading, n *Node) func(*yaml.Node) {
			return p.Number(&n.HeartbeatPort, "heartbeat_port", 1, 65535)
		},
		Default: "7442",
		Means:   "UDP: signs of life",
	},
	{
		Name:    "gossip_port",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.Number(&n.GossipPort, "gossip_port", 1, 65535) },
		Default: "7443",
		Means:   "TCP and UDP: membership",
	},
	{
		Name:    "data_dir",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.path(&n.DataDir, "data_dir") },
		Default: "/var/lib/clusterd",
		Means:   "the log, key and certificate; on a disk that survives a power cut",
	},
	{
		Name:    "run_dir",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.path(&n.RunDir, "run_dir") },
		Default: "/run/clusterd",
		Means:   "UNIX sockets",
	},
	{
		Name:    "definitions",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.definitionPolicy(&n.Definitions) },
		Default: "everything is allowed",
		Means: "`definitions: {allow: [block-disk]}`: what VMs on this node may do beside being guests " +
			"([security.md](security.md))",
	},
	{
		Name:    "socket_group",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.Text(&n.SocketGroup, "socket_group") },
		Default: "clusterd",
		Means:   "the group that may use the tools' socket beside root; where there is no such group, root alone may",
	},
	{
		Name: "socket_role",
		Read: func(p *reading, n *Node) func(*yaml.Node) {
			return p.Choice(&n.SocketRole, "socket_role", "viewer", "operator", "admin")
		},
		Default: "viewer",
		Means:   "what that group may: `viewer`, `operator` or `admin` ([security.md](security.md))",
	},
	{
		Name:    "hypervisor",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.Text(&n.Hypervisor, "hypervisor") },
		Default: "qemu:///system",
		Means:   "libvirt's URI; `none` for a host that runs services made of resources and no VMs",
	},
	{
		Name:    "ocf_root",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.path(&n.OCFRoot, "ocf_root") },
		Default: "/usr/lib/ocf",
		Means:   "where OCF resource agents are (below `resource.d`)",
	},
	{
		Name:    "libvirt_socket",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.path(&n.LibvirtSocket, "libvirt_socket") },
		Default: "libvirt's own",
		Means:   "the socket to which arriving migrations are handed",
	},
	{
		Name:    "hooks_dir",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.path(&n.HooksDir, "hooks_dir") },
		Default: "/etc/libvirt/hooks",
		Means:   "where the doorkeeper is installed",
	},
	{
		Name: "hardware_uuid_file",
		Read: func(p *reading, n *Node) func(*yaml.Node) {
			return p.path(&n.HardwareUUIDFile, "hardware_uuid_file")
		},
		Default: "/sys/class/dmi/id/product_uuid",
		Means:   "by which the host's BMC is recognised",
	},
	{
		Name:    "boot_id_file",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.path(&n.BootIDFile, "boot_id_file") },
		Default: "the kernel's",
		Means:   "the boot id of the operating system",
	},
	{
		Name:    "witness",
		Read:    func(p *reading, n *Node) func(*yaml.Node) { return p.Boolean(&n.Witness, "witness") },
		Default: "false",
		Means:   "a node that votes and runs no services",
	},
	{
		Name: "simulate",
		Read: (*reading).simulate,
		Means: "`{dir: FOLDER}`: no real hypervisor, no real BMC and no real agents; for trying things out. With " +
			"`agents: true` services made of resources are real",
	},
	{
		Name: "metrics",
		Read: (*reading).metrics,
		Means: "`metrics: {listen: 127.0.0.1:9744}`: where a monitoring system reads `/metrics` " +
			"([metrics.md](metrics.md))",
	},
	{
		Name: "log_level",
		Read: func(p *reading, n *Node) func(*yaml.Node) {
			return p.Choice(&n.LogLevel, "log_level", "debug", "info", "warn", "error")
		},
		Default: "info",
		Means:   "`debug`, `info`, `warn`, `error`",
	},
}

// metricsKeys and simulateKeys are the keys below two of them, whose rows explain them.
var (
	metricsKeys = []key{
		{
			Name: "listen",
			Read: func(p *reading, n *Node) func(*yaml.Node) { return p.endpoint(&n.Metrics, "the listen of metrics") },
		},
	}
	simulateKeys = []key{
		{
			Name: "dir",
			Read: func(p *reading, n *Node) func(*yaml.Node) { return p.path(&n.Simulate.Dir, "the dir of simulate") },
		},
		{
			Name: "agents",
			Read: func(p *reading, n *Node) func(*yaml.Node) {
				return p.Boolean(&n.Simulate.Agents, "the agents of simulate")
			},
		},
	}
)

func (p *reading) metrics(n *Node) func(*yaml.Node) {
	return func(node *yaml.Node) { p.Mapping(node, "metrics", keys.Fields(metricsKeys, p, n)) }
}

func (p *reading) simulate(n *Node) func(*yaml.Node) {
	return func(node *yaml.Node) {
		n.Simulate = &Simulate{}
		p.Mapping(node, "simulate", keys.Fields(simulateKeys, p, n))
		if node.Kind == yaml.MappingNode && n.Simulate.Dir == "" {
			p.Fault(node, "simulate has no dir; give the folder that all simulated nodes share")
		}
	}
}
