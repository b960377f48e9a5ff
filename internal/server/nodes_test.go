package server

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
)

func TestAPersonsWordKeepsThePort(t *testing.T) {
	root := &cluster.State{}
	root.Nodes.Set("node1", cluster.Member{Name: "node1", Address: "10.0.0.1:7440"})
	for said, want := range map[string]string{"10.0.0.9": "10.0.0.9:7440", "10.0.0.9:9": "10.0.0.9:9",
		"fd00::1": "[fd00::1]:7440"} {
		if got := readdressOf(root, "node1", said, "root").Address; got != want {
			t.Errorf("%s: %s, want %s", said, got, want)
		}
	}
}
