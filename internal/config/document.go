package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/nets"
	"github.com/clusterd/clusterd/internal/config/placing"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/resources"
)

// Limits of a document. They are far above what one cluster holds and keep one document from
// filling the log.
const (
	largestDocument = 8 << 20
	largestFile     = 1 << 20
	mostNodes       = 256
	mostDomains     = 1000
	mostServices    = 10000
	mostLevels      = 8

	largestMemory = 64 << 40
	mostCPUs      = 8192
	// The bounds of what may be promised of what a node has, in percent.
	mostMemoryOvercommit = 1000
	leastCPUOvercommit   = 10
	mostCPUOvercommit    = 10000
)

// Drivers are the fence drivers a device may name.
var Drivers = fence.Drivers()

// Timings are the timing profiles a document may name.
var Timings = []string{"fast", "normal", "relaxed"}

// Parsed is a document that has no fault.
type Parsed struct {
	Document cluster.Document
	// Blobs are the VM definitions by the SHA-256 (hex) of their text.
	Blobs map[string]string
	// Text is the document that means the same without any file and without masks: contents of
	// files and passwords that were kept are written in. It is secret.
	Text string
	// Warnings are what is no fault, and what somebody should know.
	Warnings strict.Faults
}

// parser reads one document.
type parser struct {
	strict.Reader
	readFile func(path string) ([]byte, error)
	previous *cluster.Document
	// keepMasks leaves a masked password for the daemon, which knows the old one.
	keepMasks bool
	// history: the document was in force once, and is only read for what it said.
	history bool

	document cluster.Document
	blobs    map[string]string
	edits    []rewrite.Edit
	places   places
	networks *nets.Networks
	warnings strict.Faults
	// rules are what is said of where services may run, once all of it is read.
	rules *placing.Rules
	// shared are the resources that services refer to, and pending the services
	// whose resources are read once all of these are known.
	shared  map[string]*shared
	pending []pendingTree
}

// Parse reads and checks a cluster document. name is used in messages. readFile reads the files
// that the document names; nil refuses such documents. previous is the document in force, from
// which masked passwords are kept; nil refuses masks.
//
// The error is *strict.Faults.
func Parse(name string, text []byte, readFile func(path string) ([]byte, error), previous *cluster.Document) (Parsed,
	error) {
	p := parser{Reader: strict.Reader{File: name}, readFile: readFile, previous: previous}
	return p.parse(text)
}

// ParseHistory reads a document that was in force once, for what it said. What should not be taken
// in today is no fault of it, nor is a wish that cannot be fulfilled.
//
// The error is *strict.Faults.
func ParseHistory(name string, text []byte) (Parsed, error) {
	p := parser{Reader: strict.Reader{File: name}, history: true}
	return p.parse(text)
}

// Prepare checks a document on the administrator's side and returns the text to send: with the
// contents of all files it names written in, so that it means the same on every node. Masked
// passwords are left for the daemon to fill in.
//
// The error is *strict.Faults.
func Prepare(name string, text []byte, readFile func(path string) ([]byte, error)) (Parsed, error) {
	p := parser{Reader: strict.Reader{File: name}, readFile: readFile, keepMasks: true}
	return p.parse(text)
}

// leastStopGrace is the grace of a daemon that fell silent without a word: one that was stopped
// on purpose has no less.
const leastStopGrace = 15 * time.Second

