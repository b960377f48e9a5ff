package daemon

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/metrics"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/web"
)

// question is one request to the interface.
type question struct {
	method, path string
	body         any
	// tells is what this answer gives on purpose, and no other does.
	tells string
}

// questionsToAll are at least one for each route of the interface. Orders are rehearsed, or fail,
// so that the cluster stays as it is.
func questionsToAll(version uint64, text string) []question {
	get := func(path string) question { return question{method: "GET", path: path} }
	post := func(path string, body any) question { return question{method: "POST", path: path, body: body} }
	config := func(text string) question {
		return post(api.PathConfig, api.ConfigChange{Base: version, Text: text, DryRun: true})
	}
	backup := get(api.PathBackup)
	backup.tells = "the data key" // which is taken out of it before anything is written
	questions := []question{
		get(api.PathStatus + "?fresh=1&next=1"), get(api.PathEvents + "?limit=5000"), get(api.PathMoves),
		get(api.PathMetrics), get(api.PathRequests + "/none"), get(api.PathConfig), get(api.PathConfig + "?version=1"),
		get(api.PathHistory), get(api.PathComparison + "?from=1&to=2"), get(api.PathDoctor), get(api.PathFence),
		get(api.PathFenceHistory), get(api.PathFenceHistory + "?node=node3"), backup,
		get(api.PathDoor + "?uuid=" + uuidOf(0)), get(api.PathKeys), get(api.PathAlerts), get(api.PathLock),
		get(api.PathAudit), get(api.PathView),
		get(api.PathServices + "/service:shop/why"), get(api.PathServices + "/vm:a/why"),
		get(api.PathNodes + "/node1/plan?order=drain"), get(api.PathLock + "/plan"), get(api.PathWhatIf + "?down=node1"),
		get(api.PathWhatIf + "?drain=node2"), get(api.PathReserve + "?hosts=2"),
		post(api.PathForesight, api.ForesightQuery{Service: "vm:a", Target: "node2"}),
		post(api.PathRequests, api.Request{ID: "dry", Op: cluster.OpEnable, Service: "service:shop", DryRun: true}),
		post(api.PathRequests, api.Request{ID: "x", Op: "no-such", Service: "vm:a"}),
		config(text), config(strings.Replace(text, testPassword, testPassword+"-next", 1)),
		config(strings.Replace(text, "password: "+testPassword, "password: ["+testPassword+"]", 1)),
		config(strings.Replace(text, "password: "+testPassword, "pasword: "+testPassword, 1)),
		config(strings.Replace(text, "secret: "+pagerPlanted, "secret: {"+pagerPlanted, 1)),
		config(strings.Replace(text, "replication_passwd: ", "replication_passwd: [", 1)),
		config(strings.Replace(text, "https://hooks", "ftp://hooks", 1)),
		config(text + "  loud: {program: /usr/bin/page, arguments: [--team, storage, --token=" + argumentPlanted + "]}\n"),
		config(text + "  loud: {program: /usr/bin/page, arguments: [--token, " + argumentPlanted + "]}\n"),
		post(api.PathRollback, api.Rollback{Version: 1, Base: version, DryRun: true}),
		post(api.PathTokens, api.TokenRequest{Validity: time.Minute}),
		post(api.PathJoin, api.JoinRequest{TokenID: "none", Secret: "none", Node: "node9"}),
		post(api.PathNodes, api.NodeRequest{ID: "n", Op: "return", Node: "node9"}),
		post(api.PathKeys, api.KeysRequest{ID: "k", Op: api.AuthorityStatus}),
		post(api.PathImport, api.ImportRequest{}),
		post(api.PathFence, api.FenceRequest{ID: "t", Op: api.FenceTest, Node: "node3", Reason: "a drill"}),
		post(api.PathClient, api.ClientRequest{User: "eve", Role: "archangel"}),
		post(api.PathAlerts, api.AlertTest{Name: "desk"}), post(api.PathAlerts, api.AlertTest{Name: "pager"}),
		post(api.PathLock, api.LockRequest{Op: "no-such"}),
		post(api.PathPage, api.PageRequest{Role: "viewer"}), post(api.PathPageLogout, api.PageLogout{Name: "nobody"}),
	}
	for _, q := range questions {
		if q.method == "POST" && q.path == api.PathConfig {
			questions = append(questions, post(api.PathWhatIf, q.body))
		}
	}
	return questions
}

