package nodefile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/strict"
)

// Path is where the node's own file lies by default.
const Path = "/etc/clusterd/node.yaml"

// largestNodeFile is far above what the file can need.
const largestNodeFile = 64 << 10

// Default ports and folders. The ports lie next to each other, so that one firewall rule covers
// them.
const (
	DefaultPort          = 7440
	DefaultTunnelPort    = 7441
	DefaultHeartbeatPort = 7442
	DefaultGossipPort    = 7443
	DefaultDataDir       = "/var/lib/clusterd"
	DefaultRunDir        = "/run/clusterd"
	DefaultSocketGroup   = "clusterd"
	DefaultHypervisor    = "qemu:///system"
	DefaultOCFRoot       = "/usr/lib/ocf"
	DefaultHooksDir      = "/etc/libvirt/hooks"
	DefaultHardwareUUID  = "/sys/class/dmi/id/product_uuid"
)

// Node is what one node must know before it knows the cluster.
type Node struct {
	// Name is the node's name; the host name up to its first dot by default.
	Name string
	// Address is the IP address or host name under which other nodes reach this one. Empty lets the
	// daemon choose; on a host with more than one network it should be given.
	Address string
	// Addresses are further addresses of this host, by which others test whether it lives.
	Addresses []string
	// Moved says where addresses are by now that the cluster still has in its log, while all nodes
	// get new ones at once.
	Moved map[string]string
	// Port is TCP, mutual TLS: the log, the interface for tools, and joining, told apart by ALPN.
	Port int
	// TunnelPort is TCP, mutual TLS: live migrations.
	TunnelPort int
	// HeartbeatPort is UDP, authenticated: signs of life.
	HeartbeatPort int
	// GossipPort is TCP and UDP, encrypted: membership.
	GossipPort int
	// DataDir holds the log, the node's key and certificate. It must be on a disk that survives a
	// power cut.
	DataDir string
	// SocketGroup may use the socket of the local tools beside root, as far as SocketRole goes.
	SocketGroup string
	SocketRole  string
	// RunDir holds the UNIX sockets. It is emptied by each boot.
	RunDir string
	// Hypervisor is libvirt's URI, or NoHypervisor.
	Hypervisor string
	// OCFRoot is where OCF resource agents and their library are.
	OCFRoot string
	// LibvirtSocket is libvirt's UNIX socket, to which arriving migrations are handed; empty for
	// libvirt's default.
	LibvirtSocket string
	// HooksDir is where libvirt looks for hooks: the doorkeeper is installed there.
	HooksDir string
	// HardwareUUIDFile holds the machine's hardware UUID, by which its BMC is recognised.
	HardwareUUIDFile string
	// BootIDFile holds the boot id of the operating system; empty for the kernel's own.
	BootIDFile string
	// Witness declares a node that votes and runs no services.
	Witness bool
	// Simulate is set where hypervisor and BMCs are simulated.
	Simulate *Simulate
	// Definitions is what VMs on this node may do beside being guests.
	Definitions DefinitionPolicy
	// Metrics is IP:PORT where /metrics is served beside the interface for tools; empty for nowhere.
	// On a loopback address it needs no certificate.
	Metrics string
	// LogLevel is debug, info, warn or error.
	LogLevel string
}

// Simulate replaces the hypervisor and the BMCs by a folder that all simulated nodes share.
type Simulate struct {
	Dir string
	// Agents tells that services made of resources are real nevertheless.
	Agents bool
}

// NoHypervisor is the setting of a node without libvirt: it runs services made of resources, and
// no VMs.
const NoHypervisor = "none"

// SocketPath is the UNIX socket of the local tools.
func (n Node) SocketPath() string { return filepath.Join(n.RunDir, "clusterd.sock") }

// Listen is host:port for one of the node's ports; an empty Address listens on every address.
func (n Node) Listen(port int) string { return net.JoinHostPort(n.Address, strconv.Itoa(port)) }

