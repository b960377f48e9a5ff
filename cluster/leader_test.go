package cluster_test

import (
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/internal/message"
)

// leads is what a node that leads in a term plans to tell about that.
func leads(b *clustertest.Book, node string, term uint64) []cluster.Command {
	var told []cluster.Command
	for _, c := range plan.Plan(b.S, cluster.View{Self: node, Leading: true, Term: term,
		Contacts: map[string]cluster.Contactwatch{}}).Commands {
		if lead, is := c.(cluster.Lead); is {
			told = append(told, lead)
		}
	}
	return told
}

func TestALeaderTellsOfEachTermOnce(t *testing.T) {
	b := clustertest.NewBook(t, 3)
	if told := leads(b, "node1", 0); len(told) > 0 {
		t.Errorf("without a term %v is told", told)
	}
	for _, step := range []struct {
		node string
		term uint64
		says *message.Code
	}{{"node1", 2, message.LeaderFirst}, {"node2", 3, message.LeaderHeard}, {"node2", 7, message.LeaderAgain}} {
		told := leads(b, step.node, step.term)
		if len(told) != 1 {
			t.Fatalf("%s tells %v in term %d", step.node, told, step.term)
		}
		events := b.Must(told...).Events
		if len(events) != 1 || !events[0].Why.Is(step.says) || events[0].Node != step.node ||
			events[0].Subject != b.S.Cluster {
			t.Errorf("term %d of %s is told as %+v", step.term, step.node, events)
		}
		if again := leads(b, step.node, step.term); len(again) > 0 {
			t.Errorf("in term %d %v is told again", step.term, again)
		}
	}
	if late := leads(b, "node1", 5); len(late) > 0 {
		t.Errorf("of a term that is over %v is told", late)
	}
	up := b.Node("node1").Incarnation
	b.Refused(cluster.Lead{Node: "node1", Incarnation: up, Term: 5, Why: message.LeaderFirst.With("node1")}, "after it")
	b.Refused(cluster.Lead{Node: "node1", Incarnation: up - 1, Term: 9, Why: message.LeaderFirst.With("node1")},
		"has restarted since")
	b.Refused(cluster.Lead{Node: "nobody", Incarnation: up, Term: 9, Why: message.LeaderFirst.With("nobody")},
		"has restarted since")
	b.Refused(cluster.Lead{Node: "node1", Incarnation: up, Term: 9,
		Why: message.Words(string(make([]byte, cluster.MostLeadWords+1)))}, "too great length")
	if b.S.Leader.Node != "node2" || b.S.Leader.Term != 7 {
		t.Errorf("what was refused left %+v", b.S.Leader)
	}
}
