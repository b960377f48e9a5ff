package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// A failover at 80 columns: what may run on a lost node is not shown as if nothing had happened,
// long names are whole or marked, and one sentence about many services stands once.
func TestATerminalShowsWhatMatters(t *testing.T) {
	status := api.Status{Cluster: "alpha", Quorate: true, Local: "node3", Nodes: []api.Node{
		{Name: "node1", ID: 1, State: "fencing", Order: &api.NodeOrder{Order: "maintenance"},
			Unprotected: "its BMC does not answer"},
		{Name: "node3", ID: 3, State: "online", Online: true, Leader: true, Local: true},
	}}
	for n := range 3 {
		name := fmt.Sprintf("service:customer-acme-production-%d", n)
		status.Services = append(status.Services, api.Service{Name: name, State: int(resources.Started),
			StateText: "started", Owner: "node1"})
		status.Notes = append(status.Notes, cluster.Note{Subject: name, Why: message.Words("waits until node1 is off"),
			Next: message.Words("see clusterd fence status node1")})
	}
	status.Services = append(status.Services,
		api.Service{Name: "vm:big", State: int(resources.Migrating), StateText: "migrating", Owner: "node3", Target: "node2",
			Progress: &api.Progress{BytesTotal: 200, BytesRemaining: 30}},
		api.Service{Name: "vm:stuck", State: int(resources.Started), StateText: "started", Owner: "node3",
			Paused: "I/O error"})
	got := Status(status, View{Width: 80, Terminal: true, NotesFirst: true})
	for _, want := range []string{
		"node1          1 Offline, fencing, maintenance, unprotected\n",
		" service:customer-acme-production-2 node1        started    (may run: node1 is being fenced)\n",
		"migrating  (-> node2 85%)\n", "started    (paused: I/O error)\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("there is no %q", want)
		}
	}
	if strings.Count(got, "waits until node1 is off") != 1 || strings.Index(got, " Notes\n") > strings.Index(got,
		"Member Name") {
		t.Errorf("the note stands once, and first")
	}
	if t.Failed() {
		t.Log(got)
	}
}

// What a person can do is a sentence of its own; commands and names keep their letters.
func TestWhatToDoIsASentence(t *testing.T) {
	for next, want := range map[string]string{
		"": "why.", "mend its fence device": "why. Mend its fence device", "`clusvcadm -u`": "why. `clusvcadm -u`",
		"clusvcadm -u": "why. clusvcadm -u", "node1 has to boot": "why. node1 has to boot",
	} {
		if got := withNext("why.", next); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// A note says why a node is not off; that it is unprotected says the same again.
func TestAFenceThatFailsIsToldOnce(t *testing.T) {
	status := api.Status{Quorate: true, Nodes: []api.Node{
		{Name: "node1", State: "fencing", Unprotected: "12 attempts have proven nothing"},
		{Name: "node2", State: "online", Online: true, Unprotected: "its BMC does not answer"},
	}, Notes: []cluster.Note{{Subject: "node1", Why: message.Words("node1 cannot be confirmed off")}}}
	text := noteSection(status, View{Width: 80})
	if strings.Contains(text, "12 attempts") || !strings.Contains(text, "node2: unprotected: its BMC does not answer") {
		t.Errorf("the notes are:\n%s", text)
	}
	status.Notes = nil
	if text := noteSection(status, View{Width: 80}); !strings.Contains(text, "12 attempts") {
		t.Errorf("nothing tells of node1:\n%s", text)
	}
}

func TestAFirstStartIsNoRecovery(t *testing.T) {
	for from, want := range map[string]string{
		"stopped": "placement", "uninitialized": "placement", "recovering": "recovery",
	} {
		got := eventText(cluster.Event{From: from, To: "starting", By: "recovery"})
		if !strings.HasSuffix(got, "(by "+want+")") {
			t.Errorf("from %s: %q", from, got)
		}
	}
}

// One service on a terminal is shown with what it waits for; in a pipe the row stands alone.
func TestOneServiceIsShownWithItsNotes(t *testing.T) {
	status := api.Status{Quorate: true, Services: []api.Service{{Name: "vm:web", StateText: "stopped"}, {Name: "vm:db"}},
		Notes: []cluster.Note{{Subject: "vm:web", Why: message.Words("no node may run it")},
			{Subject: "vm:db", Why: message.Words("frozen")}}}
	view := View{Service: "vm:web", Width: 80, Terminal: true}
	if text := Status(status, view); !strings.Contains(text, "no node may run it") || strings.Contains(text, "frozen") {
		t.Errorf("on a terminal:\n%s", text)
	}
	view.Terminal = false
	if text := Status(status, view); strings.Contains(text, "no node may run it") {
		t.Errorf("in a pipe:\n%s", text)
	}
}
