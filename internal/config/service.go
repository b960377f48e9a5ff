package config

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/resources"
)

// longestBudget bounds the time an act on a service may be given.
const longestBudget = 24 * time.Hour

// longestServiceName is rgmanager's: its buffers hold 64 bytes with the end.
const longestServiceName = 63

// service reads one service.
func (p *parser) service(name string, key, value *yaml.Node) {
	if !p.goodServiceName(key, name) {
		return
	}
	p.places.services[name] = key
	spec := resources.Spec{Name: name, Autostart: true}
	var recovery string
	var inline, file *yaml.Node
	what := "service " + name
	known := p.withRules(&spec, fields{
		"domain":              p.domainOf(&spec.Domain, name),
		"storage_only":        p.boolean(&spec.StorageOnly, "storage_only"),
		"autostart":           p.boolean(&spec.Autostart, "autostart"),
		"recovery":            p.choice(&recovery, "recovery", "restart", "relocate", "disable", "restart-disable"),
		"max_restarts":        p.number(&spec.MaxRestarts, "max_restarts", 0, 100),
		"restart_expire_time": p.duration(&spec.RestartExpire, "restart_expire_time", 0, 365*24*time.Hour),
		"start_timeout":       p.duration(&spec.StartTimeout, "start_timeout", time.Second, longestBudget),
		"stop_timeout":        p.duration(&spec.StopTimeout, "stop_timeout", time.Second, longestBudget),
		"destroy_timeout":     p.duration(&spec.DestroyTimeout, "destroy_timeout", time.Second, longestBudget),
		"migrate_timeout":     p.duration(&spec.MigrateTimeout, "migrate_timeout", time.Second, longestBudget),
		"probe":               p.probe(&spec.Probe),
		"definition":          func(node *yaml.Node) { inline = node },
		"definition_file":     func(node *yaml.Node) { file = node },
	})
	tree := pendingTree{service: name, key: key}
	if spec.Kind() == resources.KindService {
		for _, ofVMs := range []string{"definition", "definition_file", "migrate_timeout"} {
			delete(known, ofVMs)
		}
		known["resources"] = func(node *yaml.Node) { tree.list = node }
		known["storage_only"] = func(node *yaml.Node) {
			p.fault(node, "%s: storage_only is for VMs; what a service made of resources does besides writing to disks "+
				"goes on when its node is cut off, so it is started elsewhere only when that is off or was reset. Name a BMC "+
				"or a watchdog as a further fence level", what)
		}
	}
	p.mapping(value, what, known)
	spec.Recovery = resources.Recovery(recovery)
	switch {
	case spec.Kind() == resources.KindService:
		p.pending = append(p.pending, tree)
	case inline != nil && file != nil:
		p.fault(file, "%s has both definition and definition_file; keep one", what)
	case inline != nil:
		if text, ok := p.word(inline, "the definition of "+what); ok {
			p.define(&spec, text, inline, "")
		}
	case file != nil:
		if text, ok := p.contents(file, "the definition_file of "+what); ok {
			p.replace(value, file, "definition", text)
			p.define(&spec, text, file, file.Value)
		}
	case value.Kind == yaml.MappingNode:
		p.fault(key, "%s has neither definition nor definition_file: a VM needs its libvirt XML", what)
	default:
	}
	p.document.Services[name] = spec
}

func (p *parser) goodServiceName(key *yaml.Node, name string) bool {
	kind, short, found := strings.Cut(name, ":")
	switch {
	case !found:
		p.fault(key, "service %q has no type; write vm:%s for a virtual machine, or service:%s for a service "+
			"made of resources", brief(name), brief(name), brief(name))
	case kind != resources.KindVM && kind != resources.KindService:
		p.fault(key, "service %q: there are services of type vm and service; write vm:NAME or service:NAME", brief(name))
	case len(name) > longestServiceName:
		p.fault(key, "service %q: a name has at most %d letters with its type", brief(name), longestServiceName)
	default:
		return p.goodName(key, "service", short)
	}
	return false
}

func (p *parser) domainOf(into *string, service string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if name, ok := p.word(node, "domain"); ok {
			*into = name
			p.places.domainUses = append(p.places.domainUses, use{name: name, by: service, at: node})
		}
	}
}

// probe reads how the guest is asked whether it answers.
func (p *parser) probe(into *string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, ok := p.word(node, "probe")
		if !ok {
			return
		}
		network, address, found := strings.Cut(value, ":")
		if !found || (network != "udp" && network != "tcp") || !strings.Contains(address, ":") || hostPort(address) != nil {
			p.fault(node, "probe is %q; write udp:ADDRESS:PORT or tcp:ADDRESS:PORT", brief(value))
			return
		}
		*into = value
	}
}

// define takes what the cluster must know of a VM out of its XML, and keeps the XML as a blob.
func (p *parser) define(spec *resources.Spec, text string, at *yaml.Node, file string) {
	found, faults := readDefinition(text)
	for _, f := range faults {
		p.definitionFault(spec.Name, at, file, f)
	}
	spec.UUID, spec.Disks, spec.Bonds = found.uuid, found.disks, found.bonds
	sum := sha256.Sum256([]byte(text))
	spec.Definition = hex.EncodeToString(sum[:])
	p.blobs[spec.Definition] = text
	p.places.definitions = append(p.places.definitions,
		definitionPlace{service: spec.Name, title: found.title, uuid: found.uuid, disks: found.disks, at: at})
}

// definitionFault places a fault of the XML: on its own line where the XML stands in the
// document as a block.
func (p *parser) definitionFault(service string, at *yaml.Node, file string, f definitionFault) {
	switch {
	case file != "":
		p.faults.add(Fault{File: p.file, Line: at.Line, Column: at.Column,
			Message: "the definition of " + service + " (" + file + f.lineText() + ") " + f.message})
	case at.Style&yaml.LiteralStyle != 0 && f.line > 0:
		p.faults.add(Fault{File: p.file, Line: at.Line + f.line, Column: at.Column,
			Message: "the definition of " + service + " " + f.message})
	default:
		p.fault(at, "the definition of %s%s %s", service, f.lineText(), f.message)
	}
}
