package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// reason is why a mover takes a service from where it is.
type reason struct {
	mover, by string
	add       func()
}

const shop = "service:shop"

// reasonsOf gives the service a reason more at a time, those of the last mover first.
func reasonsOf(b *clustertest.Book) []reason {
	change := func(how func(*cluster.Service)) {
		service := b.Service(shop)
		how(&service)
		b.S.Services.Set(shop, service)
	}
	of := func(how func(*cluster.Member)) {
		n := b.Node("node1")
		how(&n)
		b.S.Nodes.Set("node1", n)
	}
	home := domain.Domain{Name: "home", Ordered: true, Members: []domain.Member{{Node: "node2", Priority: 1}}}
	return []reason{
		{"failback", "failback", func() {
			b.S.Document.Domains["home"] = home
			change(func(s *cluster.Service) { s.Spec.Domain = "home" })
		}},
		{"together", "together", func() { change(func(s *cluster.Service) { s.Spec.Together = []string{"service:pal"} }) }},
		{"return", "return", func() { change(func(s *cluster.Service) { s.Home = "node4" }) }},
		{"config", "config", func() {
			b.S.Blobs.Set("blue", "<domain/>")
			change(func(s *cluster.Service) { s.Spec.Definition = "blue" })
		}},
		{"domain", "domain", func() {
			home.Restricted = true
			b.S.Document.Domains["home"] = home
		}},
		{"order", "standby", func() {
			of(func(n *cluster.Member) { n.Order = &cluster.Order{Kind: cluster.OrderStandby, By: "ann"} })
		}},
		{"leave", cluster.ByLeave, func() { of(func(n *cluster.Member) { n.State = cluster.NodeLeaving }) }},
		{"request", "root", func() {
			change(func(s *cluster.Service) { s.Wish = &cluster.Wish{Op: cluster.OpRelocate, By: "root"} })
		}},
		{"depend", "depend", func() {
			change(func(s *cluster.Service) {
				s.Spec.Depend = []resources.Dependency{{Service: "service:base", Mode: resources.Hard}}
			})
			base := b.Service("service:base")
			base.State, base.Enabled = resources.Stopped, false
			b.S.Services.Set("service:base", base)
		}},
	}
}

// TestMoversHaveTheirSayInOrder gives one service a reason more to be moved at a time: each
// outdoes those that were there before.
func TestMoversHaveTheirSayInOrder(t *testing.T) {
	b := clustertest.NewBook(t, 4, shop, "service:pal", "service:base")
	b.Running("service:base", "node1")
	b.Running(shop, "node1")
	b.Running("service:pal", "node3")
	reasons := reasonsOf(b)
	if len(reasons) != len(movers) {
		t.Fatalf("there are %d movers, and %d are tested", len(movers), len(reasons))
	}
	for i, reason := range reasons {
		if name := movers[len(movers)-1-i].name; name != reason.mover {
			t.Errorf("%s has its say where %s should", name, reason.mover)
		}
		reason.add()
		d, by := Plan(b.S, cluster.View{Self: "node2"}), "nobody"
		for _, c := range d.Commands {
			if begin, is := c.(cluster.Begin); is && begin.Service == shop {
				by = begin.By
			}
		}
		if by != reason.by {
			t.Errorf("with a reason to %s: moved by %s, not %s: %+v", reason.mover, by, reason.by, d)
		}
	}
}

// TestAMoverThatWaitsIsNotTheLast: one that would move a service and cannot says so, and those
// after it are asked; one that keeps it where it is is the last.
func TestAMoverThatWaitsIsNotTheLast(t *testing.T) {
	for name, kind := range map[string]answerKind{"waits": saysWait, "says nothing": saysNothing, "stays": saysStay} {
		b := clustertest.NewBook(t, 2, "vm:a")
		b.Running("vm:a", "node1")
		p := NewPlanner(rules.Of(b.S), cluster.View{Self: "node1"}, &Decision{})
		asked := false
		p.askEach(&running{service: b.Service("vm:a")}, []mover{
			{"first", func(*planner, *running) answer { return answer{kind: kind, why: message.Words("because")} }},
			{"second", func(*planner, *running) answer {
				asked = true
				return answer{}
			}},
		})
		if asked != (kind != saysStay) {
			t.Errorf("the first %s: the second was asked: %v", name, asked)
		}
		if says(p.decision, "because") != (kind != saysNothing) {
			t.Errorf("the first %s: %+v", name, p.decision.Notes)
		}
	}
}

// TestNothingFailsBackToAPlaceThatIsEmptyForAMoment: vm:b is down until what it needs is up
// again, and returns to node1 then.
func TestNothingFailsBackToAPlaceThatIsEmptyForAMoment(t *testing.T) {
	d := clustertest.Document("vm:a", "vm:b", "vm:need")
	d.Domains["home"] = domain.Domain{Name: "home", Ordered: true,
		Members: []domain.Member{{Node: "node1", Priority: 1}, {Node: "node2", Priority: 2}}}
	a, other := d.Services["vm:a"], d.Services["vm:b"]
	a.Domain, a.Exclusive = "home", true
	other.Depend = []resources.Dependency{{Service: "vm:need", Mode: resources.Hard}}
	d.Services["vm:a"], d.Services["vm:b"] = a, other
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b", "vm:need")
	b.Running("vm:need", "node3")
	b.Running("vm:b", "node1")
	b.Running("vm:a", "node2")
	b.Must(clustertest.Configure(d, 1))
	b.Must(cluster.Begin{Service: "vm:b", Intent: cluster.IntentStop, Node: "node1", Purpose: cluster.ForAhead,
		By: "depend"})
	b.Must(b.Done("vm:b", "node1", resources.Result{OK: true, Source: resources.Absent}))
	p := NewPlanner(rules.Of(b.S), cluster.View{Self: "node3", Leading: true}, &Decision{})
	fails := func() {
		service := b.Service("vm:a")
		p.take(service, p.planFailback(&running{service: service, holder: service.Holders[0]}))
	}
	fails()
	if len(p.decision.Commands) > 0 || !says(p.decision, "node1 suits it better and is kept for vm:b") {
		t.Errorf("%+v", p.decision)
	}
	b.Must(cluster.Ask{Request: "off", Op: cluster.OpDisable, Service: "vm:b", By: "root"})
	p = NewPlanner(rules.Of(b.S), cluster.View{Self: "node3", Leading: true}, &Decision{})
	if fails(); len(p.decision.Commands) != 1 {
		t.Errorf("once vm:b is disabled: %+v", p.decision)
	}
}

// says reports whether a note of the decision contains the text.
func says(d *Decision, text string) bool {
	return slices.ContainsFunc(d.Notes, func(n cluster.Note) bool { return strings.Contains(n.Why.String(), text) })
}
