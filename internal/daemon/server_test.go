package daemon

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/audit"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/server"
)

// An operator empties a node and may not take it out of the cluster.
func TestAnOperatorChangesNoMembers(t *testing.T) {
	inBubble(t, func(s *site) {
		for _, op := range []string{"remove", "leave"} {
			code, body := s.ask("node1", operator, "POST", api.PathNodes, api.NodeRequest{ID: op, Op: op, Node: "node3"})
			if code != http.StatusForbidden {
				t.Errorf("%s by an operator: %d %s", op, code, body)
			}
		}
		var reply api.Reply
		s.must("node1", operator, "POST", api.PathNodes, api.NodeRequest{ID: "s", Op: "standby", Node: "node3"}, &reply)
		s.must("node1", operator, "POST", api.PathNodes, api.NodeRequest{ID: "r", Op: "return", Node: "node3"}, &reply)
	})
}

// Guesses at a token are answered from what the node knows: they read nothing from the leader,
// and the trail has them.
func TestGuessesAtTokensCostNoQuorum(t *testing.T) {
	inBubble(t, func(s *site) {
		s.isolate("node2") // a quorum read would fail, and take long
		began := time.Now()
		code, failure := s.joinWith("node2", "node1", "00000000", []byte("guess"))
		if took := time.Since(began); code != http.StatusForbidden || failure.Code != "bad_token" || took > 2*time.Second {
			t.Errorf("a guess: %d %+v after %s", code, failure, took)
		}
		entries := s.trail("node2")
		if last := entries[len(entries)-1]; last.Act != `join as node "node1"` || !strings.Contains(last.Result, "refused") {
			t.Errorf("the trail ends with %+v", last)
		}
	})
}

// trail is a node's audit trail once the disk has taken everything.
func (s *site) trail(node string) []audit.Entry {
	s.t.Helper()
	synctest.Wait()
	entries, _, err := s.members[node].daemon.register.Read(0, 2000)
	if err != nil || audit.Verify(entries) != nil {
		s.t.Fatalf("%v, %v", err, audit.Verify(entries))
	}
	return entries
}

