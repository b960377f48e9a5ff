package cli

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/message"
)

func explained() cluster.Explanation {
	return cluster.Explanation{
		Service: "vm:web", State: "started", Owner: "node2", Reason: message.Words("the guest runs"),
		Decision: &cluster.Event{At: at("10:01:44.000"), Subject: "vm:web", Node: "node2", From: "recovering",
			To: "starting", By: "recovery",
			Why: message.Words("priority 2 in domain main; node1, which is preferred, was lost")},
		Candidates: []cluster.Candidate{
			{Node: "node1", Order: 1, Services: 3, Why: message.Words("priority 1 in domain main")},
			{Node: "node2", Order: 2, Here: true, Services: 12, Why: message.Words("priority 2 in domain main")},
			{Node: "node3", Services: 0, Why: message.Words("not a member of restricted domain main")},
			{Node: "node4.rack-b.site-two.example.com.of.a.long.name", Services: 1,
				Why: message.Words("it runs vm:db, from which vm:web is kept apart because both write the same log volume")},
		},
		Rules: []message.Text{message.RuleDepends.With("vm:db", "hard", "started", "node4")},
		Waits: []cluster.Note{{Subject: "vm:web", Why: message.Words("it does not fail back: domain main has nofailback"),
			Next: message.Words("clusvcadm -M vm:web -m node1")}},
	}
}

func TestWhyAServiceIsWhereItIs(t *testing.T) {
	golden(t, "why.txt", Why(explained(), 80))
	golden(t, "why-160.txt", Why(explained(), 160))
	nowhere := cluster.Explanation{Service: "vm:new", State: "stopped", Reason: message.Words("no node may run it"),
		Next: message.Words("start it on node1 (priority 1)")}
	golden(t, "why-nowhere.txt", Why(nowhere, 80))
}

func TestWhatWouldComeOfARequest(t *testing.T) {
	golden(t, "rehearsal.txt", Rehearsal(cluster.Rehearsal{Done: true, Owner: "node2", Events: []cluster.Event{
		{Subject: "vm:web", Node: "node2", From: "started", To: "migrating", By: "root",
			Why: message.Words("asked to migrate to node2, which has room for it and is a member of its domain")},
		{Subject: "vm:web", Node: "node2", From: "migrating", To: "started",
			Why: message.Words("moved live from node1 to node2")},
	}}, 80))
	golden(t, "rehearsal-refused.txt",
		Rehearsal(cluster.Rehearsal{Done: true, Code: -7,
			Refused: message.Words("node3 is not a member of restricted domain main")}, 80))
	golden(t, "rehearsal-locked.txt",
		Rehearsal(cluster.Rehearsal{Done: true, Code: -6, Owner: "node1",
			Why: message.Words("the cluster is locked by root")}, 80))
	golden(t, "rehearsal-waits.txt",
		Rehearsal(cluster.Rehearsal{
			Notes: []cluster.Note{{Subject: "vm:web",
				Why:  message.Words("the cluster is locked by root, so no service is started"),
				Next: message.Words("`clusvcadm -u`")}}}, 80))
}
