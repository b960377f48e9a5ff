package config

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/config/rewrite"
)

// TestAVMThatIsOffIsAddedAsOneThatStaysDown: to take it in is not to start it.
func TestAVMThatIsOffIsAddedAsOneThatStaysDown(t *testing.T) {
	definition := "<domain>\n  <name>new</name>\n  <uuid>" + uuidA + "</uuid>\n</domain>\n"
	for _, runs := range []bool{true, false} {
		for _, domain := range []string{"", "anywhere"} {
			text, err := rewrite.AddService("cluster: alpha\nnodes: {node1: {}}\ndomains: {anywhere: {members: [node1]}}\n",
				"alpha", "vm:new", domain, definition, runs)
			if err != nil {
				t.Fatal(err)
			}
			if starts := parse(t, []byte(text)).Document.Services["vm:new"].Autostart; starts != runs {
				t.Errorf("it runs: %t, and autostart is %t:\n%s", runs, starts, text)
			}
		}
	}
}

func TestAddServiceAddsOneAndChangesNothingElse(t *testing.T) {
	for name, text := range map[string]string{
		"whole document":    string(alpha(t)),
		"no document yet":   "",
		"no services":       "cluster: alpha\n",
		"services: nothing": "cluster: alpha\nservices:\n",
		"in one line":       "cluster: alpha\nservices: {}\n",
	} {
		t.Run(name, func(t *testing.T) {
			definition := "<domain>\n  <name>new</name>\n  <uuid>" + uuidA + "</uuid>\n</domain>\n"
			added, err := rewrite.AddService(text, "alpha", "vm:new", "", definition, true)
			if err != nil {
				t.Fatal(err)
			}
			after := parse(t, []byte(added))
			if after.Blobs[after.Document.Services["vm:new"].Definition] != definition {
				t.Errorf("the definition is not what was given:\n%s", added)
			}
			if text == "" {
				return
			}
			changes := Diff(parse(t, []byte(text)).Document, after.Document)
			if len(changes) != 1 || !strings.HasPrefix(changes[0], "service vm:new: is added") {
				t.Errorf("the changes are %q", changes)
			}
			if _, err := rewrite.AddService(added, "alpha", "vm:new", "", definition, true); err == nil {
				t.Error("a service was added twice")
			}
		})
	}
}
