package daemon

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
)

func TestADocumentIsPlannedKeptAndRolledBack(t *testing.T) {
	inBubble(t, func(s *site) {
		one := map[string]string{"vm:web": "node1"}
		s.declare(one)
		leader := s.leader()
		first := s.status(leader).ConfigVersion
		started := len(s.world.starts)
		edited := strings.Replace(documentOf(one), "ordered: true", "ordered: false", 1)
		edited = strings.ReplaceAll(edited, testPassword, "rotated-since")

		// Only planned: nothing changes.
		var plan, reply api.ConfigReply
		s.must(leader, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: first, Text: edited, DryRun: true}, &plan)
		if plan.Refused != "" || plan.Version != first || len(plan.Plan) != 4 ||
			plan.Plan[0].Effect != string(config.EffectNow) {
			t.Errorf("the plan is %+v", plan)
		}
		s.must(leader, rootUser, "POST", api.PathConfig,
			api.ConfigChange{Base: first, Text: edited, Reason: "trying"}, &reply)

		// What would follow is told, too.
		s.must(leader, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: reply.Version, DryRun: true,
			Text: strings.Replace(edited, "members: {node1: 1}", "restricted: true, members: {node2: 1}", 1)}, &plan)
		if len(plan.Follows) != 1 || plan.Follows[0].Subject != "vm:web" || plan.Follows[0].To != "migrating" {
			t.Errorf("out of its domain, the service is planned to do %+v", plan.Follows)
		}

		// What the cluster would not take is told before it is tried.
		s.must(leader, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: reply.Version, Text: documentOf(nil),
			DryRun: true}, &plan)
		if !strings.Contains(plan.Refused, "disable it with `clusvcadm -d vm:web`") {
			t.Errorf("the removal of a running service is planned as %+v", plan)
		}

		var history api.History
		s.must(leader, rootUser, "GET", api.PathHistory, nil, &history)
		if n := len(history.Revisions); n != 2 || history.Revisions[1].Reason != "trying" ||
			!strings.Contains(history.Revisions[1].Summary, "(and 3 more)") || history.Revisions[1].By != "root" {
			t.Errorf("the history is %+v", history)
		}
		var document api.Document
		s.must(leader, rootUser, "GET", api.PathConfig+fmt.Sprintf("?version=%d", first), nil, &document)
		if document.Version != first || !strings.Contains(document.Text, "ordered: true") ||
			strings.Contains(document.Text, testPassword) {
			t.Errorf("version %d is shown as %+v", first, document)
		}

		// A rollback made for an older version is refused like any edit.
		if code, text := s.ask(leader, rootUser, "POST", api.PathRollback,
			api.Rollback{Base: first, Version: first}); code != http.StatusConflict ||
			decoded[api.Failure](t, text).Code != "conflict" {
			t.Errorf("a rollback for another version: %d %s", code, text)
		}
		s.must(leader, rootUser, "POST", api.PathRollback,
			api.Rollback{Base: reply.Version, Version: first, Reason: "it did not help"}, &reply)
		root := s.members[leader].daemon.replica.Root()
		if reply.Version != first+2 || !root.Document.Domains["on-node1"].Ordered ||
			root.Config.Reason != fmt.Sprintf("back to version %d: it did not help", first) {
			t.Errorf("after the rollback: version %d, reason %q", reply.Version, root.Config.Reason)
		}
		if got := s.passwordOf(leader, "bmc1"); got != "rotated-since" {
			t.Errorf("the rollback brought an old password back")
		}
		s.must(leader, rootUser, "POST", api.PathRollback,
			api.Rollback{Base: reply.Version, Version: first, OldPasswords: true}, &reply)
		if s.passwordOf(leader, "bmc1") != testPassword {
			t.Error("the old passwords were asked for and did not come")
		}
		s.must(leader, rootUser, "GET", api.PathComparison+fmt.Sprintf("?from=%d&to=%d", first, first+1), nil, &plan)
		if len(plan.Changes) != 4 ||
			!strings.HasPrefix(plan.Changes[3], "domain on-node1: ordered changes from true to false") {
			t.Errorf("between the versions lie %q", plan.Changes)
		}
		if code, _ := s.ask(leader, rootUser, "POST", api.PathRollback,
			api.Rollback{Base: reply.Version, Version: 77}); code != http.StatusNotFound {
			t.Errorf("a rollback to a version that never was: %d", code)
		}
		if len(s.world.starts) != started {
			t.Errorf("documents started something: %v", s.world.starts[started:])
		}
	})
}

func TestAMemberThatTheDocumentDoesNotNameIsEstranged(t *testing.T) {
	inBubble(t, func(s *site) {
		estranged := func() (names []string) {
			for _, n := range s.status(s.leader()).Nodes {
				if n.Estranged {
					names = append(names, n.Name)
				}
			}
			return names
		}
		if names := estranged(); len(names) > 0 {
			t.Errorf("without a document %v are estranged", names)
		}
		s.declare(map[string]string{"vm:web": "node1"})
		if names := estranged(); len(names) > 0 {
			t.Errorf("%v are named and estranged", names)
		}
		var kept []string
		for line := range strings.Lines(documentOf(map[string]string{"vm:web": "node1"})) {
			if !strings.Contains(line, "node3") {
				kept = append(kept, line)
			}
		}
		var reply api.ConfigReply
		s.must(s.leader(), rootUser, "POST", api.PathConfig, api.ConfigChange{Base: 1, Text: strings.Join(kept, "")}, &reply)
		if names := estranged(); len(names) != 1 || names[0] != "node3" {
			t.Errorf("%v are estranged, want node3", names)
		}
	})
}