func (p *parser) parse(text []byte) (Parsed, error) {
	p.blobs = map[string]string{}
	p.places = newPlaces()
	p.shared = map[string]*shared{}
	p.networks = nets.New(&p.Reader)
	p.document = cluster.Document{
		Timing:   "normal",
		Nodes:    map[string]cluster.NodeSpec{},
		Domains:  map[string]domain.Domain{},
		Devices:  map[string]fence.Device{},
		Services: map[string]resources.Spec{},
	}
	top, ok := p.Load(text, largestDocument)
	if !ok {
		return Parsed{}, p.Faults.Failure()
	}
	p.Mapping(top, "the document", strict.Fields{
		"cluster":   p.Name(&p.document.Cluster, "cluster"),
		"timing":    p.Choice(&p.document.Timing, "timing", Timings...),
		"fencing":   p.fencing,
		"nodes":     p.section("nodes", mostNodes, p.node),
		"devices":   p.section("devices", mostNodes*mostLevels, p.device),
		"domains":   p.section("domains", mostDomains, p.domain),
		"services":  p.section("services", mostServices, p.service),
		"resources": p.section("resources", mostShared, p.sharedResource),
		"alerts":    p.section("alerts", mostAlerts, p.alert),
		"networks":  p.section("networks", nets.Most, p.networks.Network),

		"two_node":      p.twoNode,
		"web":           p.web,
		"start_at_once": p.Number(&p.document.StartAtOnce, "start_at_once", 1, mostServices),
		"stop_grace":    p.Duration(&p.document.StopGrace, "stop_grace", leastStopGrace, longestBudget),

		"reserve_memory":    p.reserveMemory(&p.document.Allowance, "reserve_memory"),
		"memory_overcommit": p.Ratio(&p.document.Allowance.Memory, "memory_overcommit", 100, mostMemoryOvercommit),
		"cpu_overcommit":    p.Ratio(&p.document.Allowance.CPUs, "cpu_overcommit", leastCPUOvercommit, mostCPUOvercommit),
	})
	p.readTrees()
	if p.document.Cluster == "" && len(p.Faults.List) == 0 {
		p.Fault(top, "the document has no \"cluster\"; give the cluster's name, for example cluster: alpha")
	}
	p.checkReferences()
	if err := p.Faults.Failure(); err != nil {
		return Parsed{}, err
	}
	if !p.history {
		p.checkWarnings()
	}
	written, err := rewrite.Apply(string(text), top, p.edits)
	if err != nil {
		p.Faults.Add(strict.Fault{File: p.File, Message: err.Error()})
		return Parsed{}, p.Faults.Failure()
	}
	return Parsed{Document: p.document, Blobs: p.blobs, Text: written, Warnings: p.warned()}, nil
}

// web reads how the page is served.
func (p *parser) web(node *yaml.Node) {
	var web cluster.Web
	p.Mapping(node, "web", strict.Fields{
		"listen":      p.Text(&web.Listen, "the listen of web"),
		"certificate": p.Text(&web.Certificate, "the certificate of web"),
		"key":         p.Text(&web.Key, "the key of web"),
	})
	host, port, err := net.SplitHostPort(web.Listen)
	number, notNumber := strconv.ParseUint(port, 10, 16)
	_, notAddress := netip.ParseAddr(host)
	switch {
	case node.Kind != yaml.MappingNode:
		return
	case err != nil || notNumber != nil || number == 0 || host != "" && notAddress != nil:
		p.Fault(node, "the listen of web is %q; write \":PORT\" for each node's own address, or \"ADDRESS:PORT\", for "+
			"example listen: \":7444\"", strict.Brief(web.Listen))
	case (web.Certificate == "") != (web.Key == ""):
		p.Fault(node, "web has one of certificate and key; give both, or none for a certificate of the cluster's authority")
	case web.Certificate != "" && !(filepath.IsAbs(web.Certificate) && filepath.IsAbs(web.Key)):
		p.Fault(node, "certificate and key of web are files on each node; write their whole paths, beginning with /")
	}
	p.document.Web = &web
}

// section reads a mapping from names to declarations. An empty section is a section with nothing
// in it.
func (p *parser) section(what string, most int, read func(name string, key, value *yaml.Node)) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" {
			return
		}
		if node.Kind == yaml.MappingNode && len(node.Content)/2 > most {
			p.Fault(node, "%s has %d entries; %d is the most", what, len(node.Content)/2, most)
			return
		}
		p.Entries(node, what, func(key, value *yaml.Node) { read(key.Value, key, value) })
	}
}

