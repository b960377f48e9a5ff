package config

import (
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/resources"
)

// resourceKeys are the keys of a resource. A change of them is told by what becomes of the tree
// (changedTree), which alone shows what else must be stopped for it.
var resourceKeys = []key[resources.Resource]{
	{
		Name:   "type",
		Effect: EffectStart,
		Read:   func(p *parser, r *resources.Resource) func(*yaml.Node) { return p.Text(&r.Type, "type") },
		Means:  "the agent; needed, unless there is a `ref`",
	},
	{
		// It is read once all of the resource's keys are there.
		Name:   "ref",
		Only:   standsInService,
		Effect: EffectStart,
		Means:  "the name of a resource under `resources`, in place of `type`, `name` and `parameters`",
	},
	{
		Name:    "name",
		Only:    standsInService,
		Effect:  EffectStart,
		Read:    func(p *parser, r *resources.Resource) func(*yaml.Node) { return p.Name(&r.Name, "name") },
		Default: "made of service and type",
		Means:   "tells resources of one type apart; two of one type in a service need names",
	},
	{
		Name:   "parameters",
		Effect: EffectRestart,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return func(node *yaml.Node) { r.Parameters = p.parameters(node) }
		},
		Means: "what the agent is told, by the agent's own names",
	},
	{
		Name:   "subtree",
		Only:   standsInService,
		Effect: EffectNow,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return choiceOf(p, &r.Subtree, "subtree", resources.Independent, resources.NonCritical)
		},
		Default: "critical",
		Means: "`independent`: a failure restarts this resource and what is below it, in place; only when that fails, " +
			"the service has failed. `non-critical`: it is stopped and left down, and the service goes on as *partial*",
	},
	{
		Name:   "max_restarts",
		Only:   standsInService,
		Effect: EffectNow,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return p.Number(&r.MaxRestarts, "max_restarts", 0, 100)
		},
		Default: "none",
		Means: "so many restarts of the subtree within the time are tolerated; then the service fails, or a " +
			"non-critical subtree stays down. Both or neither",
	},
	{
		Name:   "restart_expire_time",
		Beside: "max_restarts",
		Only:   standsInService,
		Effect: EffectNow,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return p.Duration(&r.RestartExpire, "restart_expire_time", 0, longestWindow)
		},
	},
	{
		Name:   "max_failures",
		Only:   standsInService,
		Effect: EffectNow,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return p.Number(&r.MaxFailures, "max_failures", 0, 100)
		},
		Default: "none",
		Means:   "so many failed checks within the time are tolerated before they count as one failure. Both or neither",
	},
	{
		Name:   "failure_expire_time",
		Beside: "max_failures",
		Only:   standsInService,
		Effect: EffectNow,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return p.Duration(&r.FailureExpire, "failure_expire_time", 0, longestWindow)
		},
	},
	{
		Name:   "start_timeout",
		Effect: EffectNow,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return p.Duration(&r.StartTimeout, "start_timeout", time.Second, longestBudget)
		},
		Default: "the agent's own figure",
		Means:   "a call that takes longer is ended with all its processes",
	},
	{
		Name:   "stop_timeout",
		Beside: "start_timeout",
		Effect: EffectNow,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return p.Duration(&r.StopTimeout, "stop_timeout", time.Second, longestBudget)
		},
	},
	{
		Name:   "status",
		Effect: EffectNow,
		Read: func(p *parser, r *resources.Resource) func(*yaml.Node) {
			return func(node *yaml.Node) { r.Checks = p.checks(node) }
		},
		Default: "the agent's own checks",
		Means:   "a list of `{depth, interval, timeout}`; an interval of 0s switches that depth off",
	},
	{
		// They are read once the resource above them is known.
		Name:   "resources",
		Only:   standsInService,
		Effect: EffectStart,
		Means:  "the resources below this one",
	},
}

// standsInService reports whether a resource is not one that is declared once for all services.
func standsInService(r resources.Resource) bool { return !r.Shared }

// checkKeys are the keys of a check, which the row of status explains.
var checkKeys = []key[resources.ResourceCheck]{
	{
		Name:   "depth",
		Effect: EffectNow,
		Read: func(p *parser, c *resources.ResourceCheck) func(*yaml.Node) {
			return p.Number(&c.Depth, "depth", 0, 1000)
		},
	},
	{
		Name:   "interval",
		Effect: EffectNow,
		Read: func(p *parser, c *resources.ResourceCheck) func(*yaml.Node) {
			return p.Duration(&c.Interval, "interval", 0, longestBudget)
		},
	},
	{
		Name:   "timeout",
		Effect: EffectNow,
		Read: func(p *parser, c *resources.ResourceCheck) func(*yaml.Node) {
			return p.Duration(&c.Timeout, "timeout", time.Second, longestBudget)
		},
	},
}

