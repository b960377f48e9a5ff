package rewrite

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/strict"
)

// AddService returns the text of a document with one more service at its end;
// without autostart it stays down until it is enabled.
// An empty text is a document that names only its cluster. What was written
// before keeps its comments; its layout may be normalised.
func AddService(text, cluster, name, domain, definition string, autostart bool) (string, error) {
	if strict.OnlyComments(text) {
		text = "cluster: " + cluster + "\n"
	}
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return "", fmt.Errorf("read the document in force: %w", err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return "", fmt.Errorf("the document in force is no mapping")
	}
	top := document.Content[0]
	services := valueOf(top, "services")
	switch {
	case services == nil:
		services = &yaml.Node{Kind: yaml.MappingNode}
		top.Content = append(top.Content, scalar("services"), services)
	case services.Kind != yaml.MappingNode:
		// "services:" with nothing after it: the key is there and must not come twice.
		*services = yaml.Node{Kind: yaml.MappingNode}
	}
	if valueOf(services, name) != nil {
		return "", fmt.Errorf("%s is in the document already", name)
	}
	service := &yaml.Node{Kind: yaml.MappingNode}
	if domain != "" {
		service.Content = append(service.Content, scalar("domain"), scalar(domain))
	}
	if !autostart {
		no := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"}
		service.Content = append(service.Content, scalar("autostart"), no)
	}
	body := scalar(definition)
	body.Style = yaml.LiteralStyle
	service.Content = append(service.Content, scalar("definition"), body)
	services.Style = 0
	services.Content = append(services.Content, scalar(name), service)
	out, err := yaml.Marshal(&document)
	if err != nil {
		return "", fmt.Errorf("write the document: %w", err)
	}
	return string(out), nil
}

func scalar(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}
