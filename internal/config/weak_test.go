package config

import (
	"strings"
	"testing"
)

// What people do by mistake is called by its name.
func TestCommonMistakesAreCalledByTheirName(t *testing.T) {
	for text, want := range map[string]string{
		"cluster: a\nnodes:\n\tn1: {}\n":      "d:3:1: begins with a tab; YAML wants spaces",
		"<?xml version='1.0'?>\n<cluster/>\n": "d:1:1: is XML and no cluster document: `clusterd import FILE` makes one",
		"\ufeff<cib/>\n":                      "is XML and no cluster document",
		"cluster: a\ndevices: {b: {driver: ipmi, address: 10.97.0.1011, username: a, password: b}}\n": "" +
			"looks like an IP address and is none",
	} {
		_, err := Parse("d", []byte(text), nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
	block := "cluster: a\nservices:\n  vm:x:\n    definition: |\n" +
		"      <domain>\n      \t<name>x</name><uuid>" + uuidA + "</uuid>\n      </domain>\n"
	if _, err := Parse("d", []byte(block), nil, nil); err != nil {
		t.Errorf("tabs in a definition: %v", err)
	}
}
