package config

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/keys"
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

// ruleKeys are the keys of rules between services.
var ruleKeys = []key[resources.Spec]{
	{
		Name:    "exclusive",
		Effect:  EffectNextStart,
		Read:    func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Boolean(&s.Exclusive, "exclusive") },
		Told:    func(s resources.Spec) string { return strconv.FormatBool(s.Exclusive) },
		Shown:   func(s resources.Spec) string { return onlyIf(s.Exclusive, "\n  exclusive") },
		Default: "false",
		Means:   "no other service runs on its node, and it is put only where nothing runs",
	},
	{
		Name:   ruleDepend,
		Effect: EffectNextStart,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return func(node *yaml.Node) { p.depend(s, node) }
		},
		Told: func(s resources.Spec) string { return dependText(s.Depend) },
		Shown: func(s resources.Spec) string {
			return onlyIf(len(s.Depend) > 0, "\n  depends on %s", dependText(s.Depend))
		},
		Means: "a list of services that must be started before it. `\"vm:db\"` is hard: it is stopped when vm:db goes " +
			"down and started after it again. `{service: \"vm:db\", mode: soft}` is soft: vm:db is required at its start only",
	},
	{
		Name:   ruleTogether,
		Effect: EffectNextStart,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.companions(&s.Together, s.Name, ruleTogether)
		},
		Told: func(s resources.Spec) string { return strict.List(s.Together) },
		Shown: func(s resources.Spec) string {
			return onlyIf(len(s.Together) > 0, "\n  together with %s", strict.List(s.Together))
		},
		Means: "a list of services that run on the same node as it",
	},
	{
		Name:   ruleApart,
		Effect: EffectNextStart,
		Read:   func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.companions(&s.Apart, s.Name, ruleApart) },
		Told:   func(s resources.Spec) string { return strict.List(s.Apart) },
		Shown: func(s resources.Spec) string {
			return onlyIf(len(s.Apart) > 0, "\n  apart from %s", strict.List(s.Apart))
		},
		Means: "a list of services that never run on the same node as it",
	},
	{
		Name:    "tier",
		Effect:  EffectNow,
		Read:    func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Number(&s.Tier, "tier", 0, 9) },
		Told:    func(s resources.Spec) string { return strconv.Itoa(s.Tier) },
		Shown:   func(s resources.Spec) string { return onlyIf(s.Tier > 0, "\n  tier %d", s.Tier) },
		Default: "0",
		Means: "0 to 9: services of a tier start when all those of lower tiers are started, and answer their `probe` " +
			"where they have one",
	},
	{
		Name:    "priority",
		Effect:  EffectNow,
		Read:    func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Number(&s.Priority, "priority", 0, 1000) },
		Told:    func(s resources.Spec) string { return strconv.Itoa(s.Priority) },
		Shown:   func(s resources.Spec) string { return onlyIf(s.Priority > 0, "\n  priority %d", s.Priority) },
		Default: "0",
		Means:   "which starts first within a tier, lower numbers first",
	},
	{
		Name:   "stop_failure",
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return choiceOf(p, &s.StopFailure, "stop_failure", resources.LeaveFailed, resources.FenceNode)
		},
		Told:    func(s resources.Spec) string { return string(s.StopFailure) },
		Default: "by kind",
		Means: "what follows a stop that fails: `failed` (a person looks) or `fence` (its node is fenced, and it goes " +
			"on elsewhere). Left out: a VM's node is fenced only when nothing else could ever tell whether it still runs; " +
			"any other service is `failed`",
	},
}

// dependencyKeys are those of a dependency that is written as a mapping. The row of depend explains
// them, and a change is told as one of depend.
var dependencyKeys = []key[resources.Dependency]{
	{
		Name:   "service",
		Effect: EffectNextStart,
		Read:   func(p *parser, d *resources.Dependency) func(*yaml.Node) { return p.Text(&d.Service, "service") },
	},
	{
		Name:   "mode",
		Effect: EffectNextStart,
		Read: func(p *parser, d *resources.Dependency) func(*yaml.Node) {
			return choiceOf(p, &d.Mode, "mode", resources.Hard, resources.Soft)
		},
	},
}

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
		at, d := item, resources.Dependency{Mode: resources.Hard}
		if item.Kind == yaml.MappingNode {
			p.Mapping(item, "a dependency of service "+spec.Name, keys.Fields(dependencyKeys, p, &d))
			if named := entry(item, "service"); named != nil {
				at = named
			} else {
				p.Fault(item, "a dependency of service %s has no \"service\"; write {service: NAME, mode: soft}", spec.Name)
			}
		} else {
			d.Service, _ = p.Word(item, "a service in "+what)
		}
		if d.Service != "" && p.mayName(at, spec.Name, d.Service, ruleDepend, names) {
			names = append(names, d.Service)
			spec.Depend = append(spec.Depend, d)
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

func dependText(depend []resources.Dependency) string {
	texts := make([]string, 0, len(depend))
	for _, d := range depend {
		texts = append(texts, d.Service+" ("+string(d.Mode)+")")
	}
	return strict.List(texts)
}
