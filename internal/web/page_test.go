package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/pki"
)

// node is a page whose cluster the test makes up.
type node struct {
	*Front

	mu      sync.Mutex
	status  string
	events  []string
	asked   []string // what reached the tools' interface, with by whom
	kept    []api.AuditEntry
	brakes  []limits.Kind
	changed chan struct{}
}

const quiet = `{"cluster":"alpha","at":"2026-01-01T00:00:00Z","index":1,"nodes":[{"name":"node1"}],` +
	`"services":[{"name":"vm:a"}]}`

func newNode() *node {
	n := &node{status: quiet, changed: make(chan struct{})}
	n.Front = New(Options{
		Node: "node1", Others: func() map[string]string { return map[string]string{"node2": "https://10.0.0.2:7444/"} },
		Changed: func() <-chan struct{} {
			n.mu.Lock()
			defer n.mu.Unlock()
			return n.changed
		},
		Admit: func(channel pki.Channel, peer pki.Peer) error {
			standing := pki.Standing{}
			if n.Lasts(peer) {
				standing.Kind = pki.StandingMember
			}
			return pki.Admit(channel, pki.Accepting, peer, standing)
		},
		Answer: n.answer,
		Keep: func(e api.AuditEntry, refused limits.Kind) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.kept, n.brakes = append(n.kept, e), append(n.brakes, refused)
		},
	})
	return n
}

func (n *node) answer(w http.ResponseWriter, r *http.Request, who pki.Peer, from string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if who != ownEyes {
		n.asked = append(n.asked, fmt.Sprintf("%s %s by %s from %s", r.Method, r.URL.Path, who, from))
	}
	switch r.URL.Path {
	case api.PathStatus:
		_, _ = w.Write([]byte(n.status))
	case api.PathEvents:
		after := 0
		_, _ = fmt.Sscanf(r.URL.Query().Get("after"), "%d", &after)
		_, _ = fmt.Fprintf(w, `{"events":[%s]}`, strings.Join(n.events[min(after, len(n.events)):], ","))
	default:
		_, _ = w.Write([]byte("{}"))
	}
}

// is makes the status what it is now, and tells of it.
func (n *node) is(status string, events ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status, n.events = status, append(n.events, events...)
	close(n.changed)
	n.changed = make(chan struct{})
}

// request is what a browser sends to the page.
type request struct {
	method, path, body string
	cookie, csrf, from string
	header             map[string]string
}

func (n *node) send(q request) *httptest.ResponseRecorder {
	r := httptest.NewRequest(q.method, "https://node1:7444"+q.path, strings.NewReader(q.body))
	r.RemoteAddr = "10.0.0.9:4711"
	if q.from != "" {
		r.RemoteAddr = q.from
	}
	if q.cookie != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: q.cookie})
	}
	if q.csrf != "" {
		r.Header.Set(csrfHeader, q.csrf)
	}
	for name, value := range q.header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	n.ServeHTTP(w, r)
	return w
}

func (n *node) redeem(secret string) *httptest.ResponseRecorder {
	return n.send(request{method: "POST", path: pathLogin, body: `{"secret":"` + secret + `"}`})
}

// logIn lets somebody in, and returns his cookie and the page's word.
func (n *node) logIn(t *testing.T, who Visitor) (cookie, csrf string) {
	t.Helper()
	secret, _, made := n.Invite(who, limits.Root, "uid 0")
	if !made {
		t.Fatal("no link was made")
	}
	w := n.redeem(secret)
	var told told
	if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || w.Code != http.StatusOK {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	return w.Result().Cookies()[0].Value, told.CSRF
}

var alice = Visitor{Name: "alice", Role: pki.RoleOperator}

func TestALinkLetsOneBrowserInOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		secret, ends, _ := n.Invite(alice, limits.Root, "uid 0")
		if left := time.Until(ends); left != LinkValidity {
			t.Errorf("it lives %s", left)
		}
		w := n.redeem(secret)
		cookie := w.Result().Header.Get("Set-Cookie")
		for _, want := range []string{cookieName + "=", "Path=/", "HttpOnly", "Secure", "SameSite=Strict", "Max-Age=28800"} {
			if !strings.Contains(cookie, want) {
				t.Errorf("the cookie lacks %s: %s", want, cookie)
			}
		}
		if w := n.redeem(secret); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "clusterd web login") {
			t.Errorf("a second time: %d %s", w.Code, w.Body)
		}
		late, _, _ := n.Invite(alice, limits.Root, "uid 0")
		time.Sleep(LinkValidity)
		if w := n.redeem(late); w.Code != http.StatusForbidden {
			t.Errorf("too late: %d", w.Code)
		}
		if n.kept[0].Who != "operator alice at the page" || n.kept[0].Act != "log in" || n.kept[1].Result != "refused" {
			t.Errorf("the trail has %+v", n.kept)
		}
	})
}

func TestAVisitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		idle, _ := n.logIn(t, alice)
		wall, _ := n.logIn(t, Visitor{Name: "wall", Role: pki.RoleViewer})
		out, csrf := n.logIn(t, alice)
		look := func(cookie string) int {
			return n.send(request{method: "GET", path: api.PathStatus, cookie: cookie}).Code
		}
		n.send(request{method: "POST", path: pathLogout, cookie: out, csrf: csrf})
		if code := look(out); code != http.StatusUnauthorized {
			t.Errorf("after the logout: %d", code)
		}
		time.Sleep(idleVisit)
		if a, b := look(idle), look(wall); a != http.StatusUnauthorized || b != http.StatusOK {
			t.Errorf("idle: an operator %d, a viewer %d", a, b)
		}
		time.Sleep(longestVisit - idleVisit)
		if code := look(wall); code != http.StatusUnauthorized {
			t.Errorf("after %s: %d", longestVisit, code)
		}
		if n.visits.places.of(alice).Count() != 0 || len(n.visits.open) != 0 {
			t.Errorf("%d visits are kept", len(n.visits.open))
		}
	})
}

func TestWhoTriesTooOftenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode()
		tries := func(count int, from string) (refused int) {
			for range count {
				if n.send(request{method: "POST", path: pathLogin, body: `{"secret":"X"}`, from: from}).Code ==
					http.StatusTooManyRequests {
					refused++
				}
			}
			return refused
		}
		if refused := tries(40, "10.0.0.66:1"); refused != 40-knocksBurst {
			t.Errorf("of 40 tries from one address %d were refused", refused)
		}
		if refused := tries(1, "10.0.0.7:1"); refused != 0 {
			t.Error("another address is refused as well")
		}
		all := 0
		for i := range 200 {
			all += tries(1, fmt.Sprintf("10.0.1.%d:1", i))
		}
		if all < 200-everybodyBurst {
			t.Errorf("of 200 tries from as many addresses %d were refused", all)
		}
		time.Sleep(2 * time.Minute)
		n.logIn(t, alice)
		if large := n.redeem(strings.Repeat("A", loginBody)); large.Code != http.StatusBadRequest {
			t.Errorf("a large login: %d", large.Code)
		}
	})
}

func site(name, value string) map[string]string { return map[string]string{name: value} }

func TestAChangeComesFromThePageAlone(t *testing.T) {
	n := newNode()
	cookie, csrf := n.logIn(t, alice)
	for _, c := range []struct {
		what string
		q    request
		code int
	}{
		{"the page", request{csrf: csrf}, http.StatusOK},
		{"the page, as browsers send it", request{csrf: csrf, header: site("Sec-Fetch-Site", "same-origin")}, http.StatusOK},
		{"no word", request{}, http.StatusForbidden},
		{"another visit's word", request{csrf: "A" + csrf[1:] + "B"}, http.StatusForbidden},
		{"another site", request{csrf: csrf, header: site("Sec-Fetch-Site", "cross-site")}, http.StatusForbidden},
		{"another origin", request{csrf: csrf, header: site("Origin", "https://evil.example")}, http.StatusForbidden},
	} {
		c.q.method, c.q.path, c.q.cookie, c.q.body = "POST", api.PathRequests, cookie, "{}"
		if w := n.send(c.q); w.Code != c.code {
			t.Errorf("%s: %d %s", c.what, w.Code, w.Body)
		}
	}
	if want := "POST /v1/requests by operator alice at the page from 10.0.0.9"; len(n.asked) != 2 || n.asked[0] != want {
		t.Errorf("what reached the interface: %q, want twice %q", n.asked, want)
	}
}

// TestThePageIsNoWayAroundTheInterface: what is not for browsers is not there, with or without a
// visit, and what is there needs one.
func TestThePageIsNoWayAroundTheInterface(t *testing.T) {
	n := newNode()
	cookie, csrf := n.logIn(t, Visitor{Name: "root", Role: pki.RoleAdmin})
	for _, path := range []string{api.PathBackup, api.PathTokens, api.PathKeys, api.PathClient, api.PathDoor,
		api.PathView, api.PathImport, api.PathPage, api.PathPageLogout, api.PathAudit, api.PathJoin,
		"/static/../front.go", "/static/none.js"} {
		for _, method := range []string{"GET", "POST"} {
			w := n.send(request{method: method, path: path, cookie: cookie, csrf: csrf})
			if w.Code == http.StatusOK {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
	}
	for _, pattern := range passed {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{name}", "a", "{id}", "b").Replace(path)
		if w := n.send(request{method: method, path: path}); w.Code != http.StatusUnauthorized {
			t.Errorf("%s without a visit: %d", pattern, w.Code)
		}
	}
	if len(n.asked) != 0 {
		t.Errorf("the interface was asked %q", n.asked)
	}
}

func TestNothingElseIsLoadedOrFramed(t *testing.T) {
	n := newNode()
	sizes := 0
	for name, file := range n.static {
		sizes += len(file.text)
		w := n.send(request{method: "GET", path: "/static/" + name})
		h := w.Header()
		if w.Code != http.StatusOK || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != policy {
			t.Errorf("%s: %d %v", name, w.Code, h)
		}
		again := n.send(request{method: "GET", path: "/static/" + name, header: site("If-None-Match", h.Get("ETag"))})
		if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s again: %d", name, again.Code)
		}
	}
	if len(n.static) < 8 || sizes > 300_000 {
		t.Errorf("%d files have %d bytes; at most 300000 are wanted", len(n.static), sizes)
	}
	for _, inline := range []string{"unsafe-inline", "unsafe-eval", "http:", "https:", "*"} {
		if strings.Contains(policy, inline) {
			t.Errorf("the policy has %s", inline)
		}
	}
	index := string(n.static["index.html"].text)
	for _, wrong := range []string{"<style", "style=", "onclick", "https://", "<script>"} {
		if strings.Contains(index, wrong) {
			t.Errorf("index.html has %q", wrong)
		}
	}
}
