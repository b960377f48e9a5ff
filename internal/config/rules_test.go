package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/resources"
)

const uuidC = "00000000-0000-4000-8000-00000000000c"

// vmWith writes a VM with more keys, one per line.
func vmWith(name, uuid string, keys ...string) string {
	return strings.Replace(vm(name, uuid, ""), "    definition",
		"    "+strings.Join(append(keys, "definition"), "\n    "), 1)
}

func TestRulesBetweenServicesAreRead(t *testing.T) {
	text := "cluster: a\nstart_at_once: 4\nservices:\n" + vm("db", uuidA, "") +
		vmWith("app", uuidB, "depend: ['vm:db', {service: 'vm:web', mode: soft}]", "tier: 2", "priority: 5",
			"stop_failure: fence") +
		vmWith("web", uuidC, "together: ['vm:db']", "apart: ['vm:app']")
	parsed, err := Parse("d", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	app, web := parsed.Document.Services["vm:app"], parsed.Document.Services["vm:web"]
	want := resources.Rules{Depend: []resources.Dependency{{Service: "vm:db", Mode: resources.Hard},
		{Service: "vm:web", Mode: resources.Soft}},
		Tier: 2, Priority: 5, StopFailure: resources.FenceNode}
	if diff := cmp.Diff(want, app.Rules); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(resources.Rules{Together: []string{"vm:db"}, Apart: []string{"vm:app"}}, web.Rules); diff != "" {
		t.Error(diff)
	}
	if parsed.Document.StartAtOnce != 4 {
		t.Errorf("start_at_once is %d", parsed.Document.StartAtOnce)
	}
	shown := Print(parsed.Document)
	if !strings.Contains(shown, "  depends on vm:db (hard), vm:web (soft)\n  tier 2\n  priority 5\n"+
		"  stop_failure fence\n") ||
		!strings.Contains(shown, "at most 4 services") {
		t.Errorf("what it means is not told:\n%s", shown)
	}
	plain := parsed.Document
	plain.Services = map[string]resources.Spec{"vm:app": {Name: "vm:app", UUID: app.UUID, Definition: app.Definition,
		Autostart: true}}
	if lines := strings.Join(Diff(plain, parsed.Document), "\n"); !strings.Contains(lines,
		"service vm:app: depend changes from none to vm:db (hard), vm:web (soft) (what runs stays") {
		t.Errorf("the change is not told:\n%s", lines)
	}
}

func TestRulesThatCouldNeverBeMet(t *testing.T) {
	for _, c := range []struct {
		name, services string
		want           []string
	}{
		{"not declared", vmWith("app", uuidA, "depend: ['vm:bd']") + vm("db", uuidB, ""),
			[]string{`d:4:14: depend of service vm:app names service "vm:bd", which is not declared under services. Did ` +
				`you mean 'vm:db'?`}},
		{"itself", vmWith("app", uuidA, "apart: ['vm:app']"), []string{"d:4:13: service vm:app names itself in apart"}},
		{"twice", vmWith("app", uuidA, "together: ['vm:db', 'vm:db']") + vm("db", uuidB, ""),
			[]string{"d:4:25: together of service vm:app names vm:db twice"}},
		{"a mode nobody knows", vmWith("app", uuidA, "depend: [{service: 'vm:db', mode: firm}, {mode: soft}]") + vm("db",
			uuidB, ""), []string{
			`d:4:39: mode is "firm"; it must be one of hard, soft.`,
			`d:4:46: a dependency of service vm:app has no "service"; write {service: NAME, mode: soft}`}},
		{"a circle", vmWith("a", uuidA, "depend: ['vm:b']") + vmWith("b", uuidB, "depend: ['vm:c']") + vmWith("c", uuidC,
			"depend: [{service: 'vm:a', mode: soft}]"),
			[]string{"d:4:14: services depend on each other in a circle, so that none could start first: vm:a needs vm:b " +
				"needs vm:c needs vm:a"}},
		{"a later tier", vmWith("app", uuidA, "depend: ['vm:db']", "tier: 1") + vmWith("db", uuidB, "tier: 2"),
			[]string{"d:4:14: service vm:app (tier 1) depends on vm:db, which starts in the later tier 2: neither could start"}},
		{"together and apart", vmWith("app", uuidA, "together: ['vm:db']") + vmWith("db", uuidB, "apart: ['vm:app']"),
			[]string{"d:4:16: service vm:app shall run together with vm:db and apart from it"}},
		{"together and exclusive", vmWith("app", uuidA, "together: ['vm:db']") + vmWith("db", uuidB, "exclusive: true"),
			[]string{"d:4:16: service vm:app shall run together with vm:db, but vm:db is exclusive and shares its " +
				"node with nobody"}},
		{"a tenth tier", vmWith("app", uuidA, "tier: 10"), []string{"d:4:11: tier is 10; it must be between 0 and 9"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("d", []byte("cluster: a\nservices:\n"+c.services), nil, nil)
			if err == nil {
				t.Fatal("no fault was found")
			}
			if got, want := err.Error(), strings.Join(c.want, "\n"); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
