package daemon

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/web"
)

// browser is who logged in at the page of a node.
type browser struct {
	t      *testing.T
	daemon *Daemon
	cookie *http.Cookie
	csrf   string
}

// browse logs somebody in at a node's page.
func (s *site) browse(at string, who web.Visitor) *browser {
	s.t.Helper()
	d := s.members[at].daemon
	secret, _, made := d.page.Invite(who, limits.Root, "uid 0")
	if !made {
		s.t.Fatal("no link was made")
	}
	b := &browser{t: s.t, daemon: d}
	w := b.send("POST", "/page/login", `{"secret":"`+secret+`"}`)
	var told struct{ CSRF string }
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != http.StatusOK {
		s.t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	b.cookie, b.csrf = w.Result().Cookies()[0], told.CSRF
	return b
}

func (b *browser) send(method, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(b.t.Context(), method, "https://node1:7444"+path, strings.NewReader(body))
	r.RemoteAddr = "10.0.0.9:4711"
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	r.Header.Set("X-Clusterd-Page", b.csrf)
	w := httptest.NewRecorder()
	b.daemon.page.ServeHTTP(w, r)
	return w
}

// everyPage is all that an administrator is shown by the page of a node.
func (s *site) everyPage(at string) string {
	s.t.Helper()
	b := s.browse(at, web.Visitor{Name: "alice", Role: pki.RoleAdmin})
	var all strings.Builder
	for _, path := range []string{
		"/page/visit", api.PathStatus, api.PathEvents, api.PathMoves, api.PathFence, api.PathFenceHistory, api.PathLock,
		api.PathAlerts, api.PathDoctor, api.PathConfig, api.PathHistory, api.PathComparison + "?from=1&to=2",
		api.PathServices + "/service:shop/why", api.PathNodes + "/node1/plan?order=drain",
	} {
		w := b.send("GET", path, "")
		if w.Code != http.StatusOK && path != api.PathComparison+"?from=1&to=2" {
			s.t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		all.Write(w.Body.Bytes())
	}
	rehearsed := `{"id":"dry","op":"disable","service":"service:shop","dryRun":true}`
	all.Write(b.send("POST", api.PathRequests, rehearsed).Body.Bytes())
	if !strings.Contains(all.String(), "fence_apc_snmp") {
		s.t.Error("the page shows no document, so nothing is proven of it")
	}
	return all.String()
}

// TestWhoMayDoWhatAtThePage: a visitor has the interface's own answers by his role, and his name
// stands in the timeline and the audit trail.
func TestWhoMayDoWhatAtThePage(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1"})
		s.until("it runs", func() bool { return s.service("node1", "vm:a").Owner != "" })
		freeze := func(id string) string { return `{"id":"` + id + `","op":"freeze","service":"vm:a","reason":"night"}` }
		codes := map[pki.Role]map[string]int{
			pki.RoleViewer:   {"status": 200, "freeze": 403, "remove": 403, "document": 403},
			pki.RoleOperator: {"status": 200, "freeze": 200, "remove": 403, "document": 403},
			pki.RoleAdmin:    {"status": 200, "freeze": 200, "remove": 403, "leave": 403, "address": 403, "document": 200},
		}
		for _, role := range pki.Roles {
			b := s.browse("node1", web.Visitor{Name: "alice", Role: role})
			got := map[string]int{
				"status":   b.send("GET", api.PathStatus, "").Code,
				"freeze":   b.send("POST", api.PathRequests, freeze(string(role))).Code,
				"document": b.send("GET", api.PathConfig, "").Code,
			}
			for _, op := range []string{"remove", "leave", "address"} {
				got[op] = b.send("POST", api.PathNodes, `{"id":"r","op":"`+op+`","node":"node3","address":"node9"}`).Code
			}
			for what, code := range codes[role] {
				if got[what] != code {
					t.Errorf("%s: %s is answered %d, want %d", role, what, got[what], code)
				}
			}
		}
		by := ""
		for _, e := range s.members["node1"].daemon.replica.Root().Timeline {
			if e.Subject == "vm:a" && strings.Contains(e.Why.String(), "night") {
				by = e.By
			}
		}
		if want := "operator alice at the page from 10.0.0.9"; by != want {
			t.Errorf("the timeline names %q, want %q", by, want)
		}
		b := s.browse("node1", web.Visitor{Name: "bob", Role: pki.RoleViewer})
		peer := pki.Peer{Kind: pki.KindVisitor, Name: "bob", Role: pki.RoleAdmin, Fingerprint: "made up"}
		if err := s.members["node1"].daemon.store.Admit(pki.ChannelLook, pki.Accepting, peer); err == nil {
			t.Error("a visit that is made up may look")
		}
		b.send("POST", "/page/logout", "")
		if code := b.send("GET", api.PathStatus, "").Code; code != http.StatusUnauthorized {
			t.Errorf("after the logout: %d", code)
		}
	})
}

// TestAnAdministratorEndsVisitsAtThePage: on the node, and the trail tells who ended whose.
func TestAnAdministratorEndsVisitsAtThePage(t *testing.T) {
	inBubble(t, func(s *site) {
		alice := s.browse("node1", web.Visitor{Name: "alice", Role: pki.RoleAdmin})
		bob := s.browse("node1", web.Visitor{Name: "bob", Role: pki.RoleViewer})
		code, body := s.ask("node1", operator, "POST", api.PathPageLogout, api.PageLogout{})
		if code != http.StatusForbidden {
			t.Errorf("an operator elsewhere is answered %d %s", code, body)
		}
		var reply api.PageLogoutReply
		s.must("node1", rootUser, "POST", api.PathPageLogout, api.PageLogout{Name: "alice"}, &reply)
		if (reply != api.PageLogoutReply{Node: "node1", Visits: 1}) {
			t.Errorf("it answers %+v", reply)
		}
		a, b := alice.send("GET", api.PathStatus, "").Code, bob.send("GET", api.PathStatus, "").Code
		if a != http.StatusUnauthorized || b != http.StatusOK {
			t.Errorf("alice is answered %d, bob %d", a, b)
		}
		trail := s.trail("node1")
		want := `end the visits of "alice" at the page: 1 visits, 0 login links`
		if last := trail[len(trail)-1]; last.Act != want || last.Who != "root" || last.Result != "ok" {
			t.Errorf("the trail ends with %+v", last)
		}
	})
}
