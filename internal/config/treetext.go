package config

import (
	"maps"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

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

// printTree tells the resources in the order in which they are started.
func printTree(line func(string, ...any), s resources.Spec) {
	line("  start %s, stop %s, destroy %s", s.StartTimeout, s.StopTimeout, s.DestroyTimeout)
	for _, p := range resources.StartOrder(s.Tree) {
		text := strings.Repeat("  ", p.Depth+1) + p.Resource.Label()
		if p.Resource.Shared {
			text += " (shared)"
		}
		if p.Resource.Subtree != resources.Critical {
			text += ", " + string(p.Resource.Subtree)
		}
		if parameters := optionsText(p.Resource.Parameters, fence.IsSecret); parameters != "" {
			text += ": " + parameters
		}
		line("%s", text)
	}
	if disks := disksText(s.Disks); disks != "" {
		line("  disks %s", disks)
	}
	if s.Probe != "" {
		line("  probe %s", s.Probe)
	}
}

// changedTree tells what becomes of a running service when its resources
// change. Whether an agent can change a parameter in place, only the nodes know
// that have it.
func changedTree(old, new []resources.Resource) changes {
	var told changes
	change := resources.Delta(old, new, nil)
	started := map[string]bool{}
	for _, p := range change.Start {
		started[p.Path] = true
	}
	for _, p := range change.Stop {
		if !started[p.Path] {
			told = told.and(EffectEnd, "%s is removed", p.Resource.Label())
		}
	}
	stopped := map[string]bool{}
	for _, p := range change.Stop {
		stopped[p.Path] = true
	}
	for _, p := range change.Start {
		if stopped[p.Path] {
			told = told.and(EffectRestart, "%s: %s", p.Resource.Label(),
				becomes(parametersOf(old, p.Path), p.Resource.Parameters))
		} else {
			told = told.and(EffectStart, "%s is added", p.Resource.Label())
		}
	}
	_, before := resources.TreeDefinition(old)
	_, after := resources.TreeDefinition(new)
	if len(told) == 0 && before != after {
		told = told.and(EffectNow, "limits, checks or the order of resources change, nothing that runs")
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
