package config

import (
	"os"
	"strings"
	"testing"
)

// TestTheDocumentationsExampleIsValid keeps the example that people copy true.
func TestTheDocumentationsExampleIsValid(t *testing.T) {
	text, err := os.ReadFile("../../docs/operators/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```yaml\n")
	example, _, ended := strings.Cut(rest, "```\n")
	if !found || !ended {
		t.Fatal("the documentation has no example")
	}
	parsed, err := Parse("example", []byte(example), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(parsed.Document.Services) != 1 || len(parsed.Document.Nodes) != 3 {
		t.Errorf("the example declares %d services and %d nodes", len(parsed.Document.Services), len(parsed.Document.Nodes))
	}
}

// TestTheDocumentationKnowsEveryKey finds keys that nobody can learn about.
func TestTheDocumentationKnowsEveryKey(t *testing.T) {
	text, err := os.ReadFile("../../docs/operators/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	p := parser{}
	for key := range p.nodeFields(&Node{}) {
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("the documentation does not tell of %s", key)
		}
	}
}
