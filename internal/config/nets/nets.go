// Package nets reads the networks of the cluster document and says which services are attached to
// them.
package nets

import (
	"fmt"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/resources"
)

// Most bounds the networks of a document.
const Most = 256

// Bounds of a network: IEEE 802.1Q keeps 0 and 4095 for itself, and IPv6 needs packets of 1280
// bytes (RFC 8200, section 5).
const (
	firstVLAN, lastVLAN = 1, 4094
	leastMTU, mostMTU   = 1280, 65485
)

// interfaceName is what Linux takes for an interface (dev_valid_name of the kernel), without what
// somebody would have to quote.
var interfaceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,14}$`)

// reserved are names of interfaces that are no bridge's: the loopback, those of clusterd's own
// devices, and those by which the kernel keeps settings that are no interface's (ip-sysctl).
var reserved = regexp.MustCompile(`^(lo|all|default|clusterd-new|clvx[0-9]+)$`)

// Networks reads the section "networks", and what services say of them.
type Networks struct {
	reader *strict.Reader
	// Declared are the networks by name.
	Declared map[string]resources.Network
	places   map[string]*yaml.Node
	uses     []use
}

// use is a service's network.
type use struct {
	service, network string
	at               *yaml.Node
}

// New makes one that tells its faults to a reader.
func New(reader *strict.Reader) *Networks {
	return &Networks{reader: reader, Declared: map[string]resources.Network{}, places: map[string]*yaml.Node{}}
}

// Keys are the keys of a network. A change of any of them is told as one of the whole network.
var Keys = []keys.Key[*Networks, resources.Network]{
	{
		Name:   "vlan",
		Says:   "it",
		Effect: keys.Now,
		Read: func(n *Networks, of *resources.Network) func(*yaml.Node) {
			return n.reader.Number(&of.VLAN, "vlan of network "+of.Name, firstVLAN, lastVLAN)
		},
		Told:  Text,
		Shown: func(of resources.Network) string { return ", " + Text(of) },
		Means: "its number, 1 to 4094, which no other network has; needed",
	},
	{
		Name:   "over",
		Effect: keys.Now,
		Read: func(n *Networks, of *resources.Network) func(*yaml.Node) {
			return n.reader.Choice(&of.Over, "over of network "+of.Name, resources.OverVXLAN)
		},
		Default: "`vxlan`",
		Means: "what carries it between hosts: `vxlan` (RFC 7348, UDP port 4789 between the nodes' addresses, VNI = " +
			"`vlan`). **It is not encrypted**: let only the nodes use that port, as [the firewall table](security.md) says",
	},
	{
		Name:    "bridge",
		Effect:  keys.Now,
		Read:    (*Networks).bridge,
		Default: "`br-` and its name",
		Means: "the bridge that it has on each host, which VMs name in their definitions (`<interface " +
			"type=\"bridge\"><source bridge=\"br-blue\"/>`). At most 15 letters; not `lo`, `all`, `default`, `clusterd-new` " +
			"or `clvx` and a number",
	},
	{
		Name:   "mtu",
		Effect: keys.Now,
		Read: func(n *Networks, of *resources.Network) func(*yaml.Node) {
			return n.reader.Number(&of.MTU, "mtu of network "+of.Name, leastMTU, mostMTU)
		},
		Default: "what fits",
		Means: "the largest packet in bytes, 1280 or more. VXLAN needs 50 bytes of each packet of the way between the " +
			"nodes (70 over IPv6). Hosts whose ways differ must be given one",
	},
}

// Network reads one network.
func (n *Networks) Network(name string, key, value *yaml.Node) {
	if !n.reader.GoodName(key, "network", name) {
		return
	}
	network := resources.Network{Name: name, Over: resources.OverVXLAN}
	what := "network " + name
	n.reader.Mapping(value, what, keys.Fields(Keys, n, &network))
	if network.VLAN == 0 && value.Kind == yaml.MappingNode {
		n.reader.Fault(key, "%s has no \"vlan\"; give it a number that no other network has, %d to %d", what, firstVLAN,
			lastVLAN)
	}
	if network.Bridge == "" {
		network.Bridge = resources.BridgeOf(name)
		if !interfaceName.MatchString(network.Bridge) {
			n.reader.Fault(key, "%s needs \"bridge\": %q is no name for an interface, which has at most 15 letters", what,
				strict.Brief(network.Bridge))
		}
	}
	if reserved.MatchString(network.Bridge) {
		n.reader.Fault(key, "%s has bridge %s, a name that Linux or clusterd uses for something else; give it another",
			what, network.Bridge)
	}
	n.distinct(key, network)
	n.Declared[name], n.places[name] = network, key
}

func (n *Networks) bridge(of *resources.Network) func(*yaml.Node) {
	what := "bridge of network " + of.Name
	return func(node *yaml.Node) {
		name, ok := n.reader.Word(node, what)
		if ok && !interfaceName.MatchString(name) {
			n.reader.Fault(node, "%s is %q; an interface has at most 15 letters: a-z, A-Z, 0-9, _, . and -, "+
				"the first one a letter", what, strict.Brief(name))
			return
		}
		of.Bridge = name
	}
}

// distinct refuses two networks that guests could not be kept apart in.
func (n *Networks) distinct(key *yaml.Node, network resources.Network) {
	for _, name := range slices.Sorted(maps.Keys(n.Declared)) {
		other := n.Declared[name]
		if other.VLAN == network.VLAN && network.VLAN != 0 {
			n.reader.Fault(key, "network %s has vlan %d, which network %s (line %d) has too; give each network its own",
				network.Name, network.VLAN, name, n.places[name].Line)
		}
		if other.Bridge == network.Bridge {
			n.reader.Fault(key, "network %s has bridge %s, which network %s (line %d) has too; give each network its own",
				network.Name, network.Bridge, name, n.places[name].Line)
		}
	}
}

// Named reads the networks that a service names.
func (n *Networks) Named(into *[]string, service string) func(*yaml.Node) {
	what := "networks of service " + service
	return func(node *yaml.Node) {
		n.reader.Sequence(node, what, func(item *yaml.Node) {
			name, ok := n.reader.Word(item, "a network in "+what)
			switch {
			case !ok:
			case slices.Contains(*into, name):
				n.reader.Fault(item, "%s names %s twice", what, strict.Brief(name))
			default:
				*into = append(*into, name)
				n.uses = append(n.uses, use{service: service, network: name, at: item})
			}
		})
	}
}

// Resolve finds networks that services name and nobody declares.
func (n *Networks) Resolve() {
	for _, u := range n.uses {
		if _, declared := n.Declared[u.network]; !declared {
			n.reader.Fault(u.at, "%s names network %q, which is not declared under networks.%s", u.service,
				strict.Brief(u.network), nearest.Hint(u.network, slices.Sorted(maps.Keys(n.Declared))))
		}
	}
}

// Of are the networks of a service, sorted: those that it names, and those whose bridges a VM's
// interfaces are attached to.
func (n *Networks) Of(named, bridges []string) []string {
	found := slices.Clone(named)
	for name, network := range n.Declared {
		if slices.Contains(bridges, network.Bridge) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Text tells what a network is.
func Text(n resources.Network) string {
	text := fmt.Sprintf("VLAN %d over %s, bridge %s", n.VLAN, n.Over, n.Bridge)
	if n.MTU > 0 {
		text += fmt.Sprintf(", MTU %d", n.MTU)
	}
	return text
}
