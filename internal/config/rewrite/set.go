package rewrite

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/strict"
)

// Set returns the text of a document with values put in their places: each setting is KEY=VALUE,
// the key with a dot after each level (services.vm:web.domain=racks), the value as YAML. KEY= takes
// the key out. A name that has dots itself is found where it is declared already. Comments are
// kept; the layout may be normalised. An empty text is a document that names only its cluster.
//
// An error names the setting.
func Set(text, cluster string, settings []string) (string, error) {
	if strict.OnlyComments(text) {
		text = "cluster: " + cluster + "\n"
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return "", fmt.Errorf("read the document in force: %w", err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		return "", fmt.Errorf("the document in force is no mapping")
	}
	for _, setting := range settings {
		key, value, found := strings.Cut(setting, "=")
		if !found || key == "" {
			return "", fmt.Errorf("%q is not KEY=VALUE", setting)
		}
		if err := set(document.Content[0], key, value); err != nil {
			return "", fmt.Errorf("%s: %w", key, err)
		}
	}
	out, err := yaml.Dump(&document)
	if err != nil {
		return "", fmt.Errorf("write the document: %w", err)
	}
	return string(out), nil
}

// set puts one value below a mapping, and makes the levels that are missing.
func set(mapping *yaml.Node, path, value string) error {
	passed := ""
	for {
		if mapping.Kind != yaml.MappingNode {
			return fmt.Errorf("%s has no keys below it", passed)
		}
		key, rest := nextKey(mapping, path)
		if key == "" {
			return fmt.Errorf("a level has no name")
		}
		if rest == "" && value == "" {
			return drop(mapping, key)
		}
		at := valueOf(mapping, key)
		if rest == "" {
			return put(mapping, at, key, value)
		}
		switch {
		case at == nil && value == "":
			return fmt.Errorf("there is no %s", key)
		case at == nil:
			at = &yaml.Node{Kind: yaml.MappingNode}
			mapping.Content = append(mapping.Content, scalar(key), at)
		case at.Kind == yaml.ScalarNode && at.ShortTag() == "!!null":
			*at = yaml.Node{Kind: yaml.MappingNode}
		}
		if passed += "." + key; strings.HasPrefix(passed, ".") {
			passed = passed[1:]
		}
		mapping.Style = 0
		mapping, path = at, rest
	}
}

// nextKey splits a path: the longest key that is there already, else what stands before the next
// dot.
func nextKey(mapping *yaml.Node, path string) (key, rest string) {
	for i := 0; i < len(mapping.Content); i += 2 {
		known := mapping.Content[i].Value
		if path == known || strings.HasPrefix(path, known+".") {
			if len(known) > len(key) {
				key = known
			}
		}
	}
	if key == "" {
		key, _, _ = strings.Cut(path, ".")
	}
	return key, strings.TrimPrefix(path[len(key):], ".")
}

func drop(mapping *yaml.Node, key string) error {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			mapping.Content = append(mapping.Content[:i:i], mapping.Content[i+2:]...)
			return nil
		}
	}
	return fmt.Errorf("it is not there")
}

func put(mapping, at *yaml.Node, key, value string) error {
	var read yaml.Node
	if err := yaml.Unmarshal([]byte(value), &read); err != nil {
		return fmt.Errorf("%q is no YAML: %w", value, err)
	}
	if len(read.Content) != 1 {
		return fmt.Errorf("%q is no value", value)
	}
	if at != nil {
		is := *read.Content[0]
		is.HeadComment, is.LineComment, is.FootComment = at.HeadComment, at.LineComment, at.FootComment
		*at = is
		return nil
	}
	mapping.Style = 0
	mapping.Content = append(mapping.Content, scalar(key), read.Content[0])
	return nil
}
