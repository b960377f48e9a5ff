package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// secretValues finds options of devices and parameters of agents that are secret by their names.
func secretValues(node *yaml.Node, within string, found []edit) []edit {
	for i, child := range node.Content {
		if node.Kind != yaml.MappingNode {
			found = secretValues(child, within, found)
			continue
		}
		if i%2 == 0 {
			continue
		}
		key := node.Content[i-1]
		free := within == "options" || within == "parameters"
		if free && child.Kind == yaml.ScalarNode && fence.IsSecret(key.Value, child.Value) {
			found = append(found, edit{mapping: node, key: key, value: child, newValue: Mask})
			continue
		}
		found = secretValues(child, key.Value, found)
	}
	return found
}

// unmask puts the values that are in force where a mask stands: who shows a document, changes a
// line and applies it again has not seen them.
func (p *parser) unmask(what string, mapping *yaml.Node, values map[string]string,
	old func(name string) (string, bool)) {
	if p.keepMasks || mapping == nil {
		return
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], mapping.Content[i+1]
		if values[key.Value] != Mask {
			continue
		}
		kept, known := old(key.Value)
		if !known || kept == Mask {
			p.fault(value, "%s of %s is masked, and there is no old one to keep; write it out", key.Value, what)
			continue
		}
		p.replace(mapping, value, "", kept)
		values[key.Value] = kept
	}
}

// unmaskOptions does so for a device.
func (p *parser) unmaskOptions(device string, mapping *yaml.Node, options map[string]string) {
	p.unmask("device "+device, mapping, options, func(name string) (string, bool) {
		if p.previous == nil {
			return "", false
		}
		value, known := p.previous.Devices[device].Options[name]
		return value, known
	})
}

// unmaskParameters does so for a resource, which is known by its type and name wherever it stands.
func (p *parser) unmaskParameters(r resources.Resource, mapping *yaml.Node) {
	p.unmask(r.Label(), mapping, r.Parameters, func(name string) (string, bool) {
		if p.previous == nil {
			return "", false
		}
		for _, service := range sortedNames(p.previous.Services) {
			for _, place := range resources.StartOrder(p.previous.Services[service].Tree) {
				old := place.Resource
				if value, known := old.Parameters[name]; known && old.Type == r.Type && old.Name == r.Name {
					return value, true
				}
			}
		}
		return "", false
	})
}

// optionsText writes options or parameters in one order, and no secret.
func optionsText(options map[string]string) string {
	texts := make([]string, 0, len(options))
	for _, name := range slices.Sorted(maps.Keys(options)) {
		value := options[name]
		if fence.IsSecret(name, value) {
			value = Mask
		}
		texts = append(texts, name+"="+value)
	}
	return strings.Join(texts, " ")
}

// changedOptions tells a change of a secret value as such, and no more of it.
func changedOptions(changes []string, old, new map[string]string) []string {
	changes = note(changes, "options", optionsText(old), optionsText(new))
	for _, name := range slices.Sorted(maps.Keys(new)) {
		was, had := old[name]
		if had && was != new[name] && fence.IsSecret(name, was) && fence.IsSecret(name, new[name]) {
			changes = append(changes, "the value of "+name+" changes")
		}
	}
	return changes
}
