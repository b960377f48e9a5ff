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
		"services.vm:web.domain":        "is not KEY=VALUE",
		"=x":                            "is not KEY=VALUE",
		"services.vm:web.domain.x=1":    "services.vm:web.domain has no keys below it",
		"services.vm:db.domain=":        "there is no vm:db",
		"services.vm:web.priority=":     "it is not there",
		"services..domain=x":            "a level has no name",
		"services.vm:web.priority=[1":   "is no YAML",
		"services.vm:web.priority=# no": "is no value",
	} {
		if got, err := Set(before, "alpha", []string{setting}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q\n%s", setting, err, want, got)
		}
	}
}
