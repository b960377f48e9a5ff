package config

import (
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/resources"
)

// Limits of what a document says about resources.
const (
	mostShared     = 1000
	mostParameters = 100
	mostChecks     = 16
	longestValue   = 4096
	longestWindow  = 365 * 24 * time.Hour
)

// parameterPattern is what a parameter's name looks like: it becomes part of
// the name of an environment variable.
var parameterPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

// shared is a resource declared once under `resources`.
type shared struct {
	resource resources.Resource
	key      *yaml.Node
	uses     []use
}

// pendingTree is a service whose resources are read when all shared ones are known.
type pendingTree struct {
	service   string
	key, list *yaml.Node
}

// sharedResource reads one entry of the document's `resources`.
func (p *parser) sharedResource(name string, key, value *yaml.Node) {
	if !p.GoodName(key, "resource", name) {
		return
	}
	r := resources.Resource{Name: name, Shared: true}
	p.Mapping(value, "resource "+name, keys.Fields(resourceKeys, p, &r))
	at := nodesOf(value)
	p.needType(&r, &at, key, "resource "+name)
	p.unmaskParameters(r, at.parameters)
	p.shared[name] = &shared{resource: r, key: key}
	p.places.resources = append(p.places.resources, ResourcePlace{Type: r.Type, Name: name, Parameters: r.Parameters,
		at: at})
}

// readTrees reads the resources of all services, once what they may refer to is known.
func (p *parser) readTrees() {
	for _, pending := range p.pending {
		spec := p.document.Services[pending.service]
		var nodes []treeNode
		if pending.list != nil {
			spec.Tree, nodes = p.tree(pending.list, "the resources of "+pending.service, pending.service)
		}
		for _, fault := range resources.TreeFaults(spec.Tree) {
			at, label := placeOf(fault.At, spec.Tree, nodes)
			if at == nil {
				at = pending.key
			}
			p.Fault(at, "%s%s", label, fault.Message)
		}
		spec.Tree = resources.Inherit(spec.Short(), spec.Tree)
		spec.Disks = resources.TreeDisks(spec.Tree)
		text, hash := resources.TreeDefinition(spec.Tree)
		spec.Definition, spec.UUID = hash, resources.ServiceUUID(spec.Name)
		p.blobs[hash] = text
		p.places.definitions = append(p.places.definitions, definitionPlace{service: spec.Name, uuid: spec.UUID,
			disks: spec.Disks, at: pending.key})
		p.document.Services[pending.service] = spec
	}
	p.checkShared()
	p.checkNames()
}

// checkShared holds the limits on references.
func (p *parser) checkShared() {
	for _, name := range sortedNames(p.shared) {
		s := p.shared[name]
		most := resources.MaxReferences(s.resource)
		if most == 0 || len(s.uses) <= most {
			continue
		}
		for _, u := range s.uses[most:] {
			p.Fault(u.at, "%s refers to resource %s, which %s (line %d) has already; one of type %s can be in one place only",
				u.by, name, s.uses[0].by, s.uses[0].at.Line, s.resource.Type)
		}
	}
}

// checkNames refuses resources that an agent could not tell apart when their
// services run on one node.
func (p *parser) checkNames() {
	first := map[string]ResourcePlace{}
	for _, r := range p.places.resources {
		label := r.Type + " " + r.Name
		other, taken := first[label]
		switch {
		case !taken:
			first[label] = r
		case other.Service != r.Service:
			p.Fault(r.at.self, "%s of %s has the name of one of %s (line %d); resources of one type need names of their "+
				"own, because agents keep files by them",
				label, orDocument(r.Service), orDocument(other.Service), other.at.self.Line)
		}
	}
}

func orDocument(service string) string {
	if service == "" {
		return "the document's resources"
	}
	return service
}

// treeNode is where a resource of a tree stands.
type treeNode struct {
	at       *yaml.Node
	children []treeNode
}

// placeOf finds the resource that a fault is about.
func placeOf(path []int, tree []resources.Resource, nodes []treeNode) (at *yaml.Node, label string) {
	for _, i := range path {
		at, label = nodes[i].at, tree[i].Label()+" "
		tree, nodes = tree[i].Children, nodes[i].children
	}
	return at, label
}

func (p *parser) tree(list *yaml.Node, what, service string) ([]resources.Resource, []treeNode) {
	var tree []resources.Resource
	var nodes []treeNode
	p.Sequence(list, what, func(item *yaml.Node) {
		r, node, ok := p.resource(item, service)
		if ok {
			tree, nodes = append(tree, r), append(nodes, node)
		}
	})
	return tree, nodes
}

// resourceNodes are where the parts of a resource stand.
type resourceNodes struct {
	self, kind, parameters, reference, name, children *yaml.Node
}

func nodesOf(resource *yaml.Node) resourceNodes {
	return resourceNodes{self: resource, kind: entry(resource, "type"), parameters: entry(resource, "parameters"),
		reference: entry(resource, "ref"), name: entry(resource, "name"), children: entry(resource, "resources")}
}

