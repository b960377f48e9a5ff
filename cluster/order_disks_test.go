package cluster

import "testing"

// TestAServiceWithoutItsDiskHoldsNoTierUp: a tier is an order, not a dependency.
func TestAServiceWithoutItsDiskHoldsNoTierUp(t *testing.T) {
	b := newBook(t, 3, "vm:a", "vm:b", "vm:c")
	d := document("vm:a", "vm:b", "vm:c")
	first, later := d.Services["vm:a"], d.Services["vm:c"]
	first.Disks, later.Tier = d.Services["vm:b"].Disks, 1
	d.Services["vm:a"], d.Services["vm:c"] = first, later
	b.must(configure(d, b.s.Config.Version))
	b.running("vm:b", "node1")
	starts := map[string]bool{}
	for _, c := range Plan(b.s, View{Self: "node1", Leading: true}).Commands {
		if begin, is := c.(Begin); is && begin.Intent == IntentStart {
			starts[begin.Service] = true
		}
	}
	if starts["vm:a"] || !starts["vm:c"] {
		t.Errorf("started are %v; vm:a has not its disk, and vm:c only comes after it", starts)
	}
}
