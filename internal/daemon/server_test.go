package daemon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
)

// routesOfTheInterface lists every route and who may take it.
var routesOfTheInterface = []struct {
	method, path     string
	viewers, joiners bool
}{
	{"GET", api.PathStatus, true, false},
	{"GET", api.PathEvents, true, false},
	{"POST", api.PathRequests, false, false},
	{"GET", api.PathRequests + "/none", true, false},
	{"GET", api.PathConfig, false, false},
	{"POST", api.PathConfig, false, false},
	{"GET", api.PathHistory, false, false},
	{"GET", api.PathComparison, false, false},
	{"POST", api.PathRollback, false, false},
	{"GET", api.PathAlerts, true, false},
	{"POST", api.PathAlerts, false, false},
	{"POST", api.PathTokens, false, false},
	{"POST", api.PathJoin, true, true}, // a token decides, not who shows it
	{"POST", api.PathNodes, false, false},
	{"POST", api.PathImport, false, false},
	{"GET", api.PathDoctor, false, false},
	{"GET", api.PathFence, true, false},
	{"POST", api.PathFence, false, false},
	{"GET", api.PathFenceHistory, true, false},
	{"GET", api.PathBackup, false, false},
	{"GET", api.PathDoor, false, false},
	{"POST", api.PathClient, false, false},
	{"GET", api.PathLock, true, false},
	{"GET", api.PathServices + "/vm:none/why", true, false},
	{"GET", api.PathNodes + "/node1/plan?order=drain", true, false},
	{"GET", api.PathLock + "/plan", true, false},
	{"POST", api.PathLock, false, false},
}

func TestWhoMayDoWhat(t *testing.T) {
	inBubble(t, func(s *site) {
		before := s.status("node1").Index
		for _, route := range routesOfTheInterface {
			for who, may := range map[*caller]bool{&joiner: route.joiners, &viewer: route.viewers, &anybody: route.viewers, &rootUser: true, {}: route.viewers} {
				if who == &rootUser && route.method == "POST" {
					continue // it would be done
				}
				code, body := s.ask("node1", *who, route.method, route.path, struct{}{})
				if refused := code == http.StatusForbidden && decoded[api.Failure](t, orEmpty(body)).Code == "permission_denied"; refused == may {
					t.Errorf("%s %s by %+v: %d %s", route.method, route.path, *who, code, body)
				}
			}
		}
		if after := s.status("node1").Index; after != before {
			t.Errorf("refused requests changed the state from index %d to %d", before, after)
		}
	})
}

func orEmpty(body []byte) []byte {
	if len(body) == 0 || body[0] != '{' {
		return []byte("{}")
	}
	return body
}

func TestEveryRouteIsInTheTable(t *testing.T) {
	routes := (&server{daemon: &Daemon{}}).routes().(*http.ServeMux)
	for _, route := range routesOfTheInterface {
		if _, pattern := routes.Handler(httptest.NewRequest(route.method, route.path, nil)); pattern == "" {
			t.Errorf("%s %s is no route", route.method, route.path)
		}
	}
	source, err := os.ReadFile("server.go")
	if err != nil {
		t.Fatal(err)
	}
	if inCode := strings.Count(string(source), "+ api.Path"); inCode != len(routesOfTheInterface) {
		t.Errorf("server.go has %d routes, the table of this test %d", inCode, len(routesOfTheInterface))
	}
}

func TestATokenBringsOneMachineInOnce(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(s *site) {
		for _, name := range []string{"node4", "node5"} {
			extra := newSite(s.t, dir, []string{name}).members[name]
			s.members[name] = extra
		}
		token := s.token("node2")
		wrong := s.token("node1")
		if code, failure := s.joinWith("node1", "node4", token.ID, wrong.Secret()); code != http.StatusForbidden || failure.Code != "bad_token" {
			t.Errorf("with another token's secret: %d %+v", code, failure)
		}
		if code, failure := s.joinWith("node1", "node4", "00000000", token.Secret()); code != http.StatusForbidden || failure.Code != "bad_token" {
			t.Errorf("with an unknown token: %d %+v", code, failure)
		}
		if code, failure := s.join("node3", "node4", token); code != http.StatusOK {
			t.Errorf("the token does not work after wrong tries: %d %+v", code, failure)
		}
		if code, failure := s.join("node1", "node5", token); code != http.StatusForbidden || failure.Code != "bad_token" {
			t.Errorf("the token worked twice: %d %+v", code, failure)
		}
		late := s.tokenFor("node1", 5*time.Second)
		time.Sleep(6 * time.Second)
		if code, failure := s.join("node1", "node5", late); code != http.StatusForbidden || !strings.Contains(failure.Message, "expired") {
			t.Errorf("an expired token: %d %+v", code, failure)
		}
		delete(s.members, "node4")
		delete(s.members, "node5")
	})
}

// joinWith shows a token's id with a secret that may not be its own.
func (s *site) joinWith(at, name, id string, secret []byte) (int, api.Failure) {
	s.t.Helper()
	code, body := s.ask(at, joiner, "POST", api.PathJoin, s.joinBody(name, id, secret))
	return code, decoded[api.Failure](s.t, body)
}

func TestTwoMachinesWithOneTokenAtTheSameTime(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(s *site) {
		for _, name := range []string{"node4", "node5"} {
			s.members[name] = newSite(s.t, dir, []string{name}).members[name]
		}
		token := s.token("node1")
		codes := make(chan int, 2)
		for at, name := range map[string]string{"node2": "node4", "node3": "node5"} {
			body := s.joinBody(name, token.ID, token.Secret())
			go func() {
				code, _ := s.ask(at, joiner, "POST", api.PathJoin, body)
				codes <- code
			}()
		}
		if a, b := <-codes, <-codes; min(a, b) != http.StatusOK || max(a, b) < http.StatusForbidden {
			t.Errorf("the answers are %d and %d, want one that is let in", a, b)
		}
		delete(s.members, "node4")
		delete(s.members, "node5")
	})
}