// everyRoute wants a question for each route of the interface.
func everyRoute(t *testing.T, questions []question) {
	t.Helper()
	source, err := os.ReadFile("../server/server.go")
	if err != nil {
		t.Fatal(err)
	}
	mux, asked := http.NewServeMux(), map[string]bool{}
	for line := range strings.SplitSeq(string(source), "\n") {
		method, rest, is := strings.Cut(strings.TrimSpace(line), ` " + api.`)
		if !is {
			continue
		}
		constant, _, _ := strings.Cut(rest, ":")
		name, more, _ := strings.Cut(constant, " + ")
		path, known := pathsOfTheInterface[name]
		if !known {
			t.Fatalf("server.go has a route below %s, which this test does not know", name)
		}
		pattern := strings.Trim(method, `"`) + " " + path + strings.Trim(more, `"`)
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
		asked[pattern] = false
	}
	for _, q := range questions {
		_, pattern := mux.Handler(httptest.NewRequest(q.method, q.path, nil))
		asked[pattern] = true
	}
	if len(asked) < 30 {
		t.Errorf("server.go was read as %d routes", len(asked))
	}
	for pattern, was := range asked {
		if !was || pattern == "" {
			t.Errorf("route %q: asked is %v", pattern, was)
		}
	}
}

var pathsOfTheInterface = map[string]string{
	"PathStatus": api.PathStatus, "PathEvents": api.PathEvents, "PathMoves": api.PathMoves, "PathMetrics": api.PathMetrics,
	"PathForesight": api.PathForesight, "PathRequests": api.PathRequests, "PathConfig": api.PathConfig,
	"PathHistory": api.PathHistory, "PathComparison": api.PathComparison, "PathRollback": api.PathRollback,
	"PathTokens": api.PathTokens, "PathJoin": api.PathJoin, "PathNodes": api.PathNodes, "PathKeys": api.PathKeys,
	"PathImport": api.PathImport, "PathDoctor": api.PathDoctor, "PathFence": api.PathFence,
	"PathFenceHistory": api.PathFenceHistory, "PathBackup": api.PathBackup, "PathDoor": api.PathDoor,
	"PathClient": api.PathClient, "PathAlerts": api.PathAlerts, "PathLock": api.PathLock, "PathAudit": api.PathAudit,
	"PathPage": api.PathPage, "PathPageLogout": api.PathPageLogout, "PathServices": api.PathServices,
	"PathView": api.PathView, "PathWhatIf": api.PathWhatIf, "PathReserve": api.PathReserve,
}

