package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

func newAuthority(t *testing.T, cluster string) *pki.CA {
	t.Helper()
	ca, err := pki.NewCA(cluster, cluster+"-id", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newRequest(t *testing.T, name string) (*pki.NodeKey, []byte) {
	t.Helper()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := pki.NewRequest(key, name)
	if err != nil {
		t.Fatal(err)
	}
	return key, request
}

// serve is node1 with the daemon's own door, behind which a status waits.
func serve(t *testing.T, ca *pki.CA) (address string, keys api.NodeKeys) {
	t.Helper()
	key, request := newRequest(t, "node1")
	chain, err := ca.SignNode(request, "node1", nil, time.Now(), pki.NodeValidity)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := pki.NewIdentity(key, chain)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	everyone := func(pki.Peer) pki.Standing { return pki.Standing{Kind: pki.StandingMember} }
	mux := pki.NewMux(listener, pki.NewStore(identity, pki.Trust{Now: time.Now, Standing: everyone}), pki.Limits{}, nil)
	tools, err := mux.Protocol("clusterd-api", pki.ChannelLook)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- mux.Run(ctx) }()
	keys = api.NodeKeys{Index: 7, Nodes: map[string]string{"node1": identity.Self.Fingerprint}}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == api.PathKeys {
			_ = json.NewEncoder(w).Encode(keys)
			return
		}
		_ = json.NewEncoder(w).Encode(api.Status{Cluster: "alpha"})
	})}
	go server.Serve(tools)
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String(), keys
}

// identityFolder holds a client's files.
func identityFolder(t *testing.T, signer, authority *pki.CA, keys api.NodeKeys) string {
	t.Helper()
	key, request := newRequest(t, "anna")
	chain, err := signer.SignClient(request, "anna", pki.RoleAdmin, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := keys.Write(folder); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{api.AuthorityFile: authority.CertPEM, api.CertificateFile: chain,
		api.KeyFile: secret} {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestRemoteClient(t *testing.T) {
	alpha, beta := newAuthority(t, "alpha"), newAuthority(t, "beta")
	address, keys := serve(t, alpha)
	removed := api.NodeKeys{Nodes: keys.Nodes, Removed: map[string]time.Time{keys.Nodes["node1"]: time.Now()}}
	other := api.NodeKeys{Nodes: map[string]string{"node1": "another", "node2": keys.Nodes["node1"]}}
	for _, c := range []struct {
		name, folder, fault string
	}{
		{"with this cluster's certificate", identityFolder(t, alpha, alpha, keys), ""},
		{"with another cluster's authority", identityFolder(t, beta, beta, keys),
			"the other end is not a node of this cluster"},
		{"with a certificate of another cluster", identityFolder(t, beta, alpha, keys), "it refuses this client"},
		{"at a node that was removed", identityFolder(t, alpha, alpha, removed), "was removed from the cluster"},
		{"at a key that is not the node's", identityFolder(t, alpha, alpha, other), "does not tell of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := api.NewClient(api.Options{Host: address, Identity: c.folder})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			status, err := client.Status(t.Context(), false)
			switch {
			case c.fault == "" && (err != nil || status.Cluster != "alpha"):
				t.Errorf("got %+v, %v", status, err)
			case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault) || !errors.Is(err, api.ErrNoDaemon)):
				t.Errorf("got %v, want %q", err, c.fault)
			}
		})
	}
}

func TestRemoteClientWithoutAnIdentitySaysWhatToDo(t *testing.T) {
	_, err := api.NewClient(api.Options{Host: "node1", Identity: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "no client certificate in") {
		t.Errorf("got %v", err)
	}
}

func TestRemoteDaemonThatIsNotThere(t *testing.T) {
	ca := newAuthority(t, "alpha")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent.Close()
	folder := identityFolder(t, ca, ca, api.NodeKeys{})
	client, err := api.NewClient(api.Options{Host: silent.Addr().String(), Identity: folder})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Status(t.Context(), false); !errors.Is(err, api.ErrNoDaemon) ||
		!strings.Contains(err.Error(), "Could not connect to clusterd: connection refused") ||
		!strings.Contains(api.Advice(err), "its port is reachable") {
		t.Errorf("got %v, %q", err, api.Advice(err))
	}
}

// TestAToolLearnsWhomToBelieve from a node that it believes, and nothing older than what it knows.
func TestAToolLearnsWhomToBelieve(t *testing.T) {
	alpha := newAuthority(t, "alpha")
	address, keys := serve(t, alpha) // at index 7
	for known, wanted := range map[uint64]uint64{3: 7, 9: 9} {
		folder := identityFolder(t, alpha, alpha, api.NodeKeys{Index: known, Nodes: keys.Nodes})
		path := filepath.Join(folder, api.NodesFile)
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
		client, err := api.NewClient(api.Options{Host: address, Identity: folder})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Status(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		client.Close()
		var now api.NodeKeys
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &now)
		}
		if err != nil || now.Index != wanted {
			t.Errorf("it knew the keys of index %d, and now those of %d, want %d (%v)", known, now.Index, wanted, err)
		}
	}
}
