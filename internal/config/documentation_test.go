package config

import (
	"os"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
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

// TestTheDocumentationKnowsEveryOptionOfADriver holds the tables of the page about fencing to what
// the drivers declare, in both directions.
func TestTheDocumentationKnowsEveryOptionOfADriver(t *testing.T) {
	page, err := os.ReadFile("../../docs/operators/fencing.md")
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]bool{}
	for _, driver := range fence.Drivers() {
		schema, _ := fence.SchemaOf(driver)
		for _, o := range schema.Options {
			row := "| `" + o.Name + "` | " + o.Help + " |"
			declared[row] = true
			if !strings.Contains(string(page), "\n"+row+"\n") {
				t.Errorf("the page does not have the row of driver %s:\n%s", driver, row)
			}
		}
	}
	for _, table := range strings.Split(string(page), "| option | meaning |\n|---|---|\n")[1:] {
		rows, _, _ := strings.Cut(table, "\n\n")
		for _, row := range strings.Split(rows, "\n") {
			if !declared[row] && !strings.HasPrefix(row, "| others |") {
				t.Errorf("no driver declares what the page has:\n%s", row)
			}
		}
	}
}

// TestTheDocumentationOfAlertsIsTrue keeps the example valid, and the list of
// states whole.
func TestTheDocumentationOfAlertsIsTrue(t *testing.T) {
	text, err := os.ReadFile("../../docs/operators/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```yaml\n")
	example, _, _ := strings.Cut(rest, "```\n")
	authority, err := os.ReadFile("testdata/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"/root/chat-webhook": "https://chat.example.com/hooks/1\n", "/root/cmdb-token": "hush\n",
		"/root/cmdb-ca.pem": string(authority)}
	read := func(path string) ([]byte, error) { return []byte(files[path]), nil }
	parsed, err := Parse("example", []byte("cluster: alpha\nnodes: {node2: }\n"+example), read, nil)
	if err != nil || len(parsed.Document.Alerts) != 3 {
		t.Errorf("the example declares %d alerts: %v", len(parsed.Document.Alerts), err)
	}
	for _, state := range cluster.EventStates() {
		if state != "uninitialized" && !strings.Contains(string(text), "`"+state+"`") {
			t.Errorf("the documentation does not tell of the state %s", state)
		}
	}
}
