package cluster

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// redeclared gives a running service another definition.
func redeclared(t *testing.T, name, definition string) *book {
	t.Helper()
	b := newBook(t, 3, name)
	b.running(name, "node1")
	d := document(name)
	spec := d.Services[name]
	spec.Definition = definition
	d.Services[name] = spec
	b.must(configure(d, b.s.Config.Version))
	return b
}

func adjusted(b *book, problem string) Adjusted {
	return Adjusted{Service: "service:shop", Node: "node1", Incarnation: b.node("node1").Incarnation, Definition: "blue", What: "thing a changed in place", Problem: problem}
}

func TestAServiceGoesOnAsDeclaredBeforeUntilItStartsAnew(t *testing.T) {
	b := redeclared(t, "service:shop", "blue")
	refused := adjusted(b, "thing a could not be changed in place")
	b.must(refused)
	if why := b.service("service:shop").BehindWhy(); !strings.Contains(why, "thing a could not") {
		t.Errorf("%q", why)
	}
	last := b.s.Timeline[len(b.s.Timeline)-1]
	if last.Subject != "service:shop" || !strings.Contains(last.Why, "goes on as it was declared before: thing a could not") {
		t.Errorf("%+v", last)
	}
	b.refused(refused, "this is known")
	b.must(adjusted(b, ""))
	if why := b.service("service:shop").BehindWhy(); why != "" {
		t.Errorf("it was changed in place, and still: %s", why)
	}
	if last := b.s.Timeline[len(b.s.Timeline)-1]; !strings.Contains(last.Why, "without a restart: thing a changed in place") {
		t.Errorf("%+v", last)
	}
	b.must(refused)
	b.lose("node1")
	b.must(b.shoot("node1", "node2"))
	b.must(b.shot("node1", fence.Confirmed))
	again := b.startOf("service:shop", "node2")
	again.Definition = "blue"
	b.must(again)
	b.must(b.done("service:shop", "node2", resources.Result{OK: true, Source: resources.Running}))
	if why := b.service("service:shop").BehindWhy(); why != "" {
		t.Errorf("it started anew, and still: %s", why)
	}
}

func TestAnOldWordOnADeclarationIsNotTaken(t *testing.T) {
	b := redeclared(t, "service:shop", "blue")
	for why, c := range map[string]Adjusted{
		"older incarnation":         {Service: "service:shop", Node: "node1", Definition: "blue", What: "w"},
		"does not run on":           {Service: "service:shop", Node: "node2", Incarnation: b.node("node2").Incarnation, Definition: "blue", What: "w"},
		"has changed again":         {Service: "service:shop", Node: "node1", Incarnation: b.node("node1").Incarnation, Definition: "red", What: "w"},
		"service:gone does not run": {Service: "service:gone", Node: "node1", Incarnation: b.node("node1").Incarnation, Definition: "blue", What: "w"},
	} {
		b.refused(c, why)
	}
}

func TestAVMTakesItsDefinitionInWhenItStarts(t *testing.T) {
	b := redeclared(t, "vm:a", "blue")
	if why := b.service("vm:a").BehindWhy(); !strings.Contains(why, "clusvcadm -R vm:a") {
		t.Errorf("%q", why)
	}
	same := redeclared(t, "vm:a", "definition-vm:a")
	if why := same.service("vm:a").BehindWhy(); why != "" {
		t.Errorf("nothing changed, and still: %s", why)
	}
}
