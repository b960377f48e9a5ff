package pki

import (
	"crypto/x509"
	"net/url"
	"strings"
	"testing"
)

// FuzzCertificateName reads the name in a certificate, which somebody who has the authority's key
// may write as he likes. What is taken for a name is one, and is one of ours.
func FuzzCertificateName(f *testing.F) {
	for _, text := range []string{
		"clusterd://alpha-1/node/node1", "clusterd://alpha-1/client/admin/eve", "clusterd://alpha-1/client/archangel/eve",
		"clusterd://alpha-1/node/..%2f..%2fetc", "clusterd://alpha-1//node/node1", "clusterd:node/node1", "https://a/node/b",
		"clusterd://a/node/x%0a", "clusterd://u:p@a:7/client%2Fadmin%2Feve?q#f",
	} {
		f.Add(text, text, "")
	}
	f.Add("clusterd://a/node/b", "", "clusterd://a/node/c")
	f.Fuzz(func(t *testing.T, text, subject, second string) {
		certificate := &x509.Certificate{Raw: []byte(text), RawSubjectPublicKeyInfo: []byte(subject)}
		certificate.Subject.CommonName = subject
		for _, one := range []string{text, second} {
			if address, err := url.Parse(one); err == nil && one != "" {
				certificate.URIs = append(certificate.URIs, address)
			}
		}
		cluster, peer, err := readName(certificate)
		if err != nil {
			if len(err.Error()) > 500+8*(len(text)+len(subject)) {
				t.Errorf("a fault of %d bytes for a name of %d", len(err.Error()), len(text))
			}
			return
		}
		want := nodeURI(cluster, peer.Name)
		if peer.Kind == KindClient {
			want = clientURI(cluster, peer.Name, peer.Role)
		}
		name := certificate.URIs[0]
		if len(certificate.URIs) != 1 || name.Scheme != want.Scheme || name.Host != want.Host ||
			strings.TrimPrefix(name.Path, "/") != strings.TrimPrefix(want.Path, "/") {
			t.Errorf("%v was read as %v", certificate.URIs, want)
		}
		if peer.Kind != KindNode && (peer.Kind != KindClient || !knownRole(peer.Role)) || peer.Fingerprint == "" ||
			len(peer.Name) > 63 || strings.ContainsAny(peer.Name, "/\\ \n\x00\x1b") || strings.HasPrefix(peer.Name, ".") {
			t.Errorf("%q was read as %#v", text, peer)
		}
	})
}
