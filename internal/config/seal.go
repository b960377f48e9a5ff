package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

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
