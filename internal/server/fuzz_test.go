package server

import (
	"bytes"
	"net/http/httptest"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
)

// Bodies of requests, as each handler decodes them.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(`{"id":"x","op":"enable","service":"vm:web"}`))
	f.Add([]byte(`{"tokenID":"a","secret":"b","node":"node4","request":"-----BEGIN"}`))
	f.Add([]byte(`{"id":[[[[[[[[[[`))
	f.Add([]byte(`{"id":"k","op":"rotate-gossip","node":"node1"}`))
	f.Add([]byte(`{"name":"\u001b[2J","role":"admin"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, into := range []any{
			&api.Request{}, &api.ConfigChange{}, &api.TokenRequest{}, &api.JoinRequest{}, &api.NodeRequest{},
			&api.ImportRequest{}, &api.FenceRequest{}, &api.ClientRequest{}, &api.AlertTest{},
			&api.LockRequest{}, &api.Rollback{}, &api.KeysRequest{}, &api.PageRequest{}, &api.ForesightQuery{},
		} {
			err := readJSON(httptest.NewRequest("POST", "/", bytes.NewReader(body)), into)
			if err != nil && len(err.Error()) > 4*len(body)+500 {
				t.Errorf("a fault of %d bytes for a body of %d", len(err.Error()), len(body))
			}
		}
	})
}
