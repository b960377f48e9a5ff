package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/message"
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
func changedOptions(old, new fence.Device) keys.Changes {
	hid, hides := old.Schema().Hides, new.Schema().Hides
	var told keys.Changes
	told = told.Note(EffectNow, "options", optionsText(old.Options, hid), optionsText(new.Options, hides))
	for _, name := range slices.Sorted(maps.Keys(new.Options)) {
		was, had := old.Options[name]
		now := new.Options[name]
		if had && was != now && hid(name, was) && hides(name, now) {
			told = told.And(EffectNow, "the value of %s changes", name)
		}
	}
	return told
}

// changedUnseen tells that the value of a key changes which nobody is shown.
func changedUnseen[V comparable](name string, old, new V) keys.Changes {
	if old == new {
		return nil
	}
	return keys.Changes(nil).And(EffectNow, "the %s changes", name)
}

// Seal returns a document with a reference in place of each secret, in what it means as in its
// text. seal gives the reference of a secret; it is not asked for what is one.
func Seal(parsed Parsed, seal func(secret string) string) (Parsed, error) {
	once := func(secret string) string {
		if secret == "" || secret == rewrite.Mask || fence.IsReference(secret) {
			return secret
		}
		return seal(secret)
	}
	text, err := rewrite.Seal(parsed.Text, once)
	if err != nil {
		return Parsed{}, err
	}
	parsed.Text, parsed.Blobs = text, maps.Clone(parsed.Blobs)
	d := &parsed.Document
	d.Devices, d.Alerts, d.Services = maps.Clone(d.Devices), maps.Clone(d.Alerts), maps.Clone(d.Services)
	for name, device := range d.Devices {
		device.Password = fence.Secret(once(device.Password.Reveal()))
		device.Options = sealValues(device.Options, once)
		d.Devices[name] = device
	}
	for name, alert := range d.Alerts {
		alert.Secret = fence.Secret(once(alert.Secret.Reveal()))
		alert.SecretURL = fence.Secret(once(alert.SecretURL.Reveal()))
		d.Alerts[name] = alert
	}
	for name, spec := range d.Services {
		if len(spec.Tree) == 0 {
			continue
		}
		tree := sealTree(spec.Tree, once)
		definition, hash := resources.TreeDefinition(tree)
		if hash != spec.Definition {
			delete(parsed.Blobs, spec.Definition)
			parsed.Blobs[hash] = definition
			spec.Tree, spec.Definition = tree, hash
			d.Services[name] = spec
		}
	}
	return parsed, unsealed(parsed.Document)
}

// unsealed is the second look: what the text's walk and the document's should have found.
func unsealed(document cluster.Document) error {
	var err error
	document.EachSecret(func(where message.Text, secret string) {
		if !fence.IsReference(secret) && err == nil {
			err = fmt.Errorf("%s cannot be sealed", where)
		}
	})
	return err
}

func sealValues(values map[string]string, seal func(string) string) map[string]string {
	if values == nil {
		return nil
	}
	sealed := make(map[string]string, len(values))
	for name, value := range values {
		sealed[name] = fence.MapSecrets(name, value, seal)
	}
	return sealed
}

func sealTree(tree []resources.Resource, seal func(string) string) []resources.Resource {
	if tree == nil {
		return nil
	}
	sealed := slices.Clone(tree)
	for i := range sealed {
		sealed[i].Parameters = sealValues(sealed[i].Parameters, seal)
		sealed[i].Children = sealTree(sealed[i].Children, seal)
	}
	return sealed
}
