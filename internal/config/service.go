package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/domainxml"
	"github.com/clusterd/clusterd/resources"
)

// longestBudget bounds the time an act on a service may be given.
const longestBudget = 24 * time.Hour

// longestServiceName is rgmanager's: its buffers hold 64 bytes with the end.
const longestServiceName = 63

// choiceOf is choice for words that have a type of their own.
func choiceOf[W ~string](p *parser, into *W, name string, words ...W) func(*yaml.Node) {
	plain := make([]string, len(words))
	for i, word := range words {
		plain[i] = string(word)
	}
	var chosen string
	read := p.Choice(&chosen, name, plain...)
	return func(node *yaml.Node) {
		read(node)
		*into = W(chosen)
	}
}

// changedService tells what changes of a service, key by key.
func changedService(old, new resources.Spec) keys.Changes {
	return keys.Diff(serviceKeys, old.WithDefaults(), new.WithDefaults())
}

// serviceText lists a service: what its keys say, and then what it is made of.
func serviceText(name string, s resources.Spec) string {
	s = s.WithDefaults()
	text := fmt.Sprintf("service %s, UUID %s, definition %s", name, s.UUID, short(s.Definition)) +
		keys.Show(serviceKeys, s, "\n  ") + treeText(s.Tree)
	if disks := disksText(s.Disks); disks != "" {
		text += "\n  disks " + disks
	}
	return text
}

// service reads one service.
func (p *parser) service(name string, key, value *yaml.Node) {
	if !p.goodServiceName(key, name) {
		return
	}
	p.places.services[name] = key
	spec := resources.Spec{Name: name, Autostart: true}
	what := "service " + name
	p.Mapping(value, what, keys.Fields(serviceKeys, p, &spec))
	inline, file := entry(value, "definition"), entry(value, "definition_file")
	switch {
	case spec.Kind() == resources.KindService:
		p.pending = append(p.pending, pendingTree{service: name, key: key, list: entry(value, "resources")})
	case inline != nil && file != nil:
		p.Fault(file, "%s has both definition and definition_file; keep one", what)
	case inline != nil:
		if text, ok := p.Word(inline, "the definition of "+what); ok {
			p.define(&spec, text, inline, "")
		}
	case file != nil:
		if text, ok := p.contents(file, "the definition_file of "+what); ok {
			p.replace(value, file, "definition", text)
			p.define(&spec, text, file, file.Value)
		}
	case value.Kind == yaml.MappingNode:
		p.Fault(key, "%s has neither definition nor definition_file: a VM needs its libvirt XML", what)
	default:
	}
	p.document.Services[name] = spec
}

func (p *parser) goodServiceName(key *yaml.Node, name string) bool {
	kind, short, found := strings.Cut(name, ":")
	switch {
	case !found:
		p.Fault(key, "service %q has no type; write vm:%s for a virtual machine, or service:%s for a service "+
			"made of resources", strict.Brief(name), strict.Brief(name), strict.Brief(name))
	case kind != resources.KindVM && kind != resources.KindService:
		p.Fault(key, "service %q: there are services of type vm and service; write vm:NAME or service:NAME",
			strict.Brief(name))
	case len(name) > longestServiceName:
		p.Fault(key, "service %q: a name has at most %d letters with its type", strict.Brief(name), longestServiceName)
	default:
		return p.GoodName(key, "service", short)
	}
	return false
}

// probe reads how the guest is asked whether it answers.
func (p *parser) probe(into *string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, ok := p.Word(node, "probe")
		if !ok {
			return
		}
		network, address, found := strings.Cut(value, ":")
		if !found || (network != "udp" && network != "tcp") || !strings.Contains(address, ":") ||
			strict.HostPort(address) != nil {
			p.Fault(node, "probe is %q; write udp:ADDRESS:PORT or tcp:ADDRESS:PORT", strict.Brief(value))
			return
		}
		*into = value
	}
}

// define takes what the cluster must know of a VM out of its XML, and keeps the XML as a blob.
func (p *parser) define(spec *resources.Spec, text string, at *yaml.Node, file string) {
	sum := sha256.Sum256([]byte(text))
	spec.Definition = hex.EncodeToString(sum[:])
	found, faults := domainxml.Read(text)
	for _, f := range faults {
		switch {
		case !f.Policy || !p.history && !p.inForce(spec.Definition):
			p.definitionFault(spec.Name, at, file, f)
		case !p.history:
			p.warn(at, "the definition of %s %s", spec.Name, f.Message)
		}
	}
	spec.UUID, spec.Disks, spec.Bonds = found.UUID, found.Disks, found.Bonds
	declared := spec.Demand
	spec.Demand = found.Demand
	if declared.Memory > 0 {
		spec.Demand.Memory = declared.Memory
	}
	if declared.CPUs > 0 {
		spec.Demand.CPUs = declared.CPUs
	}
	p.blobs[spec.Definition] = text
	p.places.definitions = append(p.places.definitions,
		definitionPlace{service: spec.Name, title: found.Title, uuid: found.UUID, disks: found.Disks, bridges: found.Bridges,
			at: at})
}

// inForce reports whether a VM of the document in force has this very definition: what should not
// be taken in is there already, and a change of something else is not held up by it.
func (p *parser) inForce(definition string) bool {
	if p.previous == nil {
		return false
	}
	for _, spec := range p.previous.Services {
		if spec.Definition == definition {
			return true
		}
	}
	return false
}

// definitionFault places a fault of the XML: on its own line where the XML stands in the
// document as a block.
func (p *parser) definitionFault(service string, at *yaml.Node, file string, f domainxml.Fault) {
	switch {
	case file != "":
		p.Faults.Add(strict.Fault{File: p.File, Line: at.Line, Column: at.Column,
			Message: "the definition of " + service + " (" + file + f.LineText() + ") " + f.Message})
	case at.Style&yaml.LiteralStyle != 0 && f.Line > 0:
		p.Faults.Add(strict.Fault{File: p.File, Line: at.Line + f.Line, Column: at.Column,
			Message: "the definition of " + service + " " + f.Message})
	default:
		p.Fault(at, "the definition of %s%s %s", service, f.LineText(), f.Message)
	}
}