// resource reads one resource of a service, its own or a reference.
func (p *parser) resource(item *yaml.Node, service string) (resources.Resource, treeNode, bool) {
	var r resources.Resource
	node := treeNode{at: item}
	if item.Kind != yaml.MappingNode {
		p.Fault(item, "a resource of %s must be a mapping, not %s", service, strict.KindOf(item))
		return r, node, false
	}
	p.Mapping(item, "a resource of "+service, keys.Fields(resourceKeys, p, &r))
	at := nodesOf(item)
	ok := false
	if at.reference != nil {
		r, ok = p.refer(r, at, service)
	} else {
		ok = p.needType(&r, &at, item, "a resource of "+service)
		if ok && r.Name == "" {
			r.Name = defaultName(service, r.Type)
		}
		p.unmaskParameters(r, at.parameters)
		p.places.resources = append(p.places.resources, ResourcePlace{Service: service, Type: r.Type, Name: r.Name,
			Parameters: r.Parameters, at: at})
	}
	if at.children != nil {
		r.Children, node.children = p.tree(at.children, "the resources below "+r.Label(), service)
	}
	return r, node, ok
}

// defaultName is the name of a resource that has none: there is one of its type
// in the service, or the document has a fault.
func defaultName(service, kind string) string {
	_, short, _ := strings.Cut(service, ":")
	name := short + "-" + strings.ToLower(kind[strings.LastIndexAny(kind, ":/")+1:])
	clean := strings.Map(func(r rune) rune {
		if strict.NamePattern.MatchString("a" + string(r)) {
			return r
		}
		return '-'
	}, name)
	return clean[:min(len(clean), 63)]
}

// refer takes a shared resource's declaration, with what the place adds to it.
func (p *parser) refer(local resources.Resource, at resourceNodes, service string) (resources.Resource, bool) {
	name, ok := p.Word(at.reference, "ref")
	if !ok {
		return local, false
	}
	if at.kind != nil || at.parameters != nil || at.name != nil {
		p.Fault(at.reference, "a reference of %s to %s has type, name or parameters of its own; they belong to the "+
			"declaration under resources", service, strict.Brief(name))
		return local, false
	}
	s, known := p.shared[name]
	if !known {
		hint := nearest.Hint(name, sortedNames(p.shared))
		p.Fault(at.reference, "%s refers to resource %q, which is not declared under resources.%s Resources that stand "+
			"in a service are private to it", service, strict.Brief(name), hint)
		return local, false
	}
	s.uses = append(s.uses, use{name: name, by: service, at: at.reference})
	r := s.resource
	r.Subtree, r.MaxRestarts, r.RestartExpire = local.Subtree, local.MaxRestarts, local.RestartExpire
	r.MaxFailures, r.FailureExpire = local.MaxFailures, local.FailureExpire
	if local.StartTimeout > 0 {
		r.StartTimeout = local.StartTimeout
	}
	if local.StopTimeout > 0 {
		r.StopTimeout = local.StopTimeout
	}
	if len(local.Checks) > 0 {
		r.Checks = local.Checks
	}
	return r, r.Type != ""
}

// needType holds that a resource names its agent.
func (p *parser) needType(r *resources.Resource, at *resourceNodes, where *yaml.Node, what string) bool {
	switch {
	case at.kind == nil && at.self.Kind == yaml.MappingNode:
		p.Fault(where, "%s has neither type nor ref; write type: \"ocf:heartbeat:IPaddr2\", or ref: NAME of one "+
			"declared under resources", what)
	case at.kind != nil && r.Type != "" && !resources.GoodType(r.Type):
		p.Fault(at.kind, "the type of %s is %q; write ocf:PROVIDER:AGENT, rgmanager:AGENT, systemd:UNIT, lsb:SCRIPT or "+
			"lsb:/PATH/TO/SCRIPT", what, strict.Brief(r.Type))
	default:
		return r.Type != ""
	}
	return false
}

// parameters reads what an agent is told. Numbers and truth values are taken as
// they are written.
func (p *parser) parameters(node *yaml.Node) map[string]string {
	found := map[string]string{}
	p.Entries(node, "parameters", func(key, value *yaml.Node) {
		if !parameterPattern.MatchString(key.Value) {
			p.Fault(key, "%q is not the name of a parameter: use letters, digits, - and _", strict.Brief(key.Value))
			return
		}
		text, ok := p.valueOrFile(node, key, value, "parameter "+key.Value)
		switch {
		case !ok:
		case len(text) > longestValue || strings.ContainsRune(text, 0):
			p.Fault(value, "parameter %s is longer than %d bytes, or has a zero byte", key.Value, longestValue)
		default:
			found[key.Value] = text
		}
	})
	if len(found) > mostParameters {
		p.Fault(node, "there are %d parameters; %d is the most", len(found), mostParameters)
	}
	return found
}

// checks reads `status`, the list that stands in place of the agent's own checks.
func (p *parser) checks(node *yaml.Node) []resources.ResourceCheck {
	var found []resources.ResourceCheck
	depths := map[int]bool{}
	p.Sequence(node, "status", func(item *yaml.Node) {
		c := resources.ResourceCheck{Interval: -1}
		p.Mapping(item, "a status check", keys.Fields(checkKeys, p, &c))
		switch {
		case c.Interval < 0:
			p.Fault(item, "a status check has no interval; write for example interval: 30s, or 0s to switch this depth off")
		case c.Interval > 0 && c.Interval < time.Second:
			p.Fault(item, "a status check has an interval of %s; 1s is the least", c.Interval)
		case depths[c.Depth]:
			p.Fault(item, "there are two status checks of depth %d", c.Depth)
		}
		depths[c.Depth] = true
		found = append(found, c)
	})
	if len(found) > mostChecks {
		p.Fault(node, "there are %d status checks; %d is the most", len(found), mostChecks)
	}
	return found
}
