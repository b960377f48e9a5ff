package pki

import (
	"strings"
	"testing"
	"time"
)

func TestMembersMeetAndKnowEachOther(t *testing.T) {
	ca := newTestCA(t, testCluster)
	first, second := newMember(t, ca, "node1", noon), newMember(t, ca, "node2", noon)
	trust := Trust{Now: at(noon), Standing: recorded(first, second)}
	seen, serverErr, clientErr := handshake(t, NewStore(first, trust).ServerConfig(),
		NewStore(second, trust).ClientConfig("node1"))
	if serverErr != nil || clientErr != nil {
		t.Fatalf("server: %v, client: %v", serverErr, clientErr)
	}
	if seen != second.Self || seen.Name != "node2" || seen.Fingerprint != second.Key.Fingerprint() {
		t.Errorf("the server saw %+v, want %+v", seen, second.Self)
	}
}

// The server's clock is moved; the peer is a member whose key is recorded, or one whose key is not.
func TestDatesAreForgivenToMembersOnly(t *testing.T) {
	for _, test := range []struct {
		name     string
		clock    time.Time
		recorded bool
		warning  string // What the warning says; empty for none.
		refused  string // What the refusal says; empty for none.
	}{
		{"known key in time", noon, true, "", ""},
		{"unknown key in time", noon, false, "", ""},
		{"known key, expired", noon.Add(NodeValidity + time.Hour), true, "expired on 2026-03-31", ""},
		{"unknown key, expired", noon.Add(NodeValidity + time.Hour), false, "", "expired on 2026-03-31"},
		{"known key, certificate from the future", noon.Add(-48 * time.Hour), true, "valid only from 2026-03-01", ""},
		{"unknown key, certificate from the future", noon.Add(-48 * time.Hour), false, "", "valid only from 2026-03-01"},
		{"known key, clock at the epoch", time.Unix(0, 0), true, "clock says 1970-01-01", ""},
		{"known key, clock after the authority's life", noon.AddDate(40, 0, 0), true, "clock says 2066-03-01", ""},
		{"unknown key, clock a little behind", noon.Add(-30 * time.Minute), false, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			ca := newTestCA(t, testCluster)
			server, peer := newMember(t, ca, "node1", noon), newMember(t, ca, "node2", noon)
			var heard warnings
			trust := Trust{Now: at(test.clock), Warn: heard.warn}
			if test.recorded {
				trust.Standing = recorded(server, peer)
			}
			right := Trust{Now: at(noon)}
			_, serverErr, clientErr := handshake(t, NewStore(server, trust).ServerConfig(),
				NewStore(peer, right).ClientConfig("node1"))
			checkVerdict(t, "as server", serverErr, heard.all(), test.warning, test.refused, "node2")
			if (clientErr != nil) != (test.refused != "") {
				t.Errorf("the client ended with %v", clientErr)
			}
			// The same machine as a client must judge alike.
			heard = warnings{}
			_, _, clientErr = handshake(t, NewStore(peer, right).ServerConfig(), NewStore(server, trust).ClientConfig("node2"))
			checkVerdict(t, "as client", clientErr, heard.all(), test.warning, test.refused, "node2")
		})
	}
}

func checkVerdict(t *testing.T, side string, err error, heard []string, warning, refused, node string) {
	t.Helper()
	if refused == "" && err != nil {
		t.Errorf("%s: refused: %v", side, err)
	}
	if refused != "" {
		wantError(t, err, ErrCertificateDates)
		if !strings.Contains(err.Error(), refused) || !strings.Contains(err.Error(), node) {
			t.Errorf("%s: the refusal %q does not name %s and say %q", side, err, node, refused)
		}
	}
	switch {
	case warning == "" && len(heard) != 0:
		t.Errorf("%s: unexpected warnings %q", side, heard)
	case warning != "" && (len(heard) != 1 || !strings.HasPrefix(heard[0], node+": ") ||
		!strings.Contains(heard[0], warning)):
		t.Errorf("%s: warnings are %q, want one about %s that says %q", side, heard, node, warning)
	}
}

func TestAnotherKeyUnderAKnownNameGetsNoForgiveness(t *testing.T) {
	ca := newTestCA(t, testCluster)
	server, genuine, other := newMember(t, ca, "node1", noon), newMember(t, ca, "node2", noon),
		newMember(t, ca, "node2", noon)
	trust := Trust{Now: at(noon.Add(2 * NodeValidity)), Standing: recorded(server, genuine)}
	_, err, _ := handshake(t, NewStore(server, trust).ServerConfig(), NewStore(other, Trust{Now: at(noon)}).ClientConfig(
		"node1"))
	wantError(t, err, ErrCertificateDates)
}

func TestClientsGetNoForgiveness(t *testing.T) {
	ca := newTestCA(t, testCluster)
	server, alice := newMember(t, ca, "node1", noon), newClient(t, ca, "alice", RoleAdmin)
	trust := Trust{
		Now:      at(noon.Add(2 * ClientValidity)),
		Standing: func(Peer) Standing { return Standing{Kind: StandingMember} },
	}
	_, err, _ := handshake(t, NewStore(server, trust).ServerConfig(), NewStore(alice, Trust{Now: at(noon)}).ClientConfig(
		AnyNode))
	wantError(t, err, ErrCertificateDates)
}