// ResourcePlace is one resource of a document and where its parts stand, so
// that whoever knows its agent can tell what is wrong with it, and where.
type ResourcePlace struct {
	// Service is empty for a resource declared under `resources`.
	Service    string
	Type, Name string
	Parameters map[string]string
	at         resourceNodes
}

func isVM(service string) bool { return strings.HasPrefix(service, resources.KindVM+":") }

func sortedNames[T any](of map[string]T) []string { return slices.Sorted(maps.Keys(of)) }

// treeText lists resources in the order in which they are started.
func treeText(tree []resources.Resource) string {
	var text strings.Builder
	for _, p := range resources.StartOrder(tree) {
		text.WriteString("\n" + strings.Repeat("  ", p.Depth+1) + p.Resource.Label())
		if p.Resource.Shared {
			text.WriteString(" (shared)")
		}
		if p.Resource.Subtree != resources.Critical {
			text.WriteString(", " + string(p.Resource.Subtree))
		}
		if parameters := optionsText(p.Resource.Parameters, fence.IsSecret); parameters != "" {
			text.WriteString(": " + parameters)
		}
	}
	return text.String()
}

// changedTree tells what becomes of a running service when its resources
// change. Whether an agent can change a parameter in place, only the nodes know
// that have it.
func changedTree(old, new []resources.Resource) keys.Changes {
	var told keys.Changes
	change := resources.Delta(old, new, nil)
	started := map[string]bool{}
	for _, p := range change.Start {
		started[p.Path] = true
	}
	for _, p := range change.Stop {
		if !started[p.Path] {
			told = told.And(EffectEnd, "%s is removed", p.Resource.Label())
		}
	}
	stopped := map[string]bool{}
	for _, p := range change.Stop {
		stopped[p.Path] = true
	}
	for _, p := range change.Start {
		if stopped[p.Path] {
			told = told.And(EffectRestart, "%s: %s", p.Resource.Label(),
				becomes(parametersOf(old, p.Path), p.Resource.Parameters))
		} else {
			told = told.And(EffectStart, "%s is added", p.Resource.Label())
		}
	}
	_, before := resources.TreeDefinition(old)
	_, after := resources.TreeDefinition(new)
	if len(told) == 0 && before != after {
		told = told.And(EffectNow, "limits, checks or the order of resources change, nothing that runs")
	}
	return told
}

// parametersOf are those of the resource at a place of a tree.
func parametersOf(tree []resources.Resource, path string) map[string]string {
	for _, p := range resources.StartOrder(tree) {
		if p.Path == path {
			return p.Resource.Parameters
		}
	}
	return nil
}

// becomes tells which parameters change, and what comes of it. Of a secret it tells that its value
// changes: masked on both sides, it would be said to become what it is.
func becomes(old, new map[string]string) string {
	before, after := map[string]string{}, map[string]string{}
	var hidden []string
	for name, value := range old {
		now, stays := new[name]
		switch {
		case stays && now == value:
		case stays && fence.IsSecret(name, value) && fence.IsSecret(name, now):
			hidden = append(hidden, "the value of "+name+" changes")
		default:
			before[name] = value
		}
	}
	for name, value := range new {
		was, there := old[name]
		if !there || was != value && !(fence.IsSecret(name, was) && fence.IsSecret(name, value)) {
			after[name] = value
		}
	}
	slices.Sort(hidden)
	if len(before) == 0 && len(after) == 0 && len(hidden) == 0 {
		return "lies below one that changes, so it is restarted with it"
	}
	var told []string
	switch {
	case len(before) == 0 && len(after) == 0:
	case len(before) == 0:
		told = append(told, optionsText(after, fence.IsSecret)+" is new")
	case len(after) == 0:
		told = append(told, optionsText(before, fence.IsSecret)+" goes away")
	default:
		told = append(told, optionsText(before, fence.IsSecret)+" becomes "+optionsText(after, fence.IsSecret))
	}
	return strings.Join(append(told, hidden...), ", ") + ", so it is restarted unless its agent reloads"
}
