package cli

import (
	"fmt"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
)

func TestPlanOfADocument(t *testing.T) {
	reply := api.ConfigReply{Plan: []api.ConfigEffect{
		{Effect: "in place, at once",
			Text: "domain prefer-node1: members changes from node1=1 node2=2 to node1=2 node2=1 (services move only where " +
				"the domain's rules now ask for it)"},
		{Effect: "from the next start on",
			Text: "service vm:web: the definition changes from 1111 to 2222; a running VM is not restarted, the new " +
				"definition counts from its next start"},
		{Effect: "in place, at once", Text: "device bmc1: the password changes"},
		{Effect: "removed", Text: "service vm:old: is removed; nothing starts it any more; it is remembered until it is " +
			"known to run nowhere"},
	}, Refused: "vm:old is started; disable it with `clusvcadm -d vm:old` before it is removed"}
	order := []string{"in place, at once", "from the next start on", "started", "removed"}
	golden(t, "plan.txt", Plan(reply, order, 80))
	reply.Refused = ""
	for i := range mostFollowing + 2 {
		reply.Follows = append(reply.Follows, cluster.Event{Subject: fmt.Sprintf("vm:%02d", i), Node: "node1",
			From: "started", To: "migrating",
			Why: message.Words("moves live from node1 to node2, because its domain says so now")})
	}
	reply.Waits = []cluster.Note{
		{Subject: "vm:web", Why: message.Words("no node may run it: node1 is not a member of restricted domain main"),
			Next: message.Words("bring node2 back")}}
	golden(t, "plan-follows.txt", Plan(reply, order, 80))
	if got := Plan(api.ConfigReply{}, order, 80); got != "  nothing changes\n" {
		t.Errorf("an empty plan is %q", got)
	}
}

func TestHistoryOfADocument(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 15, 4, 0, time.UTC)
	history := api.History{Revisions: []api.Revision{
		{Version: 7, At: at, By: "root"},
		{Version: 8, At: at.Add(time.Hour), By: "admin alice",
			Summary: "service vm:web: stop_timeout changes from 1m30s to 3m0s (and 2 more)",
			Reason:  "the database takes long\nto stop"},
		{Version: 9, At: at.Add(2 * time.Hour), By: "root",
			Summary: "service vm:web: stop_timeout changes from 3m0s to 1m30s", Reason: "back to version 7"},
	}}
	golden(t, "history.txt", History(history, 80))
	golden(t, "history-160.txt", History(history, 160))
	if got := History(api.History{}, 80); got != "No document was put into force yet.\n" {
		t.Errorf("an empty history is %q", got)
	}
}

func TestAlertsAreListed(t *testing.T) {
	list := api.Alerts{Alerts: []api.Alert{
		{Name: "chat", Way: "a secret address", Teller: "node1", Sent: 120, Failed: 3, Dropped: 17,
			Problem: "chat.example.com answered 503 Service Unavailable: the service is being looked after, please come again",
			Since:   at("10:01:44.000")},
		{Name: "pager", Way: "/usr/local/sbin/page", Teller: "node2", Sent: 4},
		{Name: "quiet", Way: "https://hooks.example.com/clusterd"},
	}}
	golden(t, "alerts.txt", Alerts(list, 80))
	if got := Alerts(api.Alerts{}, 80); got != "The document has no alerts.\n" {
		t.Errorf("an empty list is %q", got)
	}
}
