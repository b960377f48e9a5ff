package web

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
)

func TestLinksAndVisitsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		made := func(count int, by limits.Kind, maker string) (links int) {
			for range count {
				if _, _, made := n.Invite(alice, by, maker); made {
					links++
				}
			}
			return links
		}
		if links := made(mostLinks, limits.Users, "uid 1000"); links != linksOfOne {
			t.Errorf("one user has %d links", links)
		}
		for _, maker := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
			made(linksOfOne, limits.Users, maker)
		}
		if len(n.visits.links) != mostLinks {
			t.Errorf("users have %d links", len(n.visits.links))
		}
		if links := made(1, limits.Admins, "uid 7"); links != 1 {
			t.Error("users have taken an administrator's places")
		}
		if links := made(mostLinks+1, limits.Root, "uid 0"); links != mostLinks {
			t.Errorf("root has %d links", links)
		}
		time.Sleep(LinkValidity)
		first, _ := n.logIn(t, alice)
		other, _ := n.logIn(t, Visitor{Name: "bob", Role: pki.RoleViewer})
		for range visitsOfOne {
			time.Sleep(3 * time.Second)
			n.logIn(t, alice)
		}
		if n.visits.of(first) != nil || n.visits.of(other) == nil {
			t.Error("it is not the oldest visit of the same person that made room")
		}
		if links := made(1, limits.Users, "uid 1000"); links != 1 || len(n.visits.links) != 1 {
			t.Error("links that are over, or were used, keep their places")
		}
	})
}

// TestVisitsAreEndedFromOutside: those of one person or of all, also the links that wait, and what
// is open.
func TestVisitsAreEndedFromOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		mine, _ := n.logIn(t, alice)
		second, _ := n.logIn(t, Visitor{Name: "alice", Role: pki.RoleAdmin})
		his, _ := n.logIn(t, Visitor{Name: "bob", Role: pki.RoleViewer})
		waiting, _, _ := n.Invite(alice, limits.Root, "uid 0")
		bobs, _, _ := n.Invite(Visitor{Name: "bob", Role: pki.RoleViewer}, limits.Root, "uid 0")
		gone := n.visits.of(mine).gone
		if visits, links := n.End("alice"); visits != 2 || links != 1 {
			t.Errorf("%d visits and %d links of alice were ended, want 2 and 1", visits, links)
		}
		look := func(cookie string) int {
			return n.send(request{method: "GET", path: api.PathStatus, cookie: cookie}).Code
		}
		if a, b, c := look(mine), look(second), look(his); a != 401 || b != 401 || c != 200 {
			t.Errorf("alice is answered %d and %d, bob %d", a, b, c)
		}
		select {
		case <-gone:
		default:
			t.Error("the pages that she has open go on")
		}
		if a, b := n.redeem(waiting).Code, n.redeem(bobs).Code; a != 403 || b != 200 {
			t.Errorf("alice's link is answered %d, bob's %d", a, b)
		}
		n.Invite(alice, limits.Root, "uid 0")
		if visits, links := n.End(""); visits != 2 || links != 1 {
			t.Errorf("%d visits and %d links of everybody were ended, want 2 and 1", visits, links)
		}
		if count := n.visits.places.of(alice).Count(); len(n.visits.open)+len(n.visits.links)+count != 0 {
			t.Errorf("%d visits, %d links and %d places are left", len(n.visits.open), len(n.visits.links), count)
		}
	})
}

// TestWhoKnocksAtThePageHidesNoVisitor: what another site sends, and logins that fail, are braked
// apart from what visitors are refused.
func TestWhoKnocksAtThePageHidesNoVisitor(t *testing.T) {
	n := newNode()
	cookie, _ := n.logIn(t, alice)
	refusedAs := func(q request) limits.Kind {
		n.send(q)
		return n.brakes[len(n.brakes)-1]
	}
	foreign := request{method: "POST", path: api.PathRequests, header: site("Origin", "https://evil.example")}
	if kind := refusedAs(foreign); kind != limits.Browsers {
		t.Errorf("another site's request counts among %q", kind)
	}
	if kind := refusedAs(request{method: "POST", path: pathLogin, body: `{"secret":"X"}`}); kind != limits.Browsers {
		t.Errorf("a bad link counts among %q", kind)
	}
	forged := request{method: "POST", path: api.PathRequests, cookie: cookie, csrf: "X"}
	if kind := refusedAs(forged); kind != limits.Visitors {
		t.Errorf("a visitor's forged change counts among %q", kind)
	}
}
