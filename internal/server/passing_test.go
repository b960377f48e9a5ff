package server

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/alerts"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// relay is a daemon that passes requests on, and notes in whose name anything was done or passed.
type relay struct {
	*fake
	names []string
}

func (f *relay) Peers() map[string]string { return map[string]string{"node2": "node2:7440"} }

func (f *relay) Import(_ context.Context, _ api.ImportRequest, by string) (api.Reply, error) {
	f.names = append(f.names, by)
	return api.Reply{}, nil
}

func (f *relay) Tell(_ context.Context, _ cluster.Alert, told alerts.Message) error {
	f.names = append(f.names, told.By)
	return nil
}

func (f *relay) Ask(_ context.Context, _, _, _, path string, body, _ any) error {
	switch asked := body.(type) {
	case api.ImportRequest:
		f.names = append(f.names, asked.By)
	case api.AlertTest:
		f.names = append(f.names, asked.By)
	default:
		at, err := url.Parse(path)
		f.names = append(f.names, at.Query().Get("by"))
		return err
	}
	return nil
}

// TestWhatIsPassedOnIsDoneInTheNameOfWhoAsked: a node is believed for whom it asks, and nobody
// else is.
func TestWhatIsPassedOnIsDoneInTheNameOfWhoAsked(t *testing.T) {
	alice := Caller{Name: "admin alice", Kind: pki.KindClient, Role: pki.RoleAdmin}
	node := Caller{Name: "node node2", Kind: pki.KindNode, Role: pki.RoleAdmin, Reserved: true}
	for _, c := range []struct {
		who    Caller
		asked  string
		name   string
		behind bool
	}{
		{alice, "", "admin alice", false}, {alice, "root", "admin alice", false},
		{node, "admin alice", "admin alice", true}, {node, "", "node node2", false},
		{node, strings.Repeat("x", longestName+1), "node node2", false},
	} {
		for _, at := range []string{"node1", "node2"} {
			f := &relay{fake: newFake()}
			for _, name := range []string{"node1", "node2"} {
				f.root.Nodes.Set(name, cluster.Member{Name: name, Address: name + ":7440"})
			}
			f.root.Document.Alerts = map[string]cluster.Alert{"pager": {Name: "pager", Program: "/p", Node: at}}
			handler := New(f, f.serve().options).Handler()
			ask(t, handler, c.who, "POST", api.PathImport, api.ImportRequest{Title: "web", Node: at, By: c.asked})
			want := []string{c.name}
			if at == "node1" || c.who.Kind != pki.KindNode {
				ask(t, handler, c.who, "POST", api.PathAlerts, api.AlertTest{Name: "pager", By: c.asked})
				want = append(want, c.name)
			}
			if at == "node2" {
				query := url.Values{"node": {at}, "by": {c.asked}}
				ask(t, handler, c.who, http.MethodGet, api.PathAudit+"?"+query.Encode(), nil)
				want = append(want, c.name)
			}
			if strings.Join(f.names, ", ") != strings.Join(want, ", ") {
				t.Errorf("%s for %q at %s: in the name of %q, want %q", c.who.Name, c.asked, at, f.names, want)
			}
			for _, e := range f.kept {
				if told := strings.Contains(e.Act, ` for "admin alice"`); told != c.behind || e.Who != c.who.Name {
					t.Errorf("the trail has %+v", e)
				}
			}
		}
	}
}