// Load reads the node's own file. A file that is not there is an empty one: every setting
// has a default.
//
// The error is *strict.Faults when the file could be read and is wrong.
func Load(path string) (Node, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Node{}, fmt.Errorf("read the node's settings: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return Parse(path, text, host)
}

// reading reads the file, fault by fault.
type reading struct{ strict.Reader }

// Parse reads the text of a node's own file. hostName gives the default name.
//
// The error is *strict.Faults.
func Parse(path string, text []byte, hostName string) (Node, error) {
	p := reading{strict.Reader{File: path}}
	n := defaultNode(hostName)
	if !strict.OnlyComments(string(text)) {
		if top, ok := p.Load(text, largestNodeFile); ok {
			p.Mapping(top, "the node's settings", keys.Fields(nodeKeys, &p, &n))
		}
	}
	if n.Name == "" && len(p.Faults.List) == 0 {
		p.Faults.Add(strict.Fault{File: path, Message: "the host has no name that could be the node's; add name: NAME"})
	}
	p.checkPorts(n)
	return n, p.Faults.Failure()
}

func defaultNode(hostName string) Node {
	name, _, _ := strings.Cut(hostName, ".")
	if !strict.NamePattern.MatchString(name) {
		name = ""
	}
	return Node{
		Name:             name,
		Port:             DefaultPort,
		TunnelPort:       DefaultTunnelPort,
		HeartbeatPort:    DefaultHeartbeatPort,
		GossipPort:       DefaultGossipPort,
		DataDir:          DefaultDataDir,
		RunDir:           DefaultRunDir,
		SocketGroup:      DefaultSocketGroup,
		SocketRole:       "viewer",
		Hypervisor:       DefaultHypervisor,
		OCFRoot:          DefaultOCFRoot,
		HooksDir:         DefaultHooksDir,
		HardwareUUIDFile: DefaultHardwareUUID,
		LogLevel:         "info",
	}
}

// moved reads the new addresses by the old ones.
func (p *reading) moved(into *map[string]string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		*into = map[string]string{}
		p.Entries(node, "moved", func(key, value *yaml.Node) {
			var old, fresh string
			p.host(&old, "an address under moved")(key)
			p.host(&fresh, "the new address of "+strict.Brief(key.Value))(value)
			if old != "" && fresh != "" {
				(*into)[old] = fresh
			}
		})
	}
}

func (p *reading) host(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, ok := p.Word(node, what)
		if !ok {
			return
		}
		if net.ParseIP(value) == nil && (strict.HostPort(value) != nil || strings.ContainsAny(value, ":[]")) {
			p.Fault(node, "%s is %q; give an IP address or a host name, without a port", what, strict.Brief(value))
			return
		}
		*into = value
	}
}

// endpoint reads IP:PORT. It is a number, because what a name stands for could change from the
// loopback to the network.
func (p *reading) endpoint(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, ok := p.Word(node, what)
		if !ok {
			return
		}
		if endpoint, err := netip.ParseAddrPort(value); err != nil || endpoint.Port() == 0 || endpoint.Addr().Zone() != "" {
			p.Fault(node, "%s is %q; give an IP address and a port, such as 127.0.0.1:9744", what, strict.Brief(value))
			return
		}
		*into = value
	}
}

func (p *reading) hosts(into *[]string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		p.Sequence(node, what, func(item *yaml.Node) {
			var address string
			p.host(&address, "an address in "+what)(item)
			if address != "" {
				*into = append(*into, address)
			}
		})
		if len(*into) > 16 {
			p.Fault(node, "%s has %d entries; 16 is the most", what, len(*into))
		}
	}
}

func (p *reading) path(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, ok := p.Word(node, what)
		if !ok {
			return
		}
		if !filepath.IsAbs(value) {
			p.Fault(node, "%s is %q; give a path that starts with /", what, strict.Brief(value))
			return
		}
		*into = filepath.Clean(value)
	}
}

// checkPorts refuses two TCP, or two UDP, ports that are the same.
func (p *reading) checkPorts(n Node) {
	taken := map[string]string{}
	for _, use := range []struct {
		protocol, name string
		port           int
	}{
		{"tcp", "port", n.Port}, {"tcp", "tunnel_port", n.TunnelPort}, {"tcp", "gossip_port", n.GossipPort},
		{"tcp", "metrics", portOf(n.Metrics)},
		{"udp", "heartbeat_port", n.HeartbeatPort}, {"udp", "gossip_port", n.GossipPort},
	} {
		key := use.protocol + strconv.Itoa(use.port)
		if other := cmp.Or(taken[key], use.name); other != use.name {
			p.Faults.Add(strict.Fault{File: p.File, Message: fmt.Sprintf("%s and %s are both %s port %d", other, use.name,
				use.protocol, use.port)})
		}
		taken[key] = use.name
	}
}

// portOf is that of an endpoint; 0 of none.
func portOf(endpoint string) int {
	parsed, err := netip.ParseAddrPort(endpoint)
	if err != nil {
		return 0
	}
	return int(parsed.Port())
}
