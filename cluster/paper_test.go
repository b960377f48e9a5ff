package cluster

import (
	"testing"
	"time"
)

// TestAViewGoesOnWithItsState: time passes after the Step that measured it, and another event
// begins the count anew, as in Step.
func TestAViewGoesOnWithItsState(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	newest := b.s.Timeline[len(b.s.Timeline)-1].Index
	v := View{Self: "node1", Quiet: time.Hour, Newest: newest}
	if later := v.On(b.s, time.Minute); later.Quiet != time.Hour+time.Minute || v.Quiet != time.Hour {
		t.Errorf("a minute later it is quiet for %s, and before for %s", later.Quiet, v.Quiet)
	}
	before := v.estimate(b.s.world())
	steps, err := DrainPlan(b.s, v, OrderNode{Node: "node1", Order: OrderDrain, Within: time.Minute})
	if err != nil || len(steps) > 0 {
		t.Fatalf("%+v, %v", steps, err)
	}
	r := onPaper(b.s, v)
	r.apply(OrderNode{Node: "node1", Order: OrderDrain})
	if now := r.view.estimate(r.state.world()); !now.Equal(before) {
		t.Errorf("on paper it is %s, by the leader %s", now, before)
	}
	b.must(OrderNode{Node: "node1", Order: OrderDrain})
	if later := v.On(b.s, time.Minute); later.Quiet != 0 || later.Newest != b.s.Index {
		t.Errorf("after another event it is quiet for %s", later.Quiet)
	}
}