// lockedBuffer is one that all daemons write to.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// planted are the secrets of a cluster, by what they are: those of its document, and those that its
// nodes make themselves.
func (s *site) planted(t *testing.T, at string) map[string]string {
	t.Helper()
	d := s.members[at].daemon
	root := d.replica.Root()
	key, err := d.vault.DataKey(root)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := d.vault.Authority(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.pageCertificate(cluster.Web{}); err != nil {
		t.Fatal(err)
	}
	link, _, made := d.page.Invite(web.Visitor{Name: "carol", Role: pki.RoleAdmin}, limits.Root, "uid 0")
	if !made {
		t.Fatal("no link was made")
	}
	visit, token := s.browse(at, web.Visitor{Name: "dave", Role: pki.RoleOperator}), s.token(at)
	all := map[string]string{
		"a password": testPassword, "a community": communityPlanted, "a token of an alert": pagerPlanted,
		"a secret address": addressPlanted, "a parameter": agentPlanted, "a mount option": mountPlanted,
		"an argument":         argumentPlanted,
		"the authority's key": keyBody(string(ca.KeyPEM)),
		"the data key":        base64.StdEncoding.EncodeToString(key.Bytes()),
		"the gossip key":      base64.StdEncoding.EncodeToString(key.Derive(gossipPurpose)),
		"a join token":        base64.RawURLEncoding.EncodeToString(token.Secret()),
		"a login link":        link, "a visit's cookie": visit.cookie.Value, "a visit's word": visit.csrf,
	}
	for what, file := range map[string]string{"the node's key": "node.key", "the page's key": "page.key"} {
		text, err := os.ReadFile(filepath.Join(s.members[at].node.DataDir, file))
		if err != nil {
			t.Fatal(err)
		}
		all[what] = keyBody(string(text))
	}
	for what, secret := range all {
		if len(secret) < 10 {
			t.Fatalf("%s is %q: nothing is proven by looking for it", what, secret)
		}
	}
	return all
}

// pageStream is what the page's stream tells a visitor first.
func (s *site) pageStream(at string) string {
	b := s.browse(at, web.Visitor{Name: "alice", Role: pki.RoleAdmin})
	ctx, stop := context.WithCancel(s.t.Context())
	out, ended := &reader{header: http.Header{}}, make(chan struct{})
	request := httptest.NewRequestWithContext(ctx, "GET", "https://node1:7444/page/stream", nil)
	request.AddCookie(b.cookie)
	go func() {
		defer close(ended)
		b.daemon.page.ServeHTTP(out, request)
	}()
	time.Sleep(10 * time.Second) // virtual
	synctest.Wait()
	stop()
	<-ended
	return out.text.String()
}

// TestNoOutputShowsASecret plants one of each kind and asks for everything that a daemon tells
// anybody, while what it talks to quotes the secrets that it was shown.
func TestNoOutputShowsASecret(t *testing.T) {
	logs := &lockedBuffer{}
	inBubbleOf(t, func(s *site) {
		s.onDisk, s.logs = true, logs
		s.pagers = func(string) teller {
			return func(context.Context, cluster.Alert, alerts.Message) error { return errors.New("nobody is at home") }
		}
	}, func(s *site) {
		s.keysAgree(t, "node1", "node2", "node3")
		text := withPlanted(documentOf(map[string]string{"vm:a": "node1"}))
		s.applyText(text)
		s.until("it runs", func() bool { return s.service("node1", "vm:a").Owner != "" })
		leader := s.leader()
		planted := s.planted(t, leader)
		s.world.mu.Lock()
		s.world.telltale = true
		s.world.mu.Unlock()
		s.must(leader, rootUser, "POST", api.PathFence,
			api.FenceRequest{ID: "drill", Op: api.FenceTest, Node: s.followers()[0], Reason: "a drill"}, &api.Reply{})
		time.Sleep(5 * time.Minute) // virtual: each device was asked again, and the drill has ended
		questions := questionsToAll(s.status(leader).ConfigVersion, text)
		everyRoute(t, questions)
		all := s.expectNothingPlanted(t, leader, questions, planted)
		if !strings.Contains(all, "wrong password ********, ") || !strings.Contains(all, "fence_apc_snmp") {
			t.Error("nothing tells of the BMC that quotes its password, or of the document: nothing is proven")
		}
		for where, told := range map[string]string{"the page": s.everyPage(leader), "the page's stream": s.pageStream(leader),
			"the log": logs.String(), "the metrics": s.scraped(leader)} {
			if len(told) < 200 {
				t.Errorf("%s tells nothing: %s", where, told)
			}
			expectNoSecret(t, where, told, planted)
		}
	})
}

// expectNothingPlanted asks a node everything, and looks for secrets in the answers and in what the
// tools make of them.
func (s *site) expectNothingPlanted(t *testing.T, at string, questions []question, planted map[string]string) string {
	t.Helper()
	var all strings.Builder
	for _, q := range questions {
		who := rootUser
		if q.path == api.PathJoin {
			who = joiner
		}
		code, body := s.ask(at, who, q.method, q.path, q.body)
		if len(body) == 0 || permissionRefused(code, body) && q.path != api.PathJoin ||
			code >= 500 && code != http.StatusBadGateway {
			t.Errorf("%s %s: %d %s", q.method, q.path, code, body)
		}
		secret, told := planted[q.tells]
		delete(planted, q.tells)
		expectNoSecret(t, q.method+" "+q.path, string(body), planted)
		if told {
			planted[q.tells] = secret
		}
		all.Write(body)
	}
	var status api.Status
	var events api.Events
	s.must(at, rootUser, "GET", api.PathStatus, nil, &status)
	s.must(at, rootUser, "GET", api.PathEvents, nil, &events)
	expectNoSecret(t, "the tools", cli.Status(status, cli.View{Long: true})+cli.StatusXML(status, cli.View{})+
		cli.Timeline(events.Events, 200), planted)
	return all.String()
}

func permissionRefused(code int, body []byte) bool {
	var failure api.Failure
	return code == http.StatusForbidden && json.Unmarshal(body, &failure) == nil && failure.Code == "permission_denied"
}

// scraped is what a monitoring system is told at the port of metrics.
func (s *site) scraped(at string) string {
	w := httptest.NewRecorder()
	s.members[at].daemon.metrics.ServeHTTP(w, httptest.NewRequest("GET", metrics.Path, nil))
	return w.Body.String()
}