func TestAnInvalidDocumentIsRefusedWithItsLines(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1"})
		base := s.status("node1").ConfigVersion
		apply := func(base uint64, text string) (int, api.Failure) {
			code, body := s.ask("node2", rootUser, "POST", api.PathConfig, api.ConfigChange{Base: base, Text: text})
			return code, decoded[api.Failure](t, body)
		}
		bad := strings.Replace(documentOf(map[string]string{"vm:a": "node1"}), "domain: on-node1", "domian: on-node1", 1)
		line := strings.Count(bad[:strings.Index(bad, "domian")], "\n") + 1
		code, failure := apply(base, bad)
		if code != http.StatusUnprocessableEntity || failure.Code != "invalid_document" || !strings.Contains(strings.Join(failure.Details, "\n"), fmt.Sprintf(":%d:", line)) {
			t.Errorf("an unknown key in line %d: %d %+v", line, code, failure)
		}
		good := documentOf(map[string]string{"vm:a": "node1", "vm:b": "node2"})
		if code, failure := apply(base-1, good); code != http.StatusConflict || failure.Code != "conflict" {
			t.Errorf("a stale base: %d %+v", code, failure)
		}
		if s.status("node1").ConfigVersion != base {
			t.Error("a refused document changed the version")
		}
		if code, failure := apply(base, good); code != http.StatusOK {
			t.Errorf("the good document: %d %+v", code, failure)
		}
	})
}

func TestEventsComeInPagesAndWait(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1", "vm:b": "node2"})
		events := func(query string) []cluster.Event {
			var page api.Events
			s.must("node3", viewer, "GET", api.PathEvents+"?"+query, nil, &page)
			return page.Events
		}
		all := events("")
		var paged []cluster.Event
		for after := uint64(1); ; {
			page := events(fmt.Sprintf("after=%d&limit=2", after))
			if len(page) == 0 {
				break
			}
			paged, after = append(paged, page...), page[len(page)-1].Index
		}
		last := all[len(all)-1]
		if diff := cmp.Diff(all, paged); diff != "" {
			t.Errorf("page by page it is another timeline: %s", diff)
		}
		for _, e := range events("service=vm:b") {
			if e.Subject != "vm:b" {
				t.Errorf("%+v is not about vm:b", e)
			}
		}
		began := time.Now()
		if page := events(fmt.Sprintf("after=%d&wait=3s", last.Index)); len(page) != 0 || time.Since(began) != 3*time.Second {
			t.Errorf("waited %s for %v", time.Since(began), page)
		}
		go func() {
			time.Sleep(time.Second)
			s.request("node1", api.Request{ID: "stop", Op: cluster.OpDisable, Service: "vm:b"})
		}()
		began = time.Now()
		if page := events(fmt.Sprintf("after=%d&wait=1h", last.Index)); len(page) == 0 || time.Since(began) > 2*time.Second {
			t.Errorf("waited %s for %v", time.Since(began), page)
		}
		s.outcome("node1", "stop")
	})
}

func TestNoSecretIsShown(t *testing.T) {
	inBubble(t, func(s *site) {
		s.declare(map[string]string{"vm:a": "node1"})
		s.token("node1")
		root := s.members["node1"].daemon.replica.Root()
		gossip, err := json.Marshal(root.Secrets.GossipKey)
		if err != nil {
			t.Error(err)
		}
		secrets := map[string]string{"the BMC's password": testPassword, "the authority's key": keyBody(string(root.Secrets.AuthorityKey)), "the gossip key": strings.Trim(string(gossip), `"`)}
		for path, who := range map[string]caller{api.PathStatus: viewer, api.PathEvents: viewer, api.PathFence: viewer, api.PathConfig: rootUser, api.PathDoctor: rootUser} {
			code, body := s.ask("node1", who, "GET", path, nil)
			if code != http.StatusOK || len(body) < 50 {
				t.Errorf("GET %s: %d %s", path, code, body)
			}
			expectNoSecret(t, path, string(body), secrets)
		}
		changed := strings.ReplaceAll(documentOf(map[string]string{"vm:a": "node1"}), testPassword, testPassword+"-new")
		for _, dry := range []bool{true, false} {
			code, body := s.ask("node1", rootUser, "POST", api.PathConfig, api.ConfigChange{Base: s.status("node1").ConfigVersion, Text: changed, DryRun: dry})
			if code != http.StatusOK || !strings.Contains(string(body), "bmc1") {
				t.Errorf("a changed password: %d %s", code, body)
			}
			expectNoSecret(t, "the changes", string(body), secrets)
		}
		if _, body := s.ask("node1", rootUser, "GET", api.PathBackup, nil); !strings.Contains(string(body), testPassword) {
			t.Error("a backup without the passwords is no backup; the walk above would find nothing either")
		}
	})
}

func expectNoSecret(t *testing.T, where, text string, secrets map[string]string) {
	t.Helper()
	for what, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("%s shows %s", where, what)
		}
	}
}

// keyBody is a line out of the middle of a PEM block.
func keyBody(pem string) string { return strings.Split(pem, "\n")[1] }

func TestTheFilesWithSecretsAreForTheOwnerAlone(t *testing.T) {
	inBubbleWith(t, true, func(s *site) {
		folder := s.members["node2"].node.DataDir
		for _, name := range []string{"node.key", "gossip.key", "membership.json", "raft"} {
			info, err := os.Stat(filepath.Join(folder, name))
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v %v", name, info.Mode(), err)
			}
		}
	})
}
