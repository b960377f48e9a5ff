package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// hider reports whether the value of an option or parameter is shown to nobody.
type hider func(name, value string) bool

// hiderOf is the schema's word where the mapping has a driver, and else what the names say.
func hiderOf(mapping *yaml.Node) hider {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value != "driver" {
			continue
		}
		if schema, known := fence.SchemaOf(mapping.Content[i+1].Value); known {
			return schema.Hides
		}
	}
	return fence.IsSecret
}

// secretValues finds options of devices and parameters of agents that are secret by their schema,
// or by their names where no schema knows them.
func secretValues(node *yaml.Node, within string, found []edit) []edit {
	return hiddenValues(node, within, fence.IsSecret, found)
}

func hiddenValues(node *yaml.Node, within string, hides hider, found []edit) []edit {
	for i, child := range node.Content {
		if node.Kind != yaml.MappingNode {
			found = hiddenValues(child, within, hides, found)
			continue
		}
		if i%2 == 0 {
			continue
		}
		key := node.Content[i-1]
		free := within == "options" || within == "parameters"
		if free && child.Kind == yaml.ScalarNode && hides(key.Value, child.Value) {
			found = append(found, edit{mapping: node, key: key, value: child, newValue: Mask})
			continue
		}
		found = hiddenValues(child, key.Value, hiderOf(node), found)
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
			p.Fault(value, "%s of %s is masked, and there is no old one to keep; write it out", key.Value, what)
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
func optionsText(options map[string]string, hides hider) string {
	texts := make([]string, 0, len(options))
	for _, name := range slices.Sorted(maps.Keys(options)) {
		value := options[name]
		if hides(name, value) {
			value = Mask
		}
		texts = append(texts, name+"="+value)
	}
	return strings.Join(texts, " ")
}

// changedOptions tells a change of a secret value as such, and no more of it.
func changedOptions(told changes, old, new fence.Device) changes {
	hid, hides := old.Schema().Hides, new.Schema().Hides
	told = note(told, "options", optionsText(old.Options, hid), optionsText(new.Options, hides))
	for _, name := range slices.Sorted(maps.Keys(new.Options)) {
		was, had := old.Options[name]
		now := new.Options[name]
		if had && was != now && hid(name, was) && hides(name, now) {
			told = told.and(EffectNow, "the value of %s changes", name)
		}
	}
	return told
}