func TestTheTrailHasWhoDidWhat(t *testing.T) {
	inBubble(t, func(s *site) {
		before := len(s.trail("node1"))
		s.ask("node1", rootUser, "GET", api.PathConfig, nil)
		s.ask("node1", rootUser, "GET", api.PathBackup, nil)
		s.ask("node1", rootUser, "GET", api.PathStatus, nil)
		s.ask("node1", viewer, "GET", api.PathBackup, nil)
		s.ask("node1", operator, "POST", api.PathNodes, api.NodeRequest{ID: "r", Op: "remove", Node: "node3"})
		s.ask("node1", rootUser, "POST", api.PathClient, api.ClientRequest{User: "eve", Role: "archangel"})
		s.ask("node1", rootUser, "POST", api.PathClient, api.ClientRequest{User: "nobody", Revoke: true})
		s.ask("node1", rootUser, "POST", api.PathClient, api.ClientRequest{User: "nobody", Revoke: true, Fingerprint: "0b"})
		var got []string
		for _, e := range s.trail("node1")[before:] {
			result, _, _ := strings.Cut(e.Result, ":")
			got = append(got, e.Who+": "+e.Act+": "+result)
		}
		want := []string{
			"root: read the document: ok",
			"root: back the cluster up, secrets included: ok",
			"viewer eve: GET /v1/backup: refused",
			`operator bob: node remove "node3": refused`,
			`root: make a certificate for "eve" with role "archangel": refused`,
			`root: revoke all certificates of "nobody": refused`,
			`root: revoke the certificate of "nobody" whose key begins with "0b": refused`,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// Whoever knocks without end cannot push what was done out of the trail.
func TestAFloodOfRefusalsLeavesTheTrailWhole(t *testing.T) {
	inBubble(t, func(s *site) {
		before := len(s.trail("node1"))
		for range 500 {
			s.ask("node1", joiner, "GET", api.PathStatus, nil)
		}
		time.Sleep(2 * audit.Window)
		s.ask("node1", joiner, "GET", api.PathStatus, nil)
		entries := s.trail("node1")[before:]
		told := 0
		for _, e := range entries {
			told += 1 + e.More
		}
		if len(entries) > 3*audit.MostOfWindow || told != 501 {
			t.Errorf("501 refusals left %d lines that tell of %d", len(entries), told)
		}
	})
}

// Neither can whoever may do little, by requests that fail nor by such that succeed; what an
// administrator does is there all the same.
func TestAFloodOfRequestsLeavesTheTrailWhole(t *testing.T) {
	inBubble(t, func(s *site) {
		s.ask("node1", rootUser, "GET", api.PathBackup, nil)
		before, d := len(s.trail("node1")), s.members["node1"].daemon
		const each = 2000
		for range each {
			s.ask("node1", operator, "POST", api.PathRequests, "no request at all")
			d.register.Keep(audit.Entry{Who: "operator bob", Act: "start", Result: api.ResultOK}, limits.Users)
		}
		s.ask("node1", operator, "POST", api.PathNodes, api.NodeRequest{ID: "r", Op: "standby", Node: "node9"})
		s.ask("node1", rootUser, "GET", api.PathBackup, nil)
		time.Sleep(2 * time.Hour)
		lines, told, backups := 0, 0, 0
		for _, e := range s.trail("node1")[before:] {
			if e.Who == operator.Name {
				lines, told = lines+1, told+1+e.More
			}
			if strings.HasPrefix(e.Act, "back the cluster up") && e.More == 0 {
				backups++
			}
		}
		if lines > 4*audit.MostOfHour || told != 2*each+1 || backups != 1 {
			t.Errorf("%d requests left %d lines that tell of %d, and %d of 1 backup", 2*each+1, lines, told, backups)
		}
	})
}

// Whoever floods the trail from the page, or without a certificate, does not hide what a stolen
// certificate is refused.
func TestAFloodOfOneKindHidesNoOther(t *testing.T) {
	inBubble(t, func(s *site) {
		before, d := len(s.trail("node1")), s.members["node1"].daemon
		for range 10 * audit.MostOfWindow {
			r := httptest.NewRequest("POST", "https://node1:7444/page/login", nil)
			r.Header.Set("Origin", "https://evil.example")
			d.page.ServeHTTP(httptest.NewRecorder(), r)
			s.ask("node1", joiner, "GET", api.PathStatus, nil)
		}
		s.ask("node1", viewer, "GET", api.PathBackup, nil)
		kinds := map[string]int{}
		for _, e := range s.trail("node1")[before:] {
			kinds[e.Act]++
		}
		want := map[string]int{"a request of another site": audit.MostOfWindow, "GET " + api.PathStatus: audit.MostOfWindow,
			"GET " + api.PathBackup: 1}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Error(diff)
		}
	})
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
		if code, failure := s.joinWith("node1", "node4", token.ID, wrong.Secret()); code != http.StatusForbidden ||
			failure.Code != "bad_token" {
			t.Errorf("with another token's secret: %d %+v", code, failure)
		}
		if code, failure := s.joinWith("node1", "node4", "00000000", token.Secret()); code != http.StatusForbidden ||
			failure.Code != "bad_token" {
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
		if code, failure := s.join("node1", "node5", late); code != http.StatusForbidden ||
			!strings.Contains(failure.Message, "expired") {
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
		if code != http.StatusUnprocessableEntity || failure.Code != "invalid_document" ||
			!strings.Contains(strings.Join(failure.Details, "\n"), fmt.Sprintf(":%d:", line)) {
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
		d := s.members["node1"].daemon
		ca, err := d.vault.Authority(root)
		if err != nil {
			t.Fatal(err)
		}
		key, err := d.vault.DataKey(root)
		if err != nil {
			t.Fatal(err)
		}
		secrets := map[string]string{
			"the BMC's password": testPassword, "the authority's key": keyBody(string(ca.KeyPEM)),
			"the data key":   base64.StdEncoding.EncodeToString(key.Bytes()),
			"the gossip key": base64.StdEncoding.EncodeToString(key.Derive(gossipPurpose)),
		}
		for path, who := range map[string]server.Caller{api.PathStatus: viewer, api.PathEvents: viewer, api.PathFence: viewer,
			api.PathConfig: rootUser, api.PathDoctor: rootUser} {
			code, body := s.ask("node1", who, "GET", path, nil)
			if code != http.StatusOK || len(body) < 50 {
				t.Errorf("GET %s: %d %s", path, code, body)
			}
			expectNoSecret(t, path, string(body), secrets)
		}
		changed := strings.ReplaceAll(documentOf(map[string]string{"vm:a": "node1"}), testPassword, testPassword+"-new")
		for _, dry := range []bool{true, false} {
			code, body := s.ask("node1", rootUser, "POST", api.PathConfig,
				api.ConfigChange{Base: s.status("node1").ConfigVersion, Text: changed, DryRun: dry})
			if code != http.StatusOK || !strings.Contains(string(body), "bmc1") {
				t.Errorf("a changed password: %d %s", code, body)
			}
			expectNoSecret(t, "the changes", string(body), secrets)
		}
		if s.passwordOf("node1", "bmc1") != testPassword+"-new" {
			t.Error("the password is not there; the walk above would find nothing either")
		}
		_, body := s.ask("node1", rootUser, "GET", api.PathBackup, nil)
		delete(secrets, "the data key") // which is taken out of it before anything is written
		expectNoSecret(t, "a backup", string(body), secrets)
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
		for _, name := range []string{"node.key", "membership.json", "raft"} {
			info, err := os.Stat(filepath.Join(folder, name))
			if err != nil || info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s: %v %v", name, info.Mode(), err)
			}
		}
	})
}
