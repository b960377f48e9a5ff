package pki

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestThePagesCertificate is kept while it serves, is made anew when it does not, satisfies a
// browser that knows the authority, and opens nothing of the cluster.
func TestThePagesCertificate(t *testing.T) {
	ca, other := newTestCA(t, testCluster), newTestCA(t, testCluster)
	folder, addresses := t.TempDir(), []string{"10.0.0.1"}
	get := func(by *CA, addresses []string, now time.Time) *x509.Certificate {
		t.Helper()
		made, err := PageCertificate(folder, "node1", addresses, now, by.certificate, func() (*CA, error) { return by, nil })
		if err != nil {
			t.Fatal(err)
		}
		return made.Leaf
	}
	first := get(ca, addresses, noon)
	roots := x509.NewCertPool()
	roots.AddCert(ca.certificate)
	for _, name := range []string{"10.0.0.1", "node1"} {
		if _, err := first.Verify(x509.VerifyOptions{DNSName: name, Roots: roots, CurrentTime: noon}); err != nil {
			t.Errorf("a browser that goes to %s: %v", name, err)
		}
	}
	if !get(ca, addresses, noon.Add(PageValidity/2)).Equal(first) {
		t.Error("it was made anew while it serves")
	}
	for what, renewed := range map[string]*x509.Certificate{
		"it is old":       get(ca, addresses, noon.Add(PageValidity*3/4)),
		"another address": get(ca, []string{"10.0.0.2"}, noon),
		"of another one":  get(other, addresses, noon),
	} {
		if renewed.Equal(first) || Fingerprint(renewed) != Fingerprint(first) {
			t.Errorf("%s: it is the same certificate, or has another key", what)
		}
	}
	own := Trust{Now: at(noon), Standing: everyone}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		if peer, err := verifyPeer(first, ca.certificate, usage, own); !errors.Is(err, ErrOtherCluster) {
			t.Errorf("the cluster takes it for %s: %v", peer, err)
		}
	}
	node, err := LoadOrCreateNodeKey(folder)
	if err != nil || node.Fingerprint() == Fingerprint(first) {
		t.Errorf("the page has the node's key (%v)", err)
	}
}

// TestAnOperatorsOwnCertificate: its key is for its owner alone, and no error shows it.
func TestAnOperatorsOwnCertificate(t *testing.T) {
	ca, folder := newTestCA(t, testCluster), t.TempDir()
	made, err := PageCertificate(folder, "node1", nil, noon, ca.certificate, func() (*CA, error) { return ca, nil })
	if err != nil {
		t.Fatal(err)
	}
	chain, key := filepath.Join(folder, pageChainName), filepath.Join(folder, pageKeyName)
	read, err := ReadPageCertificate(chain, key)
	if err != nil || string(read.Certificate[0]) != string(made.Certificate[0]) {
		t.Errorf("it is read as %v, %v", read, err)
	}
	if _, err := ReadPageCertificate(key, key); err == nil {
		t.Error("a key is taken for a certificate")
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPageCertificate(chain, key); err == nil {
		t.Error("a key that everybody can read is taken")
	}
}
