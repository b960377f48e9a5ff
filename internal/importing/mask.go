package importing

import (
	"regexp"

	"go.yaml.in/yaml/v4"
)

// masked stands for a secret where a document is shown; config.Mask is the same.
const masked = "********"

// passwordAttribute is where libvirt's XML has passwords.
var passwordAttribute = regexp.MustCompile(`(passwd=)("[^"]*"|'[^']*')`)

// secrets calls visit for every value of the document that is a secret.
func secrets(node *yaml.Node, visit func(key string, value *yaml.Node)) {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 1 && child.Kind == yaml.ScalarNode {
			key := node.Content[i-1].Value
			secret := Secret(key, child.Value)
			if key == "definition" {
				secret = passwordAttribute.MatchString(child.Value)
			}
			if secret {
				visit(key, child)
			}
			continue
		}
		secrets(child, visit)
	}
}

func mask(top *yaml.Node) {
	secrets(top, func(key string, value *yaml.Node) {
		if key == "definition" {
			value.Value = passwordAttribute.ReplaceAllString(value.Value, `$1"`+masked+`"`)
			return
		}
		value.Value, value.Style = masked, yaml.DoubleQuotedStyle
	})
}

func holdsSecret(top *yaml.Node) bool {
	found := false
	secrets(top, func(string, *yaml.Node) { found = true })
	return found
}

func clone(node *yaml.Node) *yaml.Node {
	same := *node
	same.Content = nil
	for _, child := range node.Content {
		same.Content = append(same.Content, clone(child))
	}
	return &same
}
