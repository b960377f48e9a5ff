package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/domainxml"
	"github.com/clusterd/clusterd/resources"
)

// longestBudget bounds the time an act on a service may be given.
const longestBudget = 24 * time.Hour

// longestServiceName is rgmanager's: its buffers hold 64 bytes with the end.
const longestServiceName = 63

// serviceKey is a key of a service: how it is read, how its value is told when it changes ("" is
// none), and what a change means for what runs. What the key is for stands in the reference
// (docs/operators/configuration.md), where a test looks for it.
type serviceKey struct {
	name string
	// live: only what moves live has it.
	live   bool
	read   func(p *parser, into *resources.Spec) func(*yaml.Node)
	told   func(of resources.Spec) string
	effect Effect
}

// serviceKeys are the keys of services but for what they are made of: a definition, or resources.
var serviceKeys = []serviceKey{
	{name: "domain", effect: EffectNow, told: func(s resources.Spec) string { return s.Domain },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.domainOf(&s.Domain, s.Name) }},
	{name: "autostart", effect: EffectNow, told: func(s resources.Spec) string { return fmt.Sprint(s.Autostart) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Boolean(&s.Autostart, "autostart") }},
	{name: "recovery", effect: EffectNow, told: func(s resources.Spec) string { return string(s.Recovery) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return choiceOf(p, &s.Recovery, "recovery", resources.Restart, resources.Relocate, resources.Disable,
				resources.RestartDisable)
		}},
	{name: "max_restarts", effect: EffectNow, told: func(s resources.Spec) string { return strconv.Itoa(s.MaxRestarts) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Number(&s.MaxRestarts, "max_restarts", 0, 100)
		}},
	{name: "restart_expire_time", effect: EffectNow,
		told: func(s resources.Spec) string { return s.RestartExpire.String() },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Duration(&s.RestartExpire, "restart_expire_time", 0, 365*24*time.Hour)
		}},
	budget("start_timeout", func(s *resources.Spec) *time.Duration { return &s.StartTimeout }),
	budget("stop_timeout", func(s *resources.Spec) *time.Duration { return &s.StopTimeout }),
	budget("destroy_timeout", func(s *resources.Spec) *time.Duration { return &s.DestroyTimeout }),
	ofLive(budget("migrate_timeout", func(s *resources.Spec) *time.Duration { return &s.MigrateTimeout })),
	{name: "migration", live: true, effect: EffectNow, told: func(s resources.Spec) string { return s.Migration.String() },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return func(node *yaml.Node) { p.migration(&s.Migration, node) }
		}},
	{name: "storage_only", effect: EffectNow, told: func(s resources.Spec) string { return fmt.Sprint(s.StorageOnly) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Boolean(&s.StorageOnly, "storage_only") }},
	{name: "probe", effect: EffectNow, told: func(s resources.Spec) string { return s.Probe },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.probe(&s.Probe) }},

	{name: "networks", effect: EffectNextStart, told: func(s resources.Spec) string { return strict.List(s.Networks) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.networks.Named(&s.Networks, s.Name) }},

	{name: "memory", effect: EffectNow, told: func(s resources.Spec) string { return memoryText(s.Demand) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Size((*uint64)(&s.Demand.Memory), "memory", uint64(resources.MiB), largestMemory)
		}},
	{name: "vcpus", effect: EffectNow, told: func(s resources.Spec) string { return strconv.Itoa(s.Demand.CPUs) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Number(&s.Demand.CPUs, "vcpus", 1, mostCPUs)
		}},

	{name: "exclusive", effect: EffectNextStart, told: func(s resources.Spec) string { return fmt.Sprint(s.Exclusive) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Boolean(&s.Exclusive, "exclusive") }},
	{name: ruleDepend, effect: EffectNextStart, told: func(s resources.Spec) string { return dependText(s.Depend) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return func(node *yaml.Node) { p.depend(s, node) }
		}},
	{name: ruleTogether, effect: EffectNextStart, told: func(s resources.Spec) string { return strict.List(s.Together) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.companions(&s.Together, s.Name, ruleTogether)
		}},
	{name: ruleApart, effect: EffectNextStart, told: func(s resources.Spec) string { return strict.List(s.Apart) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.companions(&s.Apart, s.Name, ruleApart) }},
	{name: "tier", effect: EffectNow, told: func(s resources.Spec) string { return strconv.Itoa(s.Tier) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Number(&s.Tier, "tier", 0, 9) }},
	{name: "priority", effect: EffectNow, told: func(s resources.Spec) string { return strconv.Itoa(s.Priority) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Number(&s.Priority, "priority", 0, 1000) }},
	{name: "stop_failure", effect: EffectNow, told: func(s resources.Spec) string { return string(s.StopFailure) },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return choiceOf(p, &s.StopFailure, "stop_failure", resources.LeaveFailed, resources.FenceNode)
		}},
}

