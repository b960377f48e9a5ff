package rewrite

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/fence"
)

// Mask stands for a password wherever a document is shown.
const Mask = "********"

// secretKeys are those of an alert that are shown as a mask.
var secretKeys = []string{"secret", "secret_url"}

// Redact returns a document's text with a mask in place of each password: what may be shown. A
// text that cannot be read is not shown at all, because nobody can tell where its passwords are.
func Redact(text string) string {
	const unreadable = "# The document cannot be read, so it is not shown: it may hold passwords.\n"
	var document yaml.Node
	if err := yaml.Load([]byte(text), &document); err != nil || len(document.Content) != 1 {
		return unreadable
	}
	top := document.Content[0]
	masked, err := Apply(text, top, secretsOf(top))
	if err != nil {
		return unreadable
	}
	return masked
}

// Seal edits the values in the text, whose comments and order stay.
func Seal(text string, seal func(string) string) (string, error) {
	var document yaml.Node
	if err := yaml.Load([]byte(text), &document); err != nil || len(document.Content) != 1 {
		return "", fmt.Errorf("the document cannot be read a second time, to seal its secrets")
	}
	top := document.Content[0]
	var edits []Edit
	for _, found := range secretsOf(top) {
		if found.value.Kind != yaml.ScalarNode {
			continue
		}
		// What these keys hold is secret whatever it looks like.
		sealed := found.value.Value
		if name := found.key.Value; name == "password" || slices.Contains(secretKeys, name) {
			sealed = seal(sealed)
		} else {
			sealed = fence.MapSecrets(name, sealed, seal)
		}
		if sealed != found.value.Value {
			found.newValue = sealed
			edits = append(edits, found)
		}
	}
	return Apply(text, top, edits)
}

// secretsOf are the values of a document that are shown to nobody.
func secretsOf(top *yaml.Node) []Edit {
	return eachOnce(slices.Concat(passwords(top, nil), alertSecrets(top), secretValues(top, "", nil)))
}

// eachOnce leaves out what was found twice: an option may be called password.
func eachOnce(edits []Edit) []Edit {
	seen := map[*yaml.Node]bool{}
	return slices.DeleteFunc(edits, func(e Edit) bool {
		found := seen[e.value]
		seen[e.value] = true
		return found
	})
}

// passwords finds the value of every key "password", wherever it stands.
func passwords(node *yaml.Node, found []Edit) []Edit {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 1 && node.Content[i-1].Value == "password" {
			found = append(found, Edit{mapping: node, key: node.Content[i-1], value: child, newValue: Mask})
			continue
		}
		found = passwords(child, found)
	}
	return found
}

// alertSecrets finds the secrets of alerts, which have other names than password.
func alertSecrets(top *yaml.Node) []Edit {
	var found []Edit
	inEntries(top, "alerts", func(_ string, mapping *yaml.Node) {
		for _, key := range secretKeys {
			if value := valueOf(mapping, key); value != nil {
				found = append(found, EditOf(mapping, value, "", Mask))
			}
		}
	})
	return found
}

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
func secretValues(node *yaml.Node, within string, found []Edit) []Edit {
	return hiddenValues(node, within, fence.IsSecret, found)
}

func hiddenValues(node *yaml.Node, within string, hides hider, found []Edit) []Edit {
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
			found = append(found, Edit{mapping: node, key: key, value: child, newValue: Mask})
			continue
		}
		found = hiddenValues(child, key.Value, hiderOf(node), found)
	}
	return found
}
