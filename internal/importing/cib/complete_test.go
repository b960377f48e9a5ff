package cib

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/importing"
)

// everything are the elements of a CIB's configuration with their attributes, as Pacemaker's
// schemas list them.
var everything = map[string]string{
	"cib": "validate-with epoch num_updates admin_epoch", "configuration": "", "crm_config": "",
	"cluster_property_set": "id", "nvpair": "id name value id-ref", "nodes": "", "node": "id uname type",
	"instance_attributes": "id id-ref score", "meta_attributes": "id id-ref", "utilization": "id", "resources": "",
	"primitive": "id class provider type template description", "template": "id class type",
	"group": "id", "clone": "id", "master": "id", "bundle": "id", "operations": "id id-ref",
	"op":          "id name interval timeout on-fail role enabled id-ref",
	"constraints": "", "rsc_location": "id rsc rsc-pattern node score role resource-discovery",
	"rsc_colocation": "id rsc with-rsc score with-rsc-role node-attribute",
	"rsc_order":      "id first then kind score symmetrical first-action then-action",
	"rsc_ticket":     "id rsc ticket loss-policy",
	"resource_set":   "id id-ref sequential require-all score",
	"resource_ref":   "id", "lifetime": "",
	"rule":             "id id-ref score score-attribute boolean-op",
	"expression":       "id attribute operation value type",
	"date_expression":  "id operation start end",
	"fencing-topology": "", "fencing-level": "id index target target-pattern target-attribute target-value devices",
	"rsc_defaults": "", "op_defaults": "", "tags": "", "tag": "id", "obj_ref": "id", "alerts": "",
	"alert": "id path", "recipient": "id value", "acls": "", "status": "",
}

// invented are what the examples have that no schema knows, and the names by which the importer
// says that of them.
var invented = []string{"invented", "mystery", "odd", "strange"}

// TestEverythingOfACIBIsInAnExample: each element and attribute of the schemas is in an example,
// and the report knows it.
func TestEverythingOfACIBIsInAnExample(t *testing.T) {
	seen := map[string]bool{}
	sources, err := filepath.Glob("testdata/*.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		_, report, err := Translate(source, text, definitions)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range report.Findings {
			unknown := strings.Contains(f.Message, "not known here")
			for _, word := range invented {
				unknown = unknown && !strings.Contains(f.Subject, word)
			}
			if unknown {
				t.Errorf("%s:%d: %s: %s", source, f.Line, f.Subject, f.Message)
			}
		}
		top, err := importing.ReadMarkup(source, text)
		if err != nil {
			t.Fatal(err)
		}
		note(top, seen)
	}
	for element, attributes := range everything {
		if !seen[element] {
			t.Errorf("no example has <%s>", element)
		}
		for _, attribute := range strings.Fields(attributes) {
			if !seen[element+" "+attribute] {
				t.Errorf("no example has %s of <%s>", attribute, element)
			}
		}
	}
}

func note(e *importing.Element, seen map[string]bool) {
	seen[e.Name] = true
	for _, name := range e.Names() {
		seen[e.Name+" "+name] = true
	}
	for _, child := range e.Children {
		note(child, seen)
	}
}
