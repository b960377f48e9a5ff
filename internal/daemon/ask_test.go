package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/server"
)

// ask sends a request to a node's handler.
func (s *site) ask(at string, who server.Caller, method, path string, body any) (int, []byte) {
	s.t.Helper()
	return s.askFor(context.Background(), at, who, method, path, body)
}

func (s *site) askFor(ctx context.Context, at string, who server.Caller, method, path string, body any) (int, []byte) {
	return askHandler(ctx, s.members[at].handler, who, method, path, body)
}

func askHandler(ctx context.Context, handler http.Handler, who server.Caller, method, path string, body any) (
	int, []byte) {
	content, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	request := httptest.NewRequestWithContext(server.WithCaller(ctx, who), method, path,
		bytes.NewReader(content))
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.Bytes()
}

// askFrom carries the questions that the daemon of a node has for others.
func (s *site) askFrom(name string) func(context.Context, string, string, string, any, any) error {
	who := server.Caller{Name: "node " + name, Kind: pki.KindNode, Role: pki.RoleAdmin, Reserved: true, Holder: name}
	return func(ctx context.Context, node, method, path string, body, into any) error {
		if !s.reach(name, node) || s.current(node) == nil {
			<-ctx.Done()
			return ctx.Err()
		}
		status, text := s.askFor(ctx, node, who, method, path, body)
		if status != http.StatusOK {
			return fmt.Errorf("%d %s", status, text)
		}
		return json.Unmarshal(text, into)
	}
}

func (s *site) must(at string, who server.Caller, method, path string, body, into any) {
	s.t.Helper()
	status, text := s.ask(at, who, method, path, body)
	if status != http.StatusOK {
		s.t.Fatalf("%s %s at %s: %d %s", method, path, at, status, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		s.t.Fatal(err)
	}
}

func decoded[T any](t *testing.T, text []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return value
}

func (s *site) status(at string) api.Status {
	s.t.Helper()
	var status api.Status
	s.must(at, anybody, "GET", api.PathStatus, nil, &status)
	return status
}

func (s *site) stateOf(at, node string) string {
	s.t.Helper()
	for _, n := range s.status(at).Nodes {
		if n.Name == node {
			return n.State
		}
	}
	return ""
}

func (s *site) service(at, name string) cluster.Service {
	service, _ := s.members[at].daemon.replica.Root().Services.Get(name)
	return service
}

// leader waits for a node that leads.
func (s *site) leader() string {
	s.t.Helper()
	found := ""
	s.until("somebody leads", func() bool {
		for _, name := range threeNodes {
			if d := s.members[name].daemon; d != nil && !s.ended(name) && s.world.powered(name) && d.role.Load().leading {
				found = name
			}
		}
		return found != ""
	})
	return found
}

// ended reports whether a daemon stopped by itself.
func (s *site) ended(name string) bool { return len(s.members[name].ended) > 0 }

func (s *site) followers() []string {
	s.t.Helper()
	leader := s.leader()
	return slices.DeleteFunc(slices.Clone(threeNodes), func(name string) bool { return name == leader })
}

func (w *world) powered(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hosts[name].on
}

// until waits in virtual time and returns how long it took.
func (s *site) until(what string, condition func() bool) time.Duration {
	s.t.Helper()
	took := s.waitFor(condition)
	if took > 2*time.Minute {
		s.t.Fatalf("not within two minutes: %s", what)
	}
	return took
}

// waitFor waits for a condition, and returns more than two minutes if it does
// not come within them.
func (s *site) waitFor(condition func() bool) time.Duration {
	began := time.Now()
	for !condition() && time.Since(began) <= 2*time.Minute {
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// documentOf declares services, each preferring the node after its name.
func documentOf(services map[string]string) string {
	var b strings.Builder
	b.WriteString("cluster: test\nnodes:\n")
	for i := range threeNodes {
		fmt.Fprintf(&b, "  node%d: {fence: [[bmc%d]]}\n", i+1, i+1)
	}
	b.WriteString("devices:\n")
	for i, name := range threeNodes {
		fmt.Fprintf(&b, "  bmc%d: {driver: ipmi, address: %s, username: admin, password: %s}\n", i+1, name, testPassword)
	}
	b.WriteString("domains:\n")
	for _, name := range threeNodes {
		fmt.Fprintf(&b, "  on-%s: {ordered: true, nofailback: true, members: {%s: 1}}\n", name, name)
	}
	b.WriteString("services:\n")
	for i, name := range sortedNames(services) {
		fmt.Fprintf(&b, "  %s:\n    domain: on-%s\n    definition: |\n      <domain "+
			"type='kvm'><name>%s</name><uuid>%s</uuid></domain>\n", name, services[name], name[3:], uuidOf(i))
	}
	return b.String()
}

const testPassword = "hunter22-of-the-bmc"

func uuidOf(i int) string { return fmt.Sprintf("6f9619ff-8b86-4011-b42d-00cf4fc9640%d", i) }

// declare applies a document and waits until its services run.
func (s *site) declare(services map[string]string) {
	s.t.Helper()
	leader := s.leader()
	var reply api.ConfigReply
	s.must(leader, rootUser, "POST", api.PathConfig, api.ConfigChange{Base: s.status(leader).ConfigVersion,
		Text: guardedDocument(documentOf(services), s.levels)}, &reply)
	s.until("all services run", func() bool {
		for i := range len(services) {
			if len(s.world.runsOn(uuidOf(i))) != 1 {
				return false
			}
		}
		return !slices.ContainsFunc(s.status(leader).Services, func(v api.Service) bool { return v.StateText != "started" })
	})
}
