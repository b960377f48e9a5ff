package daemon

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
)

// editing is a cluster whose document was edited once, and where that is looked at.
type editing struct {
	*site
	at string
	// first is the version before the edit, and edited the text after it.
	first  uint64
	edited string
}

func TestADocumentIsPlannedKeptAndRolledBack(t *testing.T) {
	inBubble(t, func(s *site) {
		one := map[string]string{"vm:web": "node1"}
		s.declare(one)
		e := editing{site: s, at: s.leader(), first: s.status(s.leader()).ConfigVersion}
		e.edited = strings.ReplaceAll(strings.Replace(documentOf(one), "ordered: true", "ordered: false", 1),
			testPassword, "rotated-since")
		started := len(s.world.starts)

		e.planChangesNothing()
		var reply api.ConfigReply
		s.must(e.at, rootUser, "POST", api.PathConfig,
			api.ConfigChange{Base: e.first, Text: e.edited, Reason: "trying"}, &reply)
		e.tellsWhatWouldFollow(reply.Version)
		e.tellsWhatWouldBeRefused(reply.Version)
		e.keepsBothVersions()
		version := e.rollsBack(reply.Version)
		e.bringsOldPasswordsOnlyIfAsked(version)
		e.comparesVersions()
		if len(s.world.starts) != started {
			t.Errorf("documents started something: %v", s.world.starts[started:])
		}
	})
}

// planned is what would come of a document.
func (e editing) planned(base uint64, text string) api.ConfigReply {
	e.t.Helper()
	var plan api.ConfigReply
	e.must(e.at, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: base, Text: text, DryRun: true}, &plan)
	return plan
}

func (e editing) planChangesNothing() {
	e.t.Helper()
	plan := e.planned(e.first, e.edited)
	if plan.Refused != "" || plan.Version != e.first || len(plan.Plan) != 4 ||
		plan.Plan[0].Effect != string(config.EffectNow) {
		e.t.Errorf("the plan is %+v", plan)
	}
}

func (e editing) tellsWhatWouldFollow(base uint64) {
	e.t.Helper()
	plan := e.planned(base, strings.Replace(e.edited, "members: {node1: 1}", "restricted: true, members: {node2: 1}", 1))
	if len(plan.Follows) != 1 || plan.Follows[0].Subject != "vm:web" || plan.Follows[0].To != "migrating" {
		e.t.Errorf("out of its domain, the service is planned to do %+v", plan.Follows)
	}
}

func (e editing) tellsWhatWouldBeRefused(base uint64) {
	e.t.Helper()
	plan := e.planned(base, documentOf(nil))
	if !strings.Contains(plan.Refused, "disable it with `clusvcadm -d vm:web`") {
		e.t.Errorf("the removal of a running service is planned as %+v", plan)
	}
}

func (e editing) keepsBothVersions() {
	e.t.Helper()
	var kept api.History
	e.must(e.at, rootUser, "GET", api.PathHistory, nil, &kept)
	if n := len(kept.Revisions); n != 2 || kept.Revisions[1].Reason != "trying" ||
		!strings.Contains(kept.Revisions[1].Summary, "(and 3 more)") || kept.Revisions[1].By != "root" {
		e.t.Errorf("the history is %+v", kept)
	}
	var document api.Document
	e.must(e.at, rootUser, "GET", api.PathConfig+fmt.Sprintf("?version=%d", e.first), nil, &document)
	if document.Version != e.first || !strings.Contains(document.Text, "ordered: true") ||
		strings.Contains(document.Text, testPassword) {
		e.t.Errorf("version %d is shown as %+v", e.first, document)
	}
}

// rollsBack goes back to the first version; a rollback made for an older version is refused like
// any edit. It returns the version that is in force then.
func (e editing) rollsBack(base uint64) uint64 {
	e.t.Helper()
	if code, text := e.ask(e.at, rootUser, "POST", api.PathRollback,
		api.Rollback{Base: e.first, Version: e.first}); code != http.StatusConflict ||
		decoded[api.Failure](e.t, text).Code != "conflict" {
		e.t.Errorf("a rollback for another version: %d %s", code, text)
	}
	var reply api.ConfigReply
	e.must(e.at, rootUser, "POST", api.PathRollback,
		api.Rollback{Base: base, Version: e.first, Reason: "it did not help"}, &reply)
	root := e.members[e.at].daemon.replica.Root()
	if reply.Version != e.first+2 || !root.Document.Domains["on-node1"].Ordered ||
		root.Config.Reason != fmt.Sprintf("back to version %d: it did not help", e.first) {
		e.t.Errorf("after the rollback: version %d, reason %q", reply.Version, root.Config.Reason)
	}
	return reply.Version
}

func (e editing) bringsOldPasswordsOnlyIfAsked(base uint64) {
	e.t.Helper()
	if got := e.passwordOf(e.at, "bmc1"); got != "rotated-since" {
		e.t.Errorf("the rollback brought an old password back")
	}
	e.must(e.at, rootUser, "POST", api.PathRollback,
		api.Rollback{Base: base, Version: e.first, OldPasswords: true}, &api.ConfigReply{})
	if e.passwordOf(e.at, "bmc1") != testPassword {
		e.t.Error("the old passwords were asked for and did not come")
	}
}

func (e editing) comparesVersions() {
	e.t.Helper()
	var between api.ConfigReply
	e.must(e.at, rootUser, "GET", api.PathComparison+fmt.Sprintf("?from=%d&to=%d", e.first, e.first+1), nil, &between)
	if len(between.Changes) != 4 ||
		!strings.HasPrefix(between.Changes[3], "domain on-node1: ordered changes from true to false") {
		e.t.Errorf("between the versions lie %q", between.Changes)
	}
	latest := e.status(e.at).ConfigVersion
	if code, _ := e.ask(e.at, rootUser, "POST", api.PathRollback,
		api.Rollback{Base: latest, Version: 77}); code != http.StatusNotFound {
		e.t.Errorf("a rollback to a version that never was: %d", code)
	}
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