func (p *parser) node(name string, key, value *yaml.Node) {
	if !p.GoodName(key, "node", name) {
		return
	}
	p.places.nodes[name] = key
	var spec cluster.NodeSpec
	if value.ShortTag() != "!!null" {
		p.Mapping(value, "node "+name, strict.Fields{
			"site":  p.Name(&spec.Site, "site"),
			"fence": func(levels *yaml.Node) { spec.Fence = p.levels(name, levels) },

			"reserve_memory": p.reserveMemory(&spec.Allowance, "reserve_memory of node "+name),
			"memory_overcommit": p.Ratio(&spec.Allowance.Memory, "memory_overcommit of node "+name, 100,
				mostMemoryOvercommit),
			"cpu_overcommit": p.Ratio(&spec.Allowance.CPUs, "cpu_overcommit of node "+name, leastCPUOvercommit,
				mostCPUOvercommit),
		})
	}
	p.document.Nodes[name] = spec
}

// reserveMemory reads how much memory of a node is kept from services.
func (p *parser) reserveMemory(into *cluster.Allowance, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		var bytes uint64
		p.Size(&bytes, what, 0, largestMemory)(node)
		reserve := resources.Bytes(bytes)
		into.Reserve = &reserve
	}
}

// levels reads a list of levels, each a list of devices.
func (p *parser) levels(node string, list *yaml.Node) []fence.Level {
	var levels []fence.Level
	what := "fence of node " + node
	p.Sequence(list, what, func(item *yaml.Node) {
		if item.Kind == yaml.ScalarNode {
			p.Fault(item, "%s is a list of levels, each a list of devices; write [[%s]]", what, strict.Brief(item.Value))
			return
		}
		var level fence.Level
		p.Sequence(item, "a level in "+what, func(device *yaml.Node) {
			if name, ok := p.Word(device, "a device in "+what); ok {
				level.Devices = append(level.Devices, name)
				p.places.deviceUses = append(p.places.deviceUses, use{name: name, by: node, at: device})
			}
		})
		if item.Kind == yaml.SequenceNode && len(item.Content) == 0 {
			p.Fault(item, "a level in %s has no device", what)
		}
		levels = append(levels, level)
	})
	if len(levels) > mostLevels {
		p.Fault(list, "%s has %d levels; %d is the most", what, len(levels), mostLevels)
	}
	return levels
}

func (p *parser) domain(name string, key, value *yaml.Node) {
	if !p.GoodName(key, "domain", name) {
		return
	}
	p.places.domains[name] = key
	d := domain.Domain{Name: name}
	members := false
	p.Mapping(value, "domain "+name, strict.Fields{
		"ordered":    p.Boolean(&d.Ordered, "ordered"),
		"restricted": p.Boolean(&d.Restricted, "restricted"),
		"nofailback": p.Boolean(&d.NoFailback, "nofailback"),
		"members": func(node *yaml.Node) {
			members = true
			d.Members = p.members(name, node)
		},
	})
	if !members && value.Kind == yaml.MappingNode {
		p.Fault(key, "domain %s has no members", name)
	}
	p.document.Domains[name] = d
}

// members reads {node1: 1, node2: 2} or [node1, node2].
func (p *parser) members(name string, node *yaml.Node) []domain.Member {
	var found []domain.Member
	what := "members of domain " + name
	keep := func(at *yaml.Node, member domain.Member) {
		for _, other := range found {
			if other.Node == member.Node {
				p.Fault(at, "%q appears twice in %s", member.Node, what)
				return
			}
		}
		found = append(found, member)
		p.places.nodeUses = append(p.places.nodeUses, use{name: member.Node, by: "domain " + name, at: at})
	}
	switch node.Kind {
	case yaml.MappingNode:
		p.Entries(node, what, func(key, value *yaml.Node) {
			member := domain.Member{Node: key.Value}
			if value.ShortTag() != "!!null" {
				p.Number(&member.Priority, "the priority of "+key.Value+" in domain "+name, 1, 100)(value)
			}
			keep(key, member)
		})
	case yaml.SequenceNode:
		p.Sequence(node, what, func(item *yaml.Node) {
			if member, ok := p.Word(item, "a member of domain "+name); ok {
				keep(item, domain.Member{Node: member})
			}
		})
	default:
		p.Fault(node, "%s must be a list of nodes or a mapping from node to priority, not %s", what, strict.KindOf(node))
		return nil
	}
	if len(node.Content) == 0 {
		p.Fault(node, "domain %s has no members", name)
	}
	return found
}
