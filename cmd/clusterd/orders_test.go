package main

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

// TestADrainsPlanIsReadable holds what an administrator sees before a node is
// emptied: every service, and all that stands in the way, in 80 columns.
func TestADrainsPlanIsReadable(t *testing.T) {
	got := planText(api.DrainReply{Node: "node1", Steps: []cluster.DrainStep{
		{Service: "service:shop", Method: cluster.MethodCold, Target: "node3"},
		{Service: "vm:tied", Method: cluster.MethodStays, Next: message.Words("it goes by itself when a legal node is there"),
			Blockers: []message.Text{message.Words("node2: not a member of restricted domain only1"),
				message.Words("node3: it is kept apart from vm:other, which is here, and this sentence is a long one")}},
		{Service: "vm:web", Method: cluster.MethodLive, Target: "node2"},
		{Service: "vm:late", Method: cluster.MethodCold, Target: "node2", Deadline: true,
			Blockers: []message.Text{message.Words("its move to node2 failed")}},
	}})
	want := `SERVICE                        METHOD   TO
service:shop                   cold     node3
vm:tied                        stays
    - node2: not a member of restricted domain only1
    - node3: it is kept apart from vm:other, which is here, and this sentence is
      a long one
    -> it goes by itself when a legal node is there
vm:web                         live     node2
vm:late                        cold     node2 (at the deadline)
    - its move to node2 failed
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := planText(api.DrainReply{Node: "node1"}); got != "Nothing runs on node1.\n" {
		t.Errorf("an empty node: %q", got)
	}
}

func TestTheOrderOfAStopIsReadable(t *testing.T) {
	got := haltText(api.HaltReply{
		Events: []cluster.Event{{Subject: "vm:web", Node: "node3", To: "stopping"}, {Subject: "vm:web", To: "stopped"},
			{Subject: "vm:db", Node: "node1", To: "stopping"}},
		Notes: []cluster.Note{
			{Subject: "node2", Why: message.Words("it is lost, and what it ran is not stopped")},
			{Subject: "vm:old", Why: message.Words("it is started and frozen by root: nothing is done to it, whatever happens")},
		},
	})
	want := `  1. vm:web on node3
  2. vm:db on node1
2 services are to be stopped, in this order.
  - node2: it is lost, and what it ran is not stopped
  - vm:old: it is started and frozen by root: nothing is done to it, whatever
    happens
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := haltText(api.HaltReply{}); !strings.Contains(got, "Nothing runs.") {
		t.Errorf("a cluster at rest: %q", got)
	}
}

// TestProgressNamesWhatIsLeft tells per service what it waits for.
func TestProgressNamesWhatIsLeft(t *testing.T) {
	status := api.Status{Services: []api.Service{{Name: "vm:a", StateText: "migrating"},
		{Name: "vm:b", StateText: "started"}, {Name: "vm:c", StateText: "started"}},
		Notes: []cluster.Note{{Subject: "vm:b", Why: message.Words("stays on node1: it is paused")}}}
	want := "2 services are still there:\n  vm:a migrating\n  vm:b started: stays on node1: it is paused\n"
	if got := progressOf(status, []string{"vm:a", "vm:b"}); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// Long names do not break the table, and an order that is none is not ended.
func TestLongNamesAndNoOrders(t *testing.T) {
	long := "service:customer-acme-production-database-one"
	got := planText(api.DrainReply{Node: "node1", Steps: []cluster.DrainStep{
		{Service: long, Method: cluster.MethodLive, Target: "node2"},
		{Service: "vm:a", Method: cluster.MethodLive, Target: "node3"},
	}})
	lines := strings.Split(got, "\n")
	at := strings.Index(lines[0], "METHOD")
	if at != len(long)+1 || strings.Index(lines[1], "live") != at || strings.Index(lines[2], "live") != at {
		t.Errorf("the table is broken:\n%s", got)
	}
	status := api.Status{Nodes: []api.Node{{Name: "plain", State: "online"}, {Name: "left", State: "left"},
		{Name: "drained", State: "online", Order: &api.NodeOrder{Order: "drain", Holds: []string{"vm:a"}}}}}
	for i, want := range []string{"online", "left", "online, drain (1 left)"} {
		if got := standing(status.Nodes[i]); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestNoAnswerAboutAnOrderContradictsTheState: whatever a node is, nobody is told that it takes
// services when it does not, nor that something ended that was not there.
func TestNoAnswerAboutAnOrderContradictsTheState(t *testing.T) {
	of := func(state string, ordered, locked bool) api.Status {
		n := api.Node{Name: "node1", State: state}
		if ordered {
			n.Order = &api.NodeOrder{Order: "drain", Empty: true}
		}
		return api.Status{Nodes: []api.Node{n}, Lock: &api.LockStatus{Locked: locked}}
	}
	for _, state := range []string{"joining", "looking", "online", "silent", "deaf", "lost", "fencing", "fenced",
		"cut off", "leaving", "left"} {
		for _, locked := range []bool{false, true} {
			takes := state == "online" && !locked
			for _, ordered := range []bool{false, true} {
				text := returnText(of(state, ordered, locked), of(state, false, locked), "node1", true)
				if got := strings.Contains(text, "takes services again"); got != (takes && ordered) {
					t.Errorf("%s, ordered %v, locked %v: %s", state, ordered, locked, text)
				}
				if got := strings.Contains(text, "takes no services"); got == takes {
					t.Errorf("%s, ordered %v, locked %v: %s", state, ordered, locked, text)
				}
				if got := strings.Contains(text, "nothing was changed"); got == ordered {
					t.Errorf("%s, ordered %v, locked %v: %s", state, ordered, locked, text)
				}
			}
			text := emptyText(of(state, true, locked), "node1")
			if strings.Contains(text, "lets it take services again") != takes {
				t.Errorf("%s is empty, locked %v: %s", state, locked, text)
			}
		}
	}
	hung := func(ordered, locked bool) api.Status {
		status := of("online", ordered, locked)
		status.Nodes[0].Hung = message.Words("libvirtd does not answer")
		return status
	}
	ordered, gone := of("online", true, false), api.Status{}
	for want, text := range map[string]string{
		"no VMs yet: its hypervisor does not answer (libvirtd does not answer)": returnText(hung(true, false),
			hung(false, false), "node1", true),
		"nothing was changed. It takes no VMs: its hypervisor": returnText(hung(false, false), hung(false, false),
			"node1", true),
		"besides, it takes no VMs: its hypervisor": emptyText(hung(true, false), "node1"),
		"takes no services yet: the cluster is locked": returnText(hung(true, true), hung(false, true), "node1",
			true),
		"is no longer a member":   returnText(ordered, gone, "node1", true),
		"was given another order": returnText(ordered, ordered, "node1", true),
		"could not be asked":      returnText(ordered, gone, "node1", false),
		"restart clusterd there":  returnText(of("left", false, false), of("left", false, false), "node1", true),
		"It takes no services yet: it is lost": returnText(of("lost", true, false), of("lost", false, false), "node1",
			true),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said: %s", want, text)
		}
	}
}
