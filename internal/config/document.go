package config

import (
	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
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
	p.Mapping(top, "the document", keys.Fields(documentKeys, p, &p.document))
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
