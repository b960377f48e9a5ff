package rehearse

import (
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
)

// TestAViewGoesOnWithItsState: time passes after the Step that measured it, and another event
// begins the count anew, as in Step.
func TestAViewGoesOnWithItsState(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	newest := b.S.Timeline[len(b.S.Timeline)-1].Index
	v := cluster.View{Self: "node1", Quiet: time.Hour, Newest: newest}
	if later := v.On(b.S, time.Minute); later.Quiet != time.Hour+time.Minute || v.Quiet != time.Hour {
		t.Errorf("a minute later it is quiet for %s, and before for %s", later.Quiet, v.Quiet)
	}
	before := rules.Estimate(v, rules.Of(b.S))
	steps, err := DrainPlan(b.S, v, cluster.OrderNode{Node: "node1", Order: cluster.OrderDrain, Within: time.Minute})
	if err != nil || len(steps) > 0 {
		t.Fatalf("%+v, %v", steps, err)
	}
	r := onPaper(b.S, v)
	r.apply(cluster.OrderNode{Node: "node1", Order: cluster.OrderDrain})
	if now := rules.Estimate(r.view, rules.Of(r.state)); !now.Equal(before) {
		t.Errorf("on paper it is %s, by the leader %s", now, before)
	}
	b.Must(cluster.OrderNode{Node: "node1", Order: cluster.OrderDrain})
	if later := v.On(b.S, time.Minute); later.Quiet != 0 || later.Newest != b.S.Index {
		t.Errorf("after another event it is quiet for %s", later.Quiet)
	}
}