func TestRemovedNodeIsRefusedWithTheDate(t *testing.T) {
	ca := newTestCA(t, testCluster)
	server, removed := newMember(t, ca, "node1", noon), newMember(t, ca, "node3", noon)
	trust := Trust{Now: at(noon), Standing: func(peer Peer) Standing {
		if peer.Fingerprint == removed.Self.Fingerprint {
			return Standing{Kind: StandingRemoved, RemovedAt: noon.Add(-time.Hour)}
		}
		return Standing{Kind: StandingMember}
	}}
	_, err, _ := handshake(t, NewStore(server, trust).ServerConfig(),
		NewStore(removed, Trust{Now: at(noon)}).ClientConfig("node1"))
	wantError(t, err, ErrRemoved)
	if want := "node node3 was removed from the cluster on 2026-03-01 11:00:00 UTC"; err.Error() != want {
		t.Errorf("the refusal is %q, want %q", err, want)
	}
}

func TestOtherClustersAndForgersAreRefused(t *testing.T) {
	ours := newTestCA(t, testCluster)
	server := NewStore(newMember(t, ours, "node1", noon), Trust{Now: at(noon)})

	foreign := newMember(t, newTestCA(t, "another"), "node2", noon)
	_, err, _ := handshake(t, server.ServerConfig(), withoutVerification(foreign))
	wantError(t, err, ErrOtherCluster)
	if !strings.Contains(err.Error(), "belongs to cluster another, this is cluster "+testCluster) {
		t.Errorf("the refusal %q does not name both clusters", err)
	}

	// A forger can write our cluster's id into a certificate, but not sign it.
	forged := newMember(t, newTestCA(t, testCluster), "node2", noon)
	_, err, _ = handshake(t, server.ServerConfig(), withoutVerification(forged))
	wantError(t, err, ErrOtherCluster)

	// The forger's key is even recorded: the authority's signature is still needed.
	trusting := NewStore(server.Identity(), Trust{Now: at(noon), Standing: recorded(forged)})
	_, err, _ = handshake(t, trusting.ServerConfig(), withoutVerification(forged))
	wantError(t, err, ErrOtherCluster)

	_, _, err = handshake(t, NewStore(foreign, Trust{Now: at(noon)}).ServerConfig(), server.ClientConfig("node2"))
	wantError(t, err, ErrOtherCluster)
}

func TestOnlyTheWantedNodeIsAccepted(t *testing.T) {
	ca := newTestCA(t, testCluster)
	trust := Trust{Now: at(noon)}
	first := NewStore(newMember(t, ca, "node1", noon), trust)
	second := NewStore(newMember(t, ca, "node2", noon), trust)
	_, _, err := handshake(t, second.ServerConfig(), first.ClientConfig("node3"))
	wantError(t, err, ErrWrongNode)
	if _, _, err = handshake(t, second.ServerConfig(), first.ClientConfig("")); err == nil {
		t.Error("an empty node name was taken for any node")
	}
	if _, _, err = handshake(t, second.ServerConfig(), first.ClientConfig(AnyNode)); err != nil {
		t.Errorf("any node: %v", err)
	}
	// A client's certificate must not serve.
	alice := NewStore(newClient(t, ca, "alice", RoleAdmin), trust)
	_, _, err = handshake(t, alice.ServerConfig(), first.ClientConfig(AnyNode))
	if err == nil || !strings.Contains(err.Error(), "did not sign for this use") {
		t.Errorf("a client's certificate that serves ended with %v", err)
	}
}

func TestClientAndJoinerAreSeenAsSuch(t *testing.T) {
	ca := newTestCA(t, testCluster)
	trust := Trust{Now: at(noon)}
	server := NewStore(newMember(t, ca, "node1", noon), trust)
	viewer := newClient(t, ca, "bob@example.org", RoleViewer)
	seen, err, _ := handshake(t, server.ServerConfig(), NewStore(viewer, trust).ClientConfig(AnyNode))
	if err != nil || seen.Kind != KindClient || seen.Role != RoleViewer || seen.Name != "bob@example.org" {
		t.Errorf("the server saw %+v, %v", seen, err)
	}
	anonymous := NewStore(viewer, trust).ClientConfig(AnyNode)
	anonymous.GetClientCertificate = nil
	seen, err, _ = handshake(t, server.ServerConfig(), anonymous)
	if err != nil || seen != (Peer{Kind: KindJoiner}) {
		t.Errorf("the server saw %+v, %v, want a joiner", seen, err)
	}
}

func TestRenewedCertificateIsUsedByTheNextConnection(t *testing.T) {
	ca := newTestCA(t, testCluster)
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	old := signMember(t, ca, key, "node1", noon)
	later := noon.Add(NodeValidity + time.Hour)
	server := NewStore(old, Trust{Now: at(later)})
	peer := NewStore(newMember(t, ca, "node2", later), Trust{Now: at(later)})
	config := server.ServerConfig()
	_, _, err = handshake(t, config, peer.ClientConfig("node1"))
	wantError(t, err, ErrCertificateDates)

	if !NeedsRenewal(old.Certificate, later) {
		t.Error("an expired certificate needs no renewal?")
	}
	if err := server.Replace(signMember(t, ca, key, "node1", later)); err != nil {
		t.Fatal(err)
	}
	if _, serverErr, clientErr := handshake(t, config, peer.ClientConfig("node1")); serverErr != nil || clientErr != nil {
		t.Errorf("after the renewal, with the same configuration: server %v, client %v", serverErr, clientErr)
	}
	for name, stranger := range map[string]*Identity{
		"another key":       newMember(t, ca, "node1", later),
		"another node":      signMember(t, ca, key, "node9", later),
		"another authority": signMember(t, newTestCA(t, testCluster), key, "node1", later),
	} {
		if err := server.Replace(stranger); err == nil {
			t.Errorf("%s was taken for a renewal", name)
		}
	}
}
