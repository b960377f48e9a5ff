package server

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/quorum"
)

// TestVisitsAreEndedByAnAdministratorOnTheNode, who stands in the trail with whose they were.
func TestVisitsAreEndedByAnAdministratorOnTheNode(t *testing.T) {
	f := newFake()
	code, body := ask(t, f.serve().Handler(), rootUser, "POST", api.PathPageLogout, api.PageLogout{Name: "alice"})
	if code != http.StatusOK || strings.TrimSpace(string(body)) != `{"node":"node1","visits":2,"links":5}` {
		t.Errorf("%d %s", code, body)
	}
	ask(t, f.serve().Handler(), rootUser, "POST", api.PathPageLogout, api.PageLogout{})
	want := []string{`end the visits of "alice" at the page: 2 visits, 5 login links`,
		"end the visits of everybody at the page: 2 visits, 0 login links"}
	for i, act := range want {
		if e := f.kept[i]; e.Act != act || e.Who != "root" || e.Result != "ok" || f.brakes[i] != "" {
			t.Errorf("the trail has %+v, want %s", e, act)
		}
	}
}

// TestRefusalsAreBrakedByKind: whoever floods the trail with refusals of one kind hides those of no
// other.
func TestRefusalsAreBrakedByKind(t *testing.T) {
	f := newFake()
	handler := f.serve().Handler()
	for _, c := range []struct {
		who  Caller
		want limits.Kind
	}{
		{viewer, limits.Users}, {anybody, limits.Users}, {joiner, limits.Joiners}, {Caller{}, limits.Joiners},
		{Caller{Name: "visitor eve", Kind: pki.KindVisitor, Role: pki.RoleViewer}, limits.Visitors},
		{Caller{Name: "admin eve", Kind: pki.KindClient, Role: pki.RoleAdmin}, limits.Admins},
		{Caller{Name: "node node2", Kind: pki.KindNode, Role: pki.RoleAdmin, Reserved: true}, limits.Nodes},
	} {
		ask(t, handler, c.who, "GET", api.PathDoor, nil)
		if got := f.brakes[len(f.brakes)-1]; got != c.want {
			t.Errorf("a refusal of %+v counts among those of kind %q, want %q", c.who, got, c.want)
		}
	}
}

// TestWhateverFailsIsBraked, and what is done by all but administrators as well.
func TestWhateverFailsIsBraked(t *testing.T) {
	f := newFake()
	handler := f.serve().Handler()
	for _, c := range []struct {
		who  Caller
		path string
		body any
		want limits.Kind
	}{
		{operator, api.PathRequests, "no request", limits.Users},
		{rootUser, api.PathRequests, "no request", limits.Root},
		{joiner, api.PathJoin, "no request", limits.Joiners},
		{anybody, api.PathPage, api.PageRequest{}, limits.Users},
		{rootUser, api.PathPage, api.PageRequest{}, ""},
	} {
		before := len(f.kept)
		ask(t, handler, c.who, "POST", c.path, c.body)
		if len(f.kept) != before+1 || f.brakes[before] != c.want {
			t.Errorf("%+v at %s: %+v on the brakes %q, want %q", c.who, c.path, f.kept[before:], f.brakes[before:], c.want)
		}
	}
}

// TestWhatAnAdministratorMayHaveDoneIsNeverLeftOut: an entry that nobody answers for may be in the
// log. What was refused is not.
func TestWhatAnAdministratorMayHaveDoneIsNeverLeftOut(t *testing.T) {
	admin := Caller{Name: "admin alice", Kind: pki.KindClient, Role: pki.RoleAdmin}
	for _, c := range []struct {
		who    Caller
		err    error
		brake  limits.Kind
		result string
	}{
		{admin, fmt.Errorf("fence: %w", quorum.ErrOutcomeUnknown), "", "outcome unknown: fence: outcome unknown: "},
		{admin, quorum.ErrOutcomeUnknown, "", "outcome unknown: the entry may"},
		{admin, quorum.ErrNotYetApplied, "", "outcome unknown: the entry is committed"},
		{rootUser, context.DeadlineExceeded, "", "outcome unknown: "},
		{admin, api.Failure{Code: "outcome_unknown", Message: "the leader went"}, "", "outcome unknown: the leader went"},
		{admin, quorum.ErrNoLeader, limits.Admins, "refused: "},
		{admin, quorum.ErrClosed, limits.Admins, "outcome unknown: "},
		{admin, api.Failure{Code: "refused", Message: "no"}, limits.Admins, "refused: no"},
		{operator, quorum.ErrOutcomeUnknown, limits.Users, "outcome unknown: "},
	} {
		f, told := newFake(), "fence node3"
		c.who.told = &told
		f.serve().audit(c.who, httptest.NewRequest("POST", api.PathFence, nil), access{kept: true}, c.err)
		if len(f.kept) != 1 || f.brakes[0] != c.brake || !strings.HasPrefix(f.kept[0].Result, c.result) {
			t.Errorf("%s, %v: %+v on the brakes %q", c.who.Name, c.err, f.kept, f.brakes)
		}
	}
	// Given up while it waited for its turn: nothing was begun.
	f, nothing := newFake(), ""
	admin.told = &nothing
	f.serve().audit(admin, httptest.NewRequest("POST", api.PathFence, nil), access{kept: true}, context.Canceled)
	if len(f.kept) != 1 || f.brakes[0] != limits.Admins {
		t.Errorf("%+v on the brakes %q", f.kept, f.brakes)
	}
}
