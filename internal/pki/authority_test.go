package pki

import (
	"crypto/x509"
	"testing"
)

// TestTwoAuthoritiesAreBelievedWhileOneTakesTheOthersPlace: then, in both directions, and
// neither before nor after.
func TestTwoAuthoritiesAreBelievedWhileOneTakesTheOthersPlace(t *testing.T) {
	old, next := newTestCA(t, testCluster), newTestCA(t, testCluster)
	first, second := newMember(t, old, "node1", noon), newMember(t, next, "node2", noon)
	both := []*x509.Certificate{first.Authority, second.Authority}
	foreign := []*x509.Certificate{newMember(t, newTestCA(t, "another"), "node3", noon).Authority}
	trusting := func(believed []*x509.Certificate) Trust {
		return Trust{Now: at(noon), Standing: recorded(first, second),
			Authorities: func() []*x509.Certificate { return believed }}
	}
	for _, c := range []struct {
		what     string
		believed []*x509.Certificate
		good     bool
	}{{"before", both[:1], false}, {"while", both, true}, {"another cluster's", foreign, false}} {
		trust, alone := trusting(c.believed), trusting(both)
		_, serverErr, _ := handshake(t, NewStore(first, trust).ServerConfig(), NewStore(second, alone).ClientConfig("node1"))
		_, _, clientErr := handshake(t, NewStore(second, alone).ServerConfig(), NewStore(first, trust).ClientConfig("node2"))
		if (serverErr == nil) != c.good || (clientErr == nil) != c.good {
			t.Errorf("%s: as server %v, as client %v", c.what, serverErr, clientErr)
		}
	}
	request, err := NewRequest(first.Key, "node1")
	if err != nil {
		t.Fatal(err)
	}
	chain, err := next.SignNode(request, "node1", nil, noon, NodeValidity)
	if err != nil {
		t.Fatal(err)
	}
	renewed, err := NewIdentity(first.Key, chain)
	if err != nil {
		t.Fatal(err)
	}
	if err := NewStore(first, Trust{}).Replace(renewed); err == nil {
		t.Error("a certificate of an authority that nobody told of was taken over")
	}
	trust := Trust{Authorities: func() []*x509.Certificate { return both }}
	if err := NewStore(first, trust).Replace(renewed); err != nil {
		t.Error(err)
	}
}
