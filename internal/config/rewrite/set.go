package rewrite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/strict"
)

// Set returns the text of a document with values put in their places: each setting is KEY=VALUE,
// the key with a dot after each level (services.vm:web.domain=racks), the value as YAML. KEY= takes
// the key out. A name that has dots itself is found where it is declared already. Comments are
// kept; the layout may be normalised. An empty text is a document that names only its cluster.
//
// An error names the setting and not its value. ErrSecret is wrapped where the value would be a
// secret: a command line is seen by others.
func Set(text, cluster string, settings []string) (string, error) {
	return SetBelow(text, cluster, nil, settings)
}

// SetBelow is Set for the keys of one entry, which the levels name exactly.
func SetBelow(text, cluster string, levels, settings []string) (string, error) {
	return rewritten(text, cluster, func(top *yaml.Node) error {
		for _, setting := range settings {
			key, value, found := strings.Cut(setting, "=")
			if !found || key == "" {
				return fmt.Errorf("%s is not KEY=VALUE", key)
			}
			if err := set(top, levels, key, value); err != nil {
				return fmt.Errorf("%s: %w", strings.Join(append(slices.Clone(levels), key), "."), err)
			}
		}
		return nil
	})
}

// Remove returns the text without one entry, which the levels name exactly.
func Remove(text, cluster string, levels ...string) (string, error) {
	return rewritten(text, cluster, func(top *yaml.Node) error {
		if err := set(top, levels, "", ""); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(levels, "."), err)
		}
		return nil
	})
}

// ErrSecret is wrapped where a secret was to be written from a command line.
var ErrSecret = errors.New("a secret on a command line is seen by others and kept in histories; " +
	"use `clusterd config edit`")

func rewritten(text, cluster string, edit func(top *yaml.Node) error) (string, error) {
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
	top := document.Content[0]
	before := secretTexts(top)
	if err := edit(top); err != nil {
		return "", err
	}
	for value := range secretTexts(top) {
		if !before[value] {
			return "", ErrSecret
		}
	}
	out, err := yaml.Dump(&document)
	if err != nil {
		return "", fmt.Errorf("write the document: %w", err)
	}
	return string(out), nil
}

// secretTexts are the values of a document that are shown to nobody.
func secretTexts(top *yaml.Node) map[string]bool {
	list := map[string]bool{}
	for _, e := range secretsOf(top) {
		list[e.value.Value] = true
	}
	return list
}

// set puts one value below a mapping, and makes the levels that are missing: those named exactly
// first, then those of the path. Without a path it is about the last level itself.
func set(mapping *yaml.Node, levels []string, path, value string) error {
	passed := ""
	for {
		if mapping.Kind != yaml.MappingNode {
			return fmt.Errorf("%s has no keys below it", passed)
		}
		key, rest, last := "", path, false
		if len(levels) > 0 {
			key, levels = levels[0], levels[1:]
			last = len(levels) == 0 && path == ""
		} else {
			key, rest, last = nextKey(mapping, path)
		}
		switch {
		case key == "":
			return fmt.Errorf("a level has no name")
		case last && value == "":
			return drop(mapping, key)
		case last:
			return put(mapping, key, value)
		}
		at, err := below(mapping, key, value == "")
		if err != nil {
			return err
		}
		passed = strings.TrimPrefix(passed+"."+key, ".")
		mapping, path = at, rest
	}
}

// below is the mapping under a key, which is made where it is missing, unless something in it is to
// be taken out.
func below(mapping *yaml.Node, key string, there bool) (*yaml.Node, error) {
	at := valueOf(mapping, key)
	switch {
	case at == nil && there:
		return nil, fmt.Errorf("there is no %s", key)
	case at == nil:
		at = &yaml.Node{Kind: yaml.MappingNode}
		mapping.Content = append(mapping.Content, scalar(key), at)
		mapping.Style = 0
	case at.Kind == yaml.ScalarNode && at.ShortTag() == "!!null":
		at.Kind, at.Tag, at.Value = yaml.MappingNode, "", ""
	}
	return at, nil
}

// nextKey splits a path: the longest key that is there already, else what stands before the next
// dot. Last reports that nothing comes behind it; a path that ends with a dot has a level without a
// name.
func nextKey(mapping *yaml.Node, path string) (key, rest string, last bool) {
	for i := 0; i < len(mapping.Content); i += 2 {
		known := mapping.Content[i].Value
		if len(known) > len(key) && (path == known || strings.HasPrefix(path, known+".")) {
			key = known
		}
	}
	if key == "" {
		key, _, _ = strings.Cut(path, ".")
	}
	rest, goesOn := strings.CutPrefix(path[len(key):], ".")
	return key, rest, !goesOn
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

func put(mapping *yaml.Node, key, value string) error {
	var read yaml.Node
	if err := yaml.Unmarshal([]byte(value), &read); err != nil {
		return fmt.Errorf("what stands behind = is no YAML")
	}
	if len(read.Content) != 1 {
		return fmt.Errorf("what stands behind = is no value")
	}
	is := *read.Content[0]
	if read.HeadComment+read.FootComment+is.HeadComment+is.LineComment+is.FootComment != "" {
		return fmt.Errorf("what stands behind = has a comment in it: put quotes around a value that has a # in it")
	}
	at := valueOf(mapping, key)
	if at != nil {
		is.HeadComment, is.LineComment, is.FootComment = at.HeadComment, at.LineComment, at.FootComment
		*at = is
		return nil
	}
	mapping.Style = 0
	mapping.Content = append(mapping.Content, scalar(key), &is)
	return nil
}
