package rewrite

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
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
	var edits []Edit
	keep := func(what, name, key string, mapping *yaml.Node, now fence.Secret) {
		then := valueOf(mapping, key)
		if then == nil || now == "" || string(now) == then.Value {
			return
		}
		edits = append(edits, EditOf(mapping, then, "", Mask))
		kept = append(kept, fmt.Sprintf("%s %s: the %s stays the one in force, not that of the earlier version", what,
			name, key))
	}
	inEntries(top, "devices", func(name string, mapping *yaml.Node) {
		keep("device", name, "password", mapping, current.Devices[name].Password)
	})
	inEntries(top, "alerts", func(name string, mapping *yaml.Node) {
		keep("alert", name, "secret", mapping, current.Alerts[name].Secret)
		keep("alert", name, "secret_url", mapping, current.Alerts[name].SecretURL)
	})
	masked, err = Apply(text, top, edits)
	return masked, kept, err
}
