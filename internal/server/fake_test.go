package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/nodefile"
	"github.com/clusterd/clusterd/internal/limits"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/pki"
)

// fake is a daemon of a State that does not change. What it has no answer to, it does not know.
type fake struct {
	Daemon
	root *cluster.State

	mu sync.Mutex
	// proposed are the commands that reached the log, and kept what reached the audit trail.
	proposed []cluster.Command
	kept     []api.AuditEntry
	brakes   []limits.Kind
}

func newFake() *fake { return &fake{root: &cluster.State{Cluster: "test"}} }

// serve makes the server of node1.
func (f *fake) serve() *Server {
	return New(f, Options{Node: nodefile.Node{Name: "node1"}, Address: "node1:7440",
		Logger: slog.New(slog.DiscardHandler)})
}

var errNone = errors.New("there is none")

func (f *fake) Root() *cluster.State                                      { return f.root }
func (f *fake) Changed() <-chan struct{}                                  { return nil }
func (f *fake) Newest(context.Context) error                              { return nil }
func (f *fake) Leader() string                                            { return "" }
func (f *fake) Status(time.Time) api.Status                               { return api.Status{Local: "node1"} }
func (f *fake) Sight() (*cluster.State, api.Sight, bool)                  { return f.root, api.Sight{}, false }
func (f *fake) Metrics() http.Handler                                     { return http.NotFoundHandler() }
func (f *fake) Peers() map[string]string                                  { return nil }
func (f *fake) DataKey(*cluster.State) (pki.DataKey, error)               { return pki.DataKey{}, errNone }
func (f *fake) NoteGuess(string)                                          {}
func (f *fake) Passable(string, string) (bool, string)                    { return true, "" }
func (f *fake) Examine(context.Context) []api.Finding                     { return nil }
func (f *fake) ExamineOthers(context.Context) []api.Finding               { return nil }
func (f *fake) Foresee(context.Context, api.ForesightQuery) api.Foresight { return api.Foresight{} }
func (f *fake) LastChecks(*cluster.State) map[string]api.FenceCheck       { return nil }

func (f *fake) Invite(name string, role pki.Role, _ Caller) (api.PageLink, error) {
	return api.PageLink{URL: "https://node1/#" + name, Name: name, Role: string(role)}, nil
}

func (f *fake) Entries(uint64, int) ([]api.AuditEntry, bool, error) { return nil, false, nil }

func (f *fake) Propose(_ context.Context, commands ...cluster.Command) ([]message.Text, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proposed = append(f.proposed, commands...)
	return make([]message.Text, len(commands)), nil
}

func (f *fake) Seal(_ *cluster.State, parsed config.Parsed) (cluster.Configure, error) {
	return cluster.Configure{Document: parsed.Document, Text: parsed.Text}, nil
}

func (f *fake) EndVisits(name string) api.PageLogoutReply {
	return api.PageLogoutReply{Node: "node1", Visits: 2, Links: len(name)}
}

func (f *fake) Keep(e api.AuditEntry, refused limits.Kind) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kept, f.brakes = append(f.kept, e), append(f.brakes, refused)
}

// Callers of the tests' requests.
var (
	rootUser = Caller{Name: "root", Kind: pki.KindClient, Role: pki.RoleAdmin, Socket: true, Reserved: true}
	anybody  = Caller{Name: "somebody", Kind: pki.KindClient, Role: pki.RoleViewer, Socket: true}
	viewer   = Caller{Name: "viewer eve", Kind: pki.KindClient, Role: pki.RoleViewer}
	operator = Caller{Name: "operator bob", Kind: pki.KindClient, Role: pki.RoleOperator}
	joiner   = Caller{Kind: pki.KindJoiner}
)

// ask sends a request to a handler.
func ask(t *testing.T, handler http.Handler, who Caller, method, path string, body any) (int, []byte) {
	t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(WithCaller(t.Context(), who), method, path, bytes.NewReader(content))
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Code, recorder.Body.Bytes()
}
