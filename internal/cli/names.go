package cli

import (
	"strings"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/nearest"
)

// FullName puts "service:" before a name without a type, as rgmanager's tools did.
func FullName(name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	return "service:" + name
}

// FindService looks a service up by its full name.
func FindService(status api.Status, name string) (api.Service, bool) {
	for _, service := range status.Services {
		if service.Name == name {
			return service, true
		}
	}
	return api.Service{}, false
}

// FindNode looks a node up.
func FindNode(status api.Status, name string) (api.Node, bool) {
	for _, node := range status.Nodes {
		if node.Name == name {
			return node, true
		}
	}
	return api.Node{}, false
}

// ServiceHint asks whether a known service was meant by a name that is none. A VM of the same
// name comes first: a name without a type means "service:", and that is seldom what was meant
// here.
func ServiceHint(status api.Status, name string) string {
	kind, short, _ := strings.Cut(name, ":")
	if _, found := FindService(status, "vm:"+short); found && kind != "vm" {
		return " Did you mean 'vm:" + short + "'?"
	}
	names := make([]string, 0, len(status.Services))
	for _, service := range status.Services {
		names = append(names, service.Name)
	}
	if word := nearest.Word(name, names); word != "" {
		return " Did you mean '" + word + "'?"
	}
	return nearest.Hint("vm:"+short, names)
}

// NodeHint asks whether a known node was meant by a name that is none.
func NodeHint(status api.Status, name string) string {
	names := make([]string, 0, len(status.Nodes))
	for _, node := range status.Nodes {
		names = append(names, node.Name)
	}
	return nearest.Hint(name, names)
}
