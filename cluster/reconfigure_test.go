package cluster

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// redeclared gives a running service another definition.
func redeclared(t *testing.T, name string, change func(*resources.Spec)) *book {
	t.Helper()
	b := newBook(t, 3, name)
	b.s.Level = levelTwo
	b.running(name, "node1")
	b.declare(name, change)
	return b
}

func (b *book) declare(name string, change func(*resources.Spec)) {
	b.t.Helper()
	d := b.s.Document
	services := map[string]resources.Spec{}
	for other, spec := range d.Services {
		services[other] = spec
	}
	spec := services[name]
	change(&spec)
	services[name] = spec
	d.Services = services
	b.must(configure(d, b.s.Config.Version))
}

func blue(s *resources.Spec) { s.Definition = "blue" }

// reconfigures lists what the plan begins of that kind.
func (b *book) reconfigures() (list []Begin) {
	for _, c := range Plan(b.s, View{Self: "node2", Leading: true}).Commands {
		if begin, is := c.(Begin); is && begin.Intent == IntentReconfigure {
			list = append(list, begin)
		}
	}
	return list
}

func (b *book) reconfiguring() {
	b.t.Helper()
	list := b.reconfigures()
	if len(list) != 1 {
		b.t.Fatalf("the plan begins %v", list)
	}
	b.must(list[0])
}

func TestARunningServiceTakesItsDeclarationIn(t *testing.T) {
	b := redeclared(t, "service:shop", blue)
	if why := b.service("service:shop").BehindWhy(); why == "" {
		t.Error("it is not said to be behind")
	}
	b.reconfiguring()
	duties := Work(b.s, "node1")
	if len(duties) != 1 || duties[0].Kind != DutyReconfigure || duties[0].Definition != "<domain/>" || duties[0].Spec.Definition != "blue" {
		t.Fatalf("%+v", duties)
	}
	b.must(b.done("service:shop", "node1", resources.Result{OK: true, Source: resources.Running, Why: "1 started"}))
	b.is("service:shop", resources.Started, "node1", "node1")
	if h := b.service("service:shop").Holders[0]; h.Definition != "blue" || len(b.reconfigures()) > 0 || b.service("service:shop").BehindWhy() != "" {
		t.Errorf("%+v, and the plan begins %v", h, b.reconfigures())
	}
}

// What could not even be begun is told and not tried again; what went wrong in the
// middle is a failure of the service.
func TestAChangeThatFails(t *testing.T) {
	b := redeclared(t, "service:shop", blue)
	b.reconfiguring()
	b.must(b.done("service:shop", "node1", resources.Result{Source: resources.Running, Why: "nothing was changed: no agent"}))
	b.is("service:shop", resources.Started, "node1", "node1")
	if why := b.service("service:shop").BehindWhy(); !strings.Contains(why, "no agent") || !strings.Contains(why, "clusvcadm -R service:shop") || len(b.reconfigures()) > 0 {
		t.Errorf("%q, and the plan begins %v", why, b.reconfigures())
	}
	b.declare("service:shop", func(s *resources.Spec) { s.Definition = "red" })
	b.reconfiguring()
	b.must(b.done("service:shop", "node1", resources.Result{Source: resources.Broken, Why: "thing c does not start"}))
	b.is("service:shop", resources.Recoverable, "node1", "node1")
}

func TestAChangeIsWithinTheLaws(t *testing.T) {
	begin := func(b *book) Begin {
		return Begin{Service: "service:shop", Intent: IntentReconfigure, Node: "node1", Definition: b.service("service:shop").Spec.Definition}
	}
	b := redeclared(t, "service:shop", blue)
	late := begin(b)
	b.declare("service:shop", func(s *resources.Spec) { s.Definition = "red" })
	b.refused(late, "not the one in force")
	elsewhere := begin(b)
	elsewhere.Node = "node2"
	b.refused(elsewhere, "does not run on node2")
	b.must(LockCluster{By: "root"})
	b.refused(begin(b), "locked")
	b.must(UnlockCluster{By: "root"})

	// From its begin on both the old and the new disks are its own (law L9).
	b.declare("service:shop", func(s *resources.Spec) { s.Disks = []resources.Disk{{Identity: "new"}} })
	b.must(begin(b))
	for _, disk := range []string{"new", "disk-service:shop"} {
		if found := resources.Conflicts(b.service("service:shop").Holders[0].Disks, []resources.Disk{{Identity: disk}}); len(found) == 0 {
			t.Errorf("%s is nobody's", disk)
		}
	}
	vm := redeclared(t, "vm:a", blue)
	vm.refused(Begin{Service: "vm:a", Intent: IntentReconfigure, Node: "node1", Definition: "blue"}, "is a VM")
	if why := vm.service("vm:a").BehindWhy(); !strings.Contains(why, "clusvcadm -R vm:a") || len(vm.reconfigures()) > 0 {
		t.Errorf("%q, and the plan begins %v", why, vm.reconfigures())
	}
}

// What was found running although it is disabled is left as it is until a person has said whether it stays.
func TestAChangeWaitsForThoseWhoDisabledIt(t *testing.T) {
	b := newBook(t, 3, "service:shop")
	b.s.Level = levelTwo
	b.running("service:shop", "node1")
	b.must(Ask{Request: "d", Op: OpDisable, Service: "service:shop"})
	b.finishByPlan("service:shop")
	b.must(Observed{Service: "service:shop", Node: "node2", Incarnation: b.node("node2").Incarnation, AsOf: b.s.Index,
		Observation: resources.Observation{Condition: resources.Running}})
	b.is("service:shop", resources.Started, "node2", "node2")
	b.declare("service:shop", blue)
	why := b.service("service:shop").BehindWhy()
	if !strings.Contains(why, "clusvcadm -e service:shop") || len(b.reconfigures()) > 0 {
		t.Errorf("%q, and the plan begins %v", why, b.reconfigures())
	}
	b.must(Ask{Request: "e", Op: OpEnable, Service: "service:shop"})
	b.settlePlan(1)
	if i := b.service("service:shop").Intent; i == nil || i.Kind != IntentReconfigure {
		t.Errorf("it is kept, and its change is not put in force: %+v", b.service("service:shop"))
	}
}

// A daemon that dies in the middle leaves a service that is looked at.
func TestAChangeThatNobodyEndedIsLookedFor(t *testing.T) {
	b := redeclared(t, "service:shop", blue)
	b.reconfiguring()
	n := b.node("node1")
	b.must(NodeUp{Node: "node1", Fingerprint: n.Fingerprint, Boot: n.Boot, Address: n.Address, Version: "v", MaxLevel: CurrentLevel, Session: "next"})
	service := b.service("service:shop")
	if service.Intent != nil || service.State != resources.Started || !service.Holders[0].Ask {
		t.Errorf("%+v", service)
	}
}