// memoryText tells exactly how much memory a service takes; "" is none.
func memoryText(d resources.Demand) string {
	var texts []string
	if d.Memory > 0 {
		texts = append(texts, fmt.Sprintf("%d MiB", d.Memory/resources.MiB))
	}
	if d.Huge > 0 {
		texts = append(texts, fmt.Sprintf("%d MiB in huge pages", d.Huge/resources.MiB))
	}
	return strings.Join(texts, " and ")
}

// migration reads how a VM is moved live.
func (p *parser) migration(into *resources.Migration, node *yaml.Node) {
	p.Mapping(node, "migration", strict.Fields{
		resources.MoveModeKey: choiceOf(p, &into.Mode, resources.MoveModeKey, resources.MovePreCopy,
			resources.MoveHybrid, resources.MovePostCopy),
		resources.MoveAutoConverge: p.Boolean(&into.AutoConverge, resources.MoveAutoConverge),
		resources.MoveCompression:  p.Boolean(&into.Compression, resources.MoveCompression),
		resources.MoveBandwidth: p.Number(&into.Bandwidth, resources.MoveBandwidth, resources.SlowestMove,
			resources.FastestMove),
		resources.MoveDowntime: p.Duration(&into.Downtime, resources.MoveDowntime, resources.ShortestDowntime,
			resources.LongestDowntime),
	})
}

// budget is a key that bounds the time of an act.
func budget(name string, of func(*resources.Spec) *time.Duration) serviceKey {
	return serviceKey{name: name, effect: EffectNow, told: func(s resources.Spec) string { return of(&s).String() },
		read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Duration(of(s), name, time.Second, longestBudget)
		}}
}

func ofLive(k serviceKey) serviceKey {
	k.live = true
	return k
}

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
func changedService(old, new resources.Spec) changes {
	old, new = old.WithDefaults(), new.WithDefaults()
	var told changes
	if old.UUID != new.UUID {
		told = told.and(EffectNow, "the UUID changes from %s to %s: this is another VM; the old one is remembered until it "+
			"is known to run nowhere", old.UUID, new.UUID)
	}
	if new.Traits().Parts {
		told = append(told, changedTree(old.Tree, new.Tree)...)
	} else if old.Definition != new.Definition {
		told = told.and(EffectNextStart, "the definition changes from %s to %s; a running VM is not restarted, the new "+
			"definition counts from its next start", short(old.Definition), short(new.Definition))
	}
	told = note(told, "disks", disksText(old.Disks), disksText(new.Disks))
	for _, k := range serviceKeys {
		was, is := k.told(old), k.told(new)
		if was == is {
			continue
		}
		told = note(told, k.name, was, is)
		if last := &told[len(told)-1]; k.effect == EffectNextStart {
			last.Effect = EffectNextStart
			last.Text += " (what runs stays where it is; the rule counts from the next start or move)"
		}
	}
	return told
}

// service reads one service.
func (p *parser) service(name string, key, value *yaml.Node) {
	if !p.goodServiceName(key, name) {
		return
	}
	p.places.services[name] = key
	spec := resources.Spec{Name: name, Autostart: true}
	var inline, file *yaml.Node
	what := "service " + name
	known := strict.Fields{}
	for _, k := range serviceKeys {
		if !k.live || spec.Traits().Live {
			known[k.name] = k.read(p, &spec)
		}
	}
	tree := pendingTree{service: name, key: key}
	if spec.Kind() == resources.KindService {
		known["resources"] = func(node *yaml.Node) { tree.list = node }
		known["storage_only"] = func(node *yaml.Node) {
			p.Fault(node, "%s: storage_only is for VMs; what a service made of resources does besides writing to disks "+
				"goes on when its node is cut off, so it is started elsewhere only when that is off or was reset. Name a BMC "+
				"or a watchdog as a further fence level", what)
		}
	} else {
		known["definition"] = func(node *yaml.Node) { inline = node }
		known["definition_file"] = func(node *yaml.Node) { file = node }
	}
	p.Mapping(value, what, known)
	switch {
	case spec.Kind() == resources.KindService:
		p.pending = append(p.pending, tree)
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

func (p *parser) domainOf(into *string, service string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if name, ok := p.Word(node, "domain"); ok {
			*into = name
			p.places.domainUses = append(p.places.domainUses, use{name: name, by: service, at: node})
		}
	}
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
