package config

import (
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/nearest"
)

// deviceNodes are where the parts of a device stand.
type deviceNodes struct {
	key, options, password *yaml.Node
}

// checkOptions holds the options of a device against the schema of its driver: a fault is told
// with its line when the document is written, and not on the night when the driver reads it.
func (p *parser) checkOptions(d fence.Device, what string, at deviceNodes) {
	schema, known := fence.SchemaOf(d.Driver)
	if !known {
		return
	}
	var names []string
	if at.options != nil && at.options.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(at.options.Content); i += 2 {
			names = append(names, at.options.Content[i].Value)
			p.checkOption(schema, what, d.Options, at.options, i)
		}
	}
	if first, second := schema.Conflict(names, d.Options); second != "" {
		p.Fault(at.options.Content[2*slices.Index(names, second)],
			"options %s and %s of %s exclude each other; keep one", first, second, what)
	}
	for _, o := range schema.Options {
		if o.Required && !slices.Contains(names, o.Name) {
			p.Fault(at.key, "%s has no option %s; %s", what, o.Name, o.Advice)
		}
	}
	if at.password != nil && at.password.Kind == yaml.ScalarNode && at.password.Value != Mask && schema.Piped &&
		fence.Passable(at.password.Value) != "" {
		p.Fault(at.password, "the password of %s stands in double quotes of its own, or has spaces around it or control "+
			"characters, which the fence agents' protocol takes away; choose another password", what)
	}
}

// checkOption holds the option whose name is the i-th entry of the mapping.
func (p *parser) checkOption(schema fence.Schema, what string, all map[string]string, options *yaml.Node, i int) {
	key, value := options.Content[i], options.Content[i+1]
	option, known := schema.Option(key.Value)
	if !known && !schema.Open {
		p.Fault(key, "option %q of %s is not known to its driver; there are %s.%s", strict.Brief(key.Value), what,
			strings.Join(schema.Names(), ", "), nearest.Hint(key.Value, schema.Names()))
		return
	}
	if why := schema.Refusal(key.Value); why != "" {
		p.Fault(key, "option %s of %s is not allowed: %s", key.Value, what, why)
		return
	}
	if value.Kind != yaml.ScalarNode || value.Value == Mask || fence.IsReference(value.Value) {
		return
	}
	if schema.Piped && fence.Passable(value.Value) != "" {
		p.Fault(value, "option %s of %s has outer quotes or spaces, or control characters, which the fence agents' "+
			"protocol takes away", key.Value, what)
		return
	}
	if !known {
		return
	}
	if option.Kind == fence.Agent {
		if instead := insteadOfAgent(value.Value, what, options); instead != "" {
			p.Fault(value, "option %s of %s is %s, which %s", key.Value, what, filepath.Base(value.Value), instead)
			return
		}
	}
	if err := option.Check(value.Value, all); err != nil {
		p.Fault(value, "option %s of %s %v", key.Value, what, err)
	}
}
