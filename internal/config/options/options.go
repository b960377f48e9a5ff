// Package options holds the options of fence devices against what their drivers declare.
package options

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/internal/nearest"
)

// Places are where the parts of a device stand.
type Places struct {
	Key, Options, Password *yaml.Node
}

// checker tells faults of one device.
type checker struct {
	*strict.Reader
	what string
}

// Check holds the options of a device against the schema of its driver: a fault is told
// with its line when the document is written, and not on the night when the driver reads it.
func Check(reader *strict.Reader, d fence.Device, at Places) {
	c := checker{Reader: reader, what: "device " + d.Name}
	schema, known := fence.SchemaOf(d.Driver)
	if !known {
		return
	}
	var names []string
	if at.Options != nil && at.Options.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(at.Options.Content); i += 2 {
			names = append(names, at.Options.Content[i].Value)
			c.option(schema, d.Options, at.Options, i)
		}
	}
	if first, second := schema.Conflict(names, d.Options); second != "" {
		c.Fault(at.Options.Content[2*slices.Index(names, second)],
			"options %s and %s of %s exclude each other; keep one", first, second, c.what)
	}
	for _, o := range schema.Options {
		if o.Required && !slices.Contains(names, o.Name) {
			c.Fault(at.Key, "%s has no option %s; %s", c.what, o.Name, o.Advice)
		}
	}
	if at.Password != nil && at.Password.Kind == yaml.ScalarNode && at.Password.Value != rewrite.Mask && schema.Piped &&
		fence.Passable(at.Password.Value) != "" {
		c.Fault(at.Password, "the password of %s stands in double quotes of its own, or has spaces around it or control "+
			"characters, which the fence agents' protocol takes away; choose another password", c.what)
	}
}

// option holds the option whose name is the i-th entry of the mapping.
func (c checker) option(schema fence.Schema, all map[string]string, options *yaml.Node, i int) {
	key, value := options.Content[i], options.Content[i+1]
	option, known := schema.Option(key.Value)
	if !known && !schema.Open {
		c.Fault(key, "option %q of %s is not known to its driver; there are %s.%s", strict.Brief(key.Value), c.what,
			strings.Join(schema.Names(), ", "), nearest.Hint(key.Value, schema.Names()))
		return
	}
	if why := schema.Refusal(key.Value); why != "" {
		c.Fault(key, "option %s of %s is not allowed: %s", key.Value, c.what, why)
		return
	}
	if value.Kind != yaml.ScalarNode || value.Value == rewrite.Mask || fence.IsReference(value.Value) {
		return
	}
	if schema.Piped && fence.Passable(value.Value) != "" {
		c.Fault(value, "option %s of %s has outer quotes or spaces, or control characters, which the fence agents' "+
			"protocol takes away", key.Value, c.what)
		return
	}
	if !known {
		return
	}
	if option.Kind == fence.Agent {
		if instead := insteadOfAgent(value.Value, c.what, options); instead != "" {
			c.Fault(value, "option %s of %s is %s, which %s", key.Value, c.what, filepath.Base(value.Value), instead)
			return
		}
	}
	if err := option.Check(value.Value, all); err != nil {
		c.Fault(value, "option %s of %s %v", key.Value, c.what, err)
	}
}

// insteadOf is what to write for the disks of an agent that switches no power, and what else to
// think of.
var insteadOf = map[string]struct{ disk, remark string }{
	"fence_scsi": {"/dev/disk/by-id/wwn-0x...",
		"one such device serves all nodes, which register keys of clusterd's own; take the old keys off the disks"},
	"fence_mpath": {"/dev/disk/by-id/dm-uuid-mpath-3...",
		"one such device serves all nodes, which register keys of clusterd's own; take the old keys off the disks and " +
			"out of multipath.conf"},
	"fence_sbd": {"/dev/disk/by-id/...", "clusterd watches the disk itself, so stop the service sbd on every node"},
}

// insteadOfAgent says what an agent does instead of switching power, and which lines to write for
// that; "" where there are none.
func insteadOfAgent(agent, what string, options *yaml.Node) string {
	base := filepath.Base(agent)
	does, driver := fence.NoPower(base)
	if driver == "" {
		return ""
	}
	name, instead := strings.TrimPrefix(what, "device "), insteadOf[base]
	return fmt.Sprintf("%s. Write instead: %s: {driver: %s, options: {devices: %q}}; %s", does, name, driver,
		disksOf(options, instead.disk), instead.remark)
}

// disksOf are the disks that a declaration names already, where all of them have
// names that clusterd takes.
func disksOf(options *yaml.Node, otherwise string) string {
	for i := 0; i+1 < len(options.Content); i += 2 {
		if options.Content[i].Value != fence.OptionDevices {
			continue
		}
		disks := strings.FieldsFunc(options.Content[i+1].Value, func(r rune) bool { return r == ',' || r == ' ' })
		for _, disk := range disks {
			if !fence.IsWholeDisk(filepath.Clean(disk)) {
				return otherwise
			}
		}
		if len(disks) > 0 {
			return strings.Join(disks, " ")
		}
	}
	return otherwise
}
