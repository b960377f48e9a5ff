package cluster_test

import (
	"encoding/json"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/resources"
)

// vanished are the ways in which a guest comes to be looked for, each from a VM that runs on node1.
var vanished = []struct {
	name string
	goes func(b *clustertest.Book)
}{
	{"it disappears", func(b *clustertest.Book) {
		b.Must(seenOn(b, "node1", resources.Observation{Condition: resources.Absent}))
	}},
	{"it disappears while a stop of it is wanted", func(b *clustertest.Book) {
		b.Must(cluster.Ask{Request: "r", Op: cluster.OpStop, Service: "vm:a", By: "root"})
		b.Must(seenOn(b, "node1", resources.Observation{Condition: resources.Absent}))
	}},
	{"its migration ends at neither end", func(b *clustertest.Book) {
		b.Must(cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node3"})
		b.Ready("vm:a")
		b.Must(b.Done("vm:a", "node1", resources.Result{Source: resources.Absent, Why: "the reply was lost"}))
		b.Must(b.Looked("vm:a", "node3", resources.Absent))
	}},
	{"it comes up beside what is known", func(*clustertest.Book) {}},
}

func seenOn(b *clustertest.Book, node string, o resources.Observation) cluster.Observed {
	o.Service, o.UUID = "vm:a", b.Service("vm:a").Spec.UUID
	return cluster.Observed{Service: "vm:a", Node: node, Incarnation: b.Node(node).Incarnation, Observation: o,
		AsOf: b.S.Index}
}

// declared is a document in which vm:a and vm:b have these disks besides their own.
func declared(a, b []string) cluster.Document {
	d := clustertest.Document("vm:a", "vm:b")
	for name, disks := range map[string][]string{"vm:a": a, "vm:b": b} {
		spec := d.Services[name]
		for _, disk := range disks {
			spec.Disks = append(spec.Disks, resources.Disk{Identity: disk})
		}
		d.Services[name] = spec
	}
	return d
}

// TestWhatIsLookedForHasTheDisksItRanOn: a VM is declared without one of its disks while it runs,
// and is brought elsewhere by hand. Until it is found that disk is its own, and nobody else's.
func TestWhatIsLookedForHasTheDisksItRanOn(t *testing.T) {
	for _, c := range vanished {
		b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
		b.Must(clustertest.Configure(declared([]string{"extra"}, nil), 1))
		b.Running("vm:a", "node1")
		b.Must(clustertest.Configure(declared(nil, nil), 2))
		c.goes(b)
		b.Refused(clustertest.Configure(declared(nil, []string{"extra"}), 3), "disk extra was started writable by vm:a")
		b.Must(seenOn(b, "node2", resources.Observation{Condition: resources.Running,
			Disks: []resources.Disk{{Identity: "disk-vm:a"}, {Identity: "extra"}}}))
		if a := b.Service("vm:a"); a.Astray != nil {
			t.Errorf("%s: found on what it was started with, it is astray: %s", c.name, a.Astray.Drift)
		}
	}
}

// TestWhatIsFoundWasNotStartedWithWhatWasDeclaredSince: a VM is declared with one disk more while
// it runs, and is brought elsewhere by hand. It runs on what it was started with, and the other
// disk is free once it is declared no more.
func TestWhatIsFoundWasNotStartedWithWhatWasDeclaredSince(t *testing.T) {
	for _, c := range vanished {
		b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
		b.Running("vm:a", "node1")
		b.Must(clustertest.Configure(declared([]string{"extra"}, nil), 1))
		c.goes(b)
		b.Must(seenOn(b, "node2", resources.Observation{Condition: resources.Running,
			Disks: []resources.Disk{{Identity: "disk-vm:a"}}}))
		a := b.Service("vm:a")
		if h, _ := a.Holder("node2"); a.Astray != nil || !resources.SameDisks(h.StartedWith(), h.Disks) {
			t.Errorf("%s: it runs on what it was started with, and %+v is said of %+v", c.name, a.Astray, h)
		}
		b.Must(clustertest.Configure(declared(nil, []string{"extra"}), 2))
		b.Must(b.StartOf("vm:b", "node3"))
	}
}

// TestARestoredServiceHoldsWhatItMayRunOn: a backup was made while a VM ran on a disk that it was
// declared without, and with another one that it was to have at its next start. Which of them it
// has when the backup is restored is not known, so both are its own until it is found.
func TestARestoredServiceHoldsWhatItMayRunOn(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a", "vm:b")
	b.Must(clustertest.Configure(declared([]string{"before"}, nil), 1))
	b.Running("vm:a", "node1")
	b.Must(clustertest.Configure(declared([]string{"since"}, nil), 2))
	backup, err := json.Marshal(b.S)
	if err != nil {
		t.Fatal(err)
	}
	fresh := &clustertest.Book{T: t, S: &cluster.State{}, At: b.At}
	fresh.Must(cluster.Restore{State: backup, By: "root"})
	fresh.Must(clustertest.Configure(declared(nil, nil), 3))
	for _, disk := range []string{"before", "since"} {
		fresh.Refused(clustertest.Configure(declared(nil, []string{disk}), 4), "disk "+disk+" was started writable by vm:a")
	}
	fresh.Up("node2", "node2-boot-9")
	fresh.Must(seenOn(fresh, "node2", resources.Observation{Condition: resources.Running,
		Disks: []resources.Disk{{Identity: "disk-vm:a"}, {Identity: "since"}}}))
	if a := fresh.Service("vm:a"); a.Astray != nil {
		t.Errorf("it has what was declared when the backup was made, and is astray: %s", a.Astray.Drift)
	}
}
