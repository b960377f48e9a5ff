package report

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/domain"
)

func TestWhereAServiceWouldGoNext(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	document := clustertest.Document("vm:a", "vm:b")
	document.Domains["home"] = domain.Domain{Name: "home", Restricted: true, Ordered: true,
		Members: []domain.Member{{Node: "node1", Priority: 1}, {Node: "node3", Priority: 2}}}
	spec := document.Services["vm:a"]
	spec.Domain = "home"
	document.Services["vm:a"] = spec
	b.Must(clustertest.Configure(document, b.S.Config.Version))
	b.Running("vm:a", "node1")
	next := func() (node, why string) {
		status := WithNext(b.S, Status(b.S, Facts{}))
		if status.Services[1].Next != nil {
			t.Error("what runs nowhere has a next node")
		}
		return status.Services[0].Next.Node, status.Services[0].Next.Why.String()
	}
	if node, why := next(); node != "node3" || why != "" {
		t.Errorf("%s, %s", node, why)
	}
	b.Must(cluster.OrderNode{Node: "node3", Order: cluster.OrderStandby, By: "root"})
	if node, why := next(); node != "" || !strings.Contains(why, "standby") {
		t.Errorf("%q, %s", node, why)
	}
}
