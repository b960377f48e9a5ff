package config

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
)

// Earlier returns the text of an earlier document as it would be put into force
// again. Passwords that the document in force has are kept: a BMC's password that
// was changed meanwhile is the one that works, and an old one would leave a node
// that nobody can fence. kept tells, in words, where that makes a difference.
func Earlier(text string, current cluster.Document) (masked string, kept []string, err error) {
	var tree yaml.Node
	if err := yaml.Load([]byte(text), &tree); err != nil {
		return "", nil, fmt.Errorf("the earlier document cannot be read by this version: %w", err)
	}
	if len(tree.Content) != 1 {
		return "", nil, errors.New("the earlier document is empty")
	}
	top := tree.Content[0]
	if top.Kind != yaml.MappingNode {
		return "", nil, errors.New("the earlier document is no mapping")
	}
	var edits []edit
	for _, section := range []string{"devices"} {
		entries := valueOf(top, section)
		if entries == nil || entries.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(entries.Content); i += 2 {
			name, mapping := entries.Content[i].Value, entries.Content[i+1]
			if mapping.Kind != yaml.MappingNode {
				continue
			}
			now, then := string(current.Devices[name].Password), valueOf(mapping, "password")
			if then == nil || now == "" || now == then.Value {
				continue
			}
			edits = append(edits, edit{mapping: mapping, key: keyOf(mapping, then), value: then, newValue: Mask})
			kept = append(kept, "device "+name+": the password stays the one in force, not that of the earlier version")
		}
	}
	masked, err = rewrite(text, top, edits)
	return masked, kept, err
}
