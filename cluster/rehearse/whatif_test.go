package rehearse

import (
	"errors"
	"fmt"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// steps are what would become of each service, in a word.
func steps(what cluster.WhatIf) map[string]string {
	found := map[string]string{}
	for _, step := range what.Steps {
		found[step.Service] = string(step.Method) + " " + step.From + ">" + step.To
	}
	return found
}

func TestWhatADocumentWouldDoIsToldBeforeItIsInForce(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*cluster.Document)
		want   map[string]string
		others int
	}{
		"nothing": {func(*cluster.Document) {}, map[string]string{}, 2},
		"one more": {func(d *cluster.Document) {
			d.Services["vm:b"] = clustertest.Document("vm:b").Services["vm:b"]
		}, map[string]string{"vm:b": "cold >node2"}, 2},
		"one that fits nowhere": {func(d *cluster.Document) {
			spec := clustertest.Document("vm:b").Services["vm:b"]
			spec.Demand.Memory = 64 * resources.GiB
			d.Services["vm:b"] = spec
		}, map[string]string{"vm:b": "stays >"}, 2},
		"none": {func(d *cluster.Document) { delete(d.Services, "vm:off") }, map[string]string{"vm:off": "goes >"}, 1},
	} {
		b := clustertest.NewBook(t, 3, "vm:a", "vm:off")
		for _, node := range []string{"node1", "node2", "node3"} {
			b.Must(cluster.NodeCapacity{Node: node, Incarnation: b.Node(node).Incarnation,
				Capacity: cluster.Capacity{Memory: 32 * resources.GiB, CPUs: 8}})
		}
		b.Running("vm:a", "node1")
		b.Must(cluster.Ask{Request: "off", Op: cluster.OpDisable, Service: "vm:off"})
		d := clustertest.Document("vm:a", "vm:off")
		c.change(&d)
		index := b.S.Index
		what, refused, err := WhatIfDocument(b.S, cluster.View{Self: "node3", Leading: true}, clustertest.Configure(d, 1))
		if got := steps(what); err != nil || !refused.IsZero() || len(got) != len(c.want) || what.Others != c.others {
			t.Errorf("%s: %v, %d others, refused for %q; want %v and %d", name, got, what.Others, refused, c.want, c.others)
		} else {
			for service, want := range c.want {
				if got[service] != want {
					t.Errorf("%s: %s: %s, want %s", name, service, got[service], want)
				}
			}
		}
		if b.S.Index != index || b.S.Services.Has("vm:b") {
			t.Errorf("%s: the State has changed", name)
		}
	}
}

func TestADocumentThatWouldBeRefusedIsToldSo(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	d := clustertest.Document("vm:a")
	d.TwoNode = &cluster.TwoNode{}
	what, refused, err := WhatIfDocument(b.S, cluster.View{Self: "node3"}, clustertest.Configure(d, 1))
	if err != nil || refused.IsZero() {
		t.Errorf("it would do %v, and three nodes cannot have the rule for two", steps(what))
	}
}

// What is under way without the document is no answer to a question about it.
func TestWhatHappensAnywayIsNotTheDocuments(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Running("vm:a", "node1") // vm:b is to be started
	d := clustertest.Document("vm:a", "vm:b")
	spec := d.Services["vm:a"]
	spec.Priority = 7
	d.Services["vm:a"] = spec
	what, refused, err := WhatIfDocument(b.S, cluster.View{Self: "node3", Leading: true}, clustertest.Configure(d, 1))
	if err != nil || !refused.IsZero() || len(what.Steps) > 0 || what.Others != 2 {
		t.Errorf("it would do %v, besides %d others; %q %v", steps(what), what.Others, refused, err)
	}
	for i := range mostRehearsed {
		d.Services[fmt.Sprintf("vm:n%d", i)] = resources.Spec{}
	}
	_, _, err = WhatIfDocument(b.S, cluster.View{Self: "node3"}, clustertest.Configure(d, 1))
	if !errors.Is(err, ErrTooMany) {
		t.Errorf("%d services: %v", len(d.Services), err)
	}
}
