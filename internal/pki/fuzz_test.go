package pki

import (
	"bytes"
	"crypto/x509"
	"encoding/binary"
	"errors"
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

// FuzzGreeting reads what a port says first, which may be anybody's. Only a whole welcome is one,
// no more is read than a greeting may have, and what is told of it stays short and on one line.
func FuzzGreeting(f *testing.F) {
	for code := range byte(verdictBusy) + 2 {
		f.Add([]byte{code, 0, 4, 'w', 'h', 'y', '\n'})
	}
	f.Add([]byte{0, 0, 0, 'x'})
	f.Add([]byte{1, 0, 9, 'c', 'u', 't'})
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add(append([]byte{2, 2, 1}, make([]byte, greetingLimitBytes+1)...))
	f.Fuzz(func(t *testing.T, text []byte) {
		source := bytes.NewReader(text)
		err := readGreeting(source)
		read := len(text) - source.Len()
		if read > 3+greetingLimitBytes {
			t.Errorf("%d bytes were read", read)
		}
		whole := len(text) >= 3 && read == 3+int(binary.BigEndian.Uint16(text[1:]))
		if welcome := whole && verdict(text[0]) == verdictWelcome; welcome != (err == nil) {
			t.Errorf("%q is welcome: %v, and was read as %v", text, welcome, err)
		}
		if err == nil {
			return
		}
		refused, removed, busy := errors.Is(err, ErrRefused), errors.Is(err, ErrRemoved), errors.Is(err, ErrBusy)
		if (refused || busy) != whole || refused && busy || removed && verdict(text[0]) != verdictRemoved {
			t.Errorf("%q was read as %v", text, err)
		}
		if told := err.Error(); len(told) > 200+4*greetingLimitBytes || strings.ContainsAny(told, "\n\r\x1b") {
			t.Errorf("told in %d bytes: %q", len(told), told)
		}
		if whole {
			var again bytes.Buffer
			if werr := writeGreeting(&again, verdictOf(err), string(text[3:read])); werr != nil ||
				readGreeting(&again).Error() != err.Error() {
				t.Errorf("%v is told on as another refusal (%v)", err, werr)
			}
		}
	})
}
