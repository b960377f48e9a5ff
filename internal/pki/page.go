package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// PageValidity is how long the certificate of a node's page lives. Browsers believe none that
// lives longer than a year, whoever signed it.
const PageValidity = 90 * 24 * time.Hour

const (
	pageKeyName   = "page.key"
	pageChainName = "page.crt"
)

// SignPage answers a request for the certificate with which a node's page is served, with its chain
// in PEM. It names no node and no client, so no channel of the cluster is open to who shows it.
func (ca *CA) SignPage(requestPEM []byte, node string, addresses []string, now time.Time) ([]byte, error) {
	request, err := ParseRequest(requestPEM)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for the page of %s: %w", node, err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "clusterd page of " + node},
		URIs:        []*url.URL{{Scheme: uriScheme, Host: ca.ClusterID, Path: "/page/" + node}},
		DNSNames:    []string{node},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if err := addAddresses(template, addresses); err != nil {
		return nil, fmt.Errorf("sign a certificate for the page of %s: %w", node, err)
	}
	return ca.sign(template, request, now, PageValidity)
}

// PageCertificate is the certificate with which a node serves its page: the one in the folder, or,
// where there is none, or it grows old, or another authority signed it, or it is made out to other
// addresses, a new one. Its key is its own, and never that of the node.
func PageCertificate(folder, node string, addresses []string, now time.Time, believed *x509.Certificate,
	authority func() (*CA, error)) (*tls.Certificate, error) {
	key, err := loadOrCreateKey(filepath.Join(folder, pageKeyName))
	if err != nil {
		return nil, fmt.Errorf("the key of the page: %w", err)
	}
	if chain, err := ReadSecret(filepath.Join(folder, pageChainName)); err == nil {
		certificates, err := parseCertificates(chain)
		if err == nil && pageServes(certificates[0], key, addresses, now, believed) {
			return pageOf(key, certificates), nil
		}
	}
	ca, err := authority()
	if err != nil {
		return nil, err
	}
	request, err := NewRequest(key, node)
	if err != nil {
		return nil, err
	}
	chain, err := ca.SignPage(request, node, addresses, now)
	if err != nil {
		return nil, err
	}
	certificates, err := parseCertificates(chain)
	if err != nil {
		return nil, err
	}
	return pageOf(key, certificates), WriteSecret(filepath.Join(folder, pageChainName), chain)
}

func pageOf(key *NodeKey, certificates []*x509.Certificate) *tls.Certificate {
	made := &tls.Certificate{PrivateKey: key.private, Leaf: certificates[0]}
	for _, certificate := range certificates {
		made.Certificate = append(made.Certificate, certificate.Raw)
	}
	return made
}

// pageServes reports whether a certificate may be used on.
func pageServes(leaf *x509.Certificate, key *NodeKey, addresses []string, now time.Time,
	believed *x509.Certificate) bool {
	return Fingerprint(leaf) == key.Fingerprint() && leaf.CheckSignatureFrom(believed) == nil &&
		!NeedsRenewal(leaf, now) && !now.Before(leaf.NotBefore) &&
		!slices.ContainsFunc(addresses, func(address string) bool { return leaf.VerifyHostname(hostOf(address)) != nil })
}

func hostOf(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}

// ReadPageCertificate reads an operator's own certificate with its chain, and the key, both in PEM.
// The key's file may be for its owner alone.
func ReadPageCertificate(chainPath, keyPath string) (*tls.Certificate, error) {
	chain, err := readChain(chainPath)
	if err != nil {
		return nil, err
	}
	key, err := ReadSecret(keyPath)
	if err != nil {
		return nil, err
	}
	made, err := tls.X509KeyPair(chain, key)
	if err != nil {
		// What the parser says of a key could describe its bytes.
		return nil, fmt.Errorf("%s and %s are not a certificate in PEM and its key", chainPath, keyPath)
	}
	return &made, nil
}

// readChain reads a public file within bounds.
func readChain(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the page's certificate: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, secretFileLimitBytes))
	if err != nil {
		return nil, fmt.Errorf("read the page's certificate: %w", err)
	}
	if !bytes.Contains(text, []byte("BEGIN CERTIFICATE")) {
		return nil, errors.New("read the page's certificate: " + path + " holds no certificate in PEM")
	}
	return text, nil
}
