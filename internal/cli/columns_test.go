package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/resources"
)

// A failover at 80 columns: what may run on a lost node is not shown as if nothing had happened, long names are whole
// or marked, and one sentence about many services stands once.
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
		status.Notes = append(status.Notes, cluster.Note{Subject: name, Why: "waits until node1 is off",
			Next: "see clusterd fence status node1"})
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
