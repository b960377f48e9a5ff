package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/resources"
)

// mostRules bounds the services that one service may name in one of its rules.
const mostRules = 64

// serviceUse is a reference of one service to another, and in which rule.
type serviceUse struct {
	use
	rule string
}

// The rules that name other services.
const (
	ruleDepend   = "depend"
	ruleTogether = "together"
	ruleApart    = "apart"
)

// companions reads a list of services.
func (p *parser) companions(into *[]string, service, rule string) func(*yaml.Node) {
	what := rule + " of service " + service
	return func(node *yaml.Node) {
		p.Sequence(node, what, func(item *yaml.Node) {
			if name, ok := p.Word(item, "a service in "+what); ok && p.mayName(item, service, name, rule, *into) {
				*into = append(*into, name)
			}
		})
	}
}

// depend reads a list of services, or of {service: NAME, mode: hard|soft}.
func (p *parser) depend(spec *resources.Spec, node *yaml.Node) {
	what := "depend of service " + spec.Name
	var names []string
	p.Sequence(node, what, func(item *yaml.Node) {
		at, name, mode := item, "", string(resources.Hard)
		if item.Kind == yaml.MappingNode {
			p.Mapping(item, "a dependency of service "+spec.Name, strict.Fields{
				"service": func(value *yaml.Node) {
					at = value
					p.Text(&name, "service")(value)
				},
				"mode": p.Choice(&mode, "mode", string(resources.Hard), string(resources.Soft)),
			})
			if name == "" && at == item {
				p.Fault(item, "a dependency of service %s has no \"service\"; write {service: NAME, mode: soft}", spec.Name)
			}
		} else {
			name, _ = p.Word(item, "a service in "+what)
		}
		if name != "" && p.mayName(at, spec.Name, name, ruleDepend, names) {
			names = append(names, name)
			spec.Depend = append(spec.Depend, resources.Dependency{Service: name, Mode: resources.DependMode(mode)})
		}
	})
}

// mayName remembers a reference to another service, unless it is wrong by itself.
func (p *parser) mayName(at *yaml.Node, service, name, rule string, named []string) bool {
	switch {
	case name == service:
		p.Fault(at, "service %s names itself in %s", service, rule)
	case slices.Contains(named, name):
		p.Fault(at, "%s of service %s names %s twice", rule, service, strict.Brief(name))
	case len(named) >= mostRules:
		p.Fault(at, "%s of service %s names more than %d services", rule, service, mostRules)
	default:
		p.places.serviceUses = append(p.places.serviceUses, serviceUse{use: use{name: name, by: service, at: at}, rule: rule})
		return true
	}
	return false
}

// checkRules finds rules that could never be met, with the place of one of them.
func (p *parser) checkRules() {
	names := slices.Sorted(maps.Keys(p.places.services))
	for _, u := range p.places.serviceUses {
		if p.places.services[u.name] == nil {
			p.Fault(u.at, "%s of service %s names service %q, which is not declared under services.%s", u.rule, u.by,
				strict.Brief(u.name), nearest.Hint(u.name, names))
			continue
		}
		one, other := p.document.Services[u.by], p.document.Services[u.name]
		switch u.rule {
		case ruleDepend:
			p.checkDependency(u, one, other)
		case ruleTogether:
			p.checkTogether(u, one, other)
		}
	}
}

// checkDependency: what is required first may not come later.
func (p *parser) checkDependency(u serviceUse, one, other resources.Spec) {
	if other.Tier > one.Tier {
		p.Fault(u.at, "service %s (tier %d) depends on %s, which starts in the later tier %d: neither could start", u.by,
			one.Tier, u.name, other.Tier)
	}
	if circle := p.circle(u.name, u.by, map[string]bool{}); circle != nil && slices.Min(circle) == u.by {
		// Each circle is told once, where its first service by name closes it.
		p.Fault(u.at, "services depend on each other in a circle, so that none could start first: %s",
			strings.Join(append([]string{u.by}, circle...), " needs "))
	}
}

// circle is the way from one service to another along what they depend on.
func (p *parser) circle(from, to string, seen map[string]bool) []string {
	if from == to {
		return []string{to}
	}
	if seen[from] {
		return nil
	}
	seen[from] = true
	for _, d := range p.document.Services[from].Depend {
		if way := p.circle(d.Service, to, seen); way != nil {
			return append([]string{from}, way...)
		}
	}
	return nil
}

// checkTogether: who must share a node must be able to.
func (p *parser) checkTogether(u serviceUse, one, other resources.Spec) {
	switch {
	case one.Exclusive || other.Exclusive:
		exclusive := u.by
		if other.Exclusive {
			exclusive = u.name
		}
		p.Fault(u.at, "service %s shall run together with %s, but %s is exclusive and shares its node with nobody", u.by,
			u.name, exclusive)
	case slices.Contains(one.Apart, u.name) || slices.Contains(other.Apart, u.by):
		p.Fault(u.at, "service %s shall run together with %s and apart from it", u.by, u.name)
	}
}

// rulesText tells in words what is declared of a service in regard to others.
func rulesText(r resources.Rules) string {
	var texts []string
	if r.Exclusive {
		texts = append(texts, "exclusive")
	}
	if len(r.Depend) > 0 {
		texts = append(texts, "depends on "+dependText(r.Depend))
	}
	if len(r.Together) > 0 {
		texts = append(texts, "together with "+strict.List(r.Together))
	}
	if len(r.Apart) > 0 {
		texts = append(texts, "apart from "+strict.List(r.Apart))
	}
	if r.Tier > 0 {
		texts = append(texts, fmt.Sprintf("tier %d", r.Tier))
	}
	if r.Priority > 0 {
		texts = append(texts, fmt.Sprintf("priority %d", r.Priority))
	}
	if r.StopFailure != "" {
		texts = append(texts, "stop_failure "+string(r.StopFailure))
	}
	return strings.Join(texts, ", ")
}

func dependText(depend []resources.Dependency) string {
	texts := make([]string, 0, len(depend))
	for _, d := range depend {
		texts = append(texts, d.Service+" ("+string(d.Mode)+")")
	}
	return strict.List(texts)
}
