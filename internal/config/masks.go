package config

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/resources"
)

// replace remembers an edit of the document that is being read.
func (p *parser) replace(mapping, value *yaml.Node, newKey, newValue string) {
	p.edits = append(p.edits, rewrite.EditOf(mapping, value, newKey, newValue))
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
		if values[key.Value] != rewrite.Mask {
			continue
		}
		kept, known := old(key.Value)
		if !known || kept == rewrite.Mask {
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
func optionsText(options map[string]string, hides func(name, value string) bool) string {
	texts := make([]string, 0, len(options))
	for _, name := range slices.Sorted(maps.Keys(options)) {
		value := options[name]
		if hides(name, value) {
			value = rewrite.Mask
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
