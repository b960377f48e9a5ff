package rewrite

import (
	"strings"
	"testing"
)

const before = `cluster: alpha
# Both racks.
nodes:
  node1: {address: 10.0.0.1}
  node2.example.com:
    address: 10.0.0.2
services:
  vm:web:
    domain: racks # the usual one
`

func TestSettingsAreWrittenIntoTheDocument(t *testing.T) {
	for _, c := range []struct{ settings, want string }{
		{"services.vm:web.domain=east", "domain: east # the usual one"},
		{"services.vm:web.priority=7", "domain: racks # the usual one\n    priority: 7"},
		{"services.vm:web.domain=", "vm:web: {}"},
		{"nodes.node1.reserve_memory=4 GiB", "address: 10.0.0.1\n    reserve_memory: 4 GiB"},
		{"nodes.node2.example.com.address=10.0.0.9", "node2.example.com:\n    address: 10.0.0.9"},
		{"domains.east.members={node1: 1}", "domains:\n  east:\n    members: {node1: 1}"},
		{"services.vm:web.depends=[vm:db]", "depends: ['vm:db']"},
	} {
		got, err := Set(before, "alpha", strings.Split(c.settings, ";"))
		if err != nil || !strings.Contains(got, c.want) {
			t.Errorf("%s: %v\n%s\nwant %q in it", c.settings, err, got, c.want)
		}
		if !strings.Contains(got, "# Both racks.") {
			t.Errorf("%s: the comments are lost:\n%s", c.settings, got)
		}
	}
	if got, err := Set("# nothing yet\n", "alpha", []string{"timing=fast"}); err != nil ||
		got != "cluster: alpha\ntiming: fast\n" {
		t.Errorf("into an empty document: %v %q", err, got)
	}
}

func TestASettingThatCannotBeWrittenIsAnErrorWithItsKey(t *testing.T) {
	for setting, want := range map[string]string{
		"services.vm:web.domain":         "is not KEY=VALUE",
		"=x":                             "is not KEY=VALUE",
		"services.vm:web.domain.x=1":     "services.vm:web.domain has no keys below it",
		"services.vm:db.domain=":         "there is no vm:db",
		"services.vm:web.priority=":      "it is not there",
		"services..domain=x":             "a level has no name",
		"services.vm:web.priority=[1":    "is no YAML",
		"services.vm:web.priority=# no":  "is no value",
		"services.vm:web.priority=7 # x": "has a comment in it",
		"services.=":                     "a level has no name",
		"services.vm:web.=":              "a level has no name",
		"devices.d1.password=open":       "seen by others",
		"alerts.desk.secret=open":        "seen by others",
		"devices.d1.options.passwd=open": "seen by others",
	} {
		if got, err := Set(before, "alpha", []string{setting}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q\n%s", setting, err, want, got)
		}
	}
}

// A name that is given apart from its keys is that name, whatever is in it.
func TestOneEntryIsNamedExactly(t *testing.T) {
	got, err := SetBelow(before, "alpha", []string{"domains", "eu.west"}, []string{"ordered=true", "members={node1: 1}"})
	if err != nil || !strings.Contains(got, "  eu.west:\n    ordered: true\n    members: {node1: 1}\n") {
		t.Errorf("%v\n%s", err, got)
	}
	if _, err := Remove(before, "alpha", "services", "vm:web.domain"); err == nil ||
		!strings.Contains(err.Error(), "services.vm:web.domain: it is not there") {
		t.Errorf("a VM of that name was taken out: %v", err)
	}
	got, err = Remove(before, "alpha", "nodes", "node2.example.com")
	if err != nil || strings.Contains(got, "example") || !strings.Contains(got, "node1") {
		t.Errorf("%v\n%s", err, got)
	}
	_, err = SetBelow(before, "alpha", []string{"devices", "d1"}, []string{"address=a", "password=open"})
	if err == nil || strings.Contains(err.Error(), "open") {
		t.Errorf("a secret, and what is said of it: %v", err)
	}
}
