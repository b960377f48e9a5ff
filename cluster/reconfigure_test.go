package cluster_test

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/resources"
)

// redeclared gives a running service another definition.
func redeclared(t *testing.T, name string, change func(*resources.Spec)) *clustertest.Book {
	t.Helper()
	b := clustertest.NewBook(t, 3, name)
	b.Running(name, "node1")
	declare(b, name, change)
	return b
}

func declare(b *clustertest.Book, name string, change func(*resources.Spec)) {
	b.T.Helper()
	d := b.S.Document
	services := map[string]resources.Spec{}
	for other, spec := range d.Services {
		services[other] = spec
	}
	spec := services[name]
	change(&spec)
	services[name] = spec
	d.Services = services
	b.Must(clustertest.Configure(d, b.S.Config.Version))
}

func blue(s *resources.Spec) { s.Definition = "blue" }

// reconfigures lists what the plan begins of that kind.
func reconfigures(b *clustertest.Book) (list []cluster.Begin) {
	for _, c := range plan.Plan(b.S, cluster.View{Self: "node2", Leading: true}).Commands {
		if begin, is := c.(cluster.Begin); is && begin.Intent == cluster.IntentReconfigure {
			list = append(list, begin)
		}
	}
	return list
}

func reconfiguring(b *clustertest.Book) {
	b.T.Helper()
	list := reconfigures(b)
	if len(list) != 1 {
		b.T.Fatalf("the plan begins %v", list)
	}
	b.Must(list[0])
}

func TestARunningServiceTakesItsDeclarationIn(t *testing.T) {
	b := redeclared(t, "service:shop", blue)
	if why := b.Service("service:shop").BehindWhy(); why.IsZero() {
		t.Error("it is not said to be behind")
	}
	reconfiguring(b)
	duties := cluster.Work(b.S, "node1")
	if len(duties) != 1 || duties[0].Kind != cluster.DutyReconfigure || duties[0].Definition != "<domain/>" ||
		duties[0].Spec.Definition != "blue" {
		t.Fatalf("%+v", duties)
	}
	b.Must(b.Done("service:shop", "node1", resources.Result{OK: true, Source: resources.Running, Why: "1 started"}))
	b.Is("service:shop", resources.Started, "node1", "node1")
	if h := b.Service("service:shop").Holders[0]; h.Definition != "blue" || len(reconfigures(b)) > 0 ||
		!b.Service("service:shop").BehindWhy().IsZero() {
		t.Errorf("%+v, and the plan begins %v", h, reconfigures(b))
	}
}

// What could not even be begun is told and not tried again; what went wrong in the
// middle is a failure of the service.
func TestAChangeThatFails(t *testing.T) {
	b := redeclared(t, "service:shop", blue)
	reconfiguring(b)
	b.Must(b.Done("service:shop", "node1",
		resources.Result{Source: resources.Running, Why: "nothing was changed: no agent"}))
	b.Is("service:shop", resources.Started, "node1", "node1")
	if why := b.Service("service:shop").BehindWhy(); !strings.Contains(why.String(), "no agent") ||
		!strings.Contains(why.String(), "clusvcadm -R service:shop") || len(reconfigures(b)) > 0 {
		t.Errorf("%q, and the plan begins %v", why, reconfigures(b))
	}
	declare(b, "service:shop", func(s *resources.Spec) { s.Definition = "red" })
	reconfiguring(b)
	b.Must(b.Done("service:shop", "node1", resources.Result{Source: resources.Broken, Why: "thing c does not start"}))
	b.Is("service:shop", resources.Recoverable, "node1", "node1")
}

func TestAChangeIsWithinTheLaws(t *testing.T) {
	begin := func(b *clustertest.Book) cluster.Begin {
		return cluster.Begin{Service: "service:shop", Intent: cluster.IntentReconfigure, Node: "node1",
			Definition: b.Service("service:shop").Spec.Definition}
	}
	b := redeclared(t, "service:shop", blue)
	late := begin(b)
	declare(b, "service:shop", func(s *resources.Spec) { s.Definition = "red" })
	b.Refused(late, "not the one in force")
	elsewhere := begin(b)
	elsewhere.Node = "node2"
	b.Refused(elsewhere, "does not run on node2")
	b.Must(cluster.LockCluster{By: "root"})
	b.Refused(begin(b), "locked")
	b.Must(cluster.UnlockCluster{By: "root"})

	// From its begin on both the old and the new disks are its own (law L9).
	declare(b, "service:shop", func(s *resources.Spec) { s.Disks = []resources.Disk{{Identity: "new"}} })
	b.Must(begin(b))
	for _, disk := range []string{"new", "disk-service:shop"} {
		if found := resources.Conflicts(b.Service("service:shop").Holders[0].Disks,
			[]resources.Disk{{Identity: disk}}); len(found) == 0 {
			t.Errorf("%s is nobody's", disk)
		}
	}
	vm := redeclared(t, "vm:a", blue)
	vm.Refused(cluster.Begin{Service: "vm:a", Intent: cluster.IntentReconfigure, Node: "node1", Definition: "blue"},
		"is a VM")
	if why := vm.Service("vm:a").BehindWhy(); !strings.Contains(why.String(), "clusvcadm -R vm:a") ||
		len(reconfigures(vm)) > 0 {
		t.Errorf("%q, and the plan begins %v", why, reconfigures(vm))
	}
}

// What was found running although it is disabled is left as it is until a person has said
// whether it stays.
func TestAChangeWaitsForThoseWhoDisabledIt(t *testing.T) {
	b := clustertest.NewBook(t, 3, "service:shop")
	b.Running("service:shop", "node1")
	b.Must(cluster.Ask{Request: "d", Op: cluster.OpDisable, Service: "service:shop"})
	finishByPlan(b, "service:shop")
	b.Must(cluster.Observed{Service: "service:shop", Node: "node2", Incarnation: b.Node("node2").Incarnation,
		AsOf:        b.S.Index,
		Observation: resources.Observation{Condition: resources.Running}})
	b.Is("service:shop", resources.Started, "node2", "node2")
	declare(b, "service:shop", blue)
	why := b.Service("service:shop").BehindWhy()
	if !strings.Contains(why.String(), "clusvcadm -e service:shop") || len(reconfigures(b)) > 0 {
		t.Errorf("%q, and the plan begins %v", why, reconfigures(b))
	}
	b.Must(cluster.Ask{Request: "e", Op: cluster.OpEnable, Service: "service:shop"})
	settlePlan(b, 1)
	if i := b.Service("service:shop").Intent; i == nil || i.Kind != cluster.IntentReconfigure {
		t.Errorf("it is kept, and its change is not put in force: %+v", b.Service("service:shop"))
	}
}

// A daemon that dies in the middle leaves a service that is looked at.
func TestAChangeThatNobodyEndedIsLookedFor(t *testing.T) {
	b := redeclared(t, "service:shop", blue)
	reconfiguring(b)
	n := b.Node("node1")
	b.Must(cluster.NodeUp{Node: "node1", Fingerprint: n.Fingerprint, Boot: n.Boot, Address: n.Address, Version: "v",
		MaxLevel: cluster.CurrentLevel, Session: "next"})
	service := b.Service("service:shop")
	if service.Intent != nil || service.State != resources.Started || !service.Holders[0].Ask {
		t.Errorf("%+v", service)
	}
}
