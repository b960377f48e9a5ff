package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"net/url"
	"time"
)

const (
	// NodeValidity is how long a node certificate lives by default. Renewal starts at two thirds of
	// it, which leaves ten days.
	NodeValidity = 30 * 24 * time.Hour
	// ClientValidity is how long a client certificate lives by default.
	ClientValidity = 90 * 24 * time.Hour
	// LongestClientValidity is the most that can be asked for.
	LongestClientValidity = 365 * 24 * time.Hour
	// caValidity outlives the machines.
	caValidity = 20 * 365 * 24 * time.Hour
	// backdating lets a peer whose clock is a little behind accept a certificate that was made this
	// minute.
	backdating = time.Hour
	// addressLimit bounds the addresses in one certificate.
	addressLimit = 16
)

// CA is the cluster's own certificate authority.
type CA struct {
	// ClusterID is the id that every certificate carries; a peer of another cluster is refused by
	// it, in words.
	ClusterID string
	// CertPEM is public.
	CertPEM []byte
	// KeyPEM is secret: whoever has it can be any node. It may lie only in files with mode 0600
	// (log, snapshot).
	KeyPEM []byte

	certificate *x509.Certificate
	key         *NodeKey
}

// NewCA makes the authority of a new cluster: ECDSA P-256, self-signed, valid for 20 years.
func NewCA(clusterName, clusterID string, now time.Time) (*CA, error) {
	if err := checkClusterID(clusterID); err != nil {
		return nil, fmt.Errorf("make the cluster's certificate authority: %w", err)
	}
	key, err := NewKey()
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{CommonName: "clusterd authority of " + clusterName, SerialNumber: clusterID},
		URIs:         []*url.URL{{Scheme: uriScheme, Host: clusterID}},
		NotBefore:    now.Add(-backdating),
		NotAfter:     now.Add(caValidity),
		IsCA:         true, BasicConstraintsValid: true,
		MaxPathLenZero: true, // It signs nodes and clients, never another authority.
		KeyUsage:       x509.KeyUsageCertSign,
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, template, key.private.Public(), key.private)
	if err != nil {
		return nil, fmt.Errorf("make the cluster's certificate authority: %w", err)
	}
	keyPEM, err := key.PEM()
	if err != nil {
		return nil, err
	}
	return LoadCA(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: encoded}), keyPEM)
}

// LoadCA reads an authority back from its two blobs.
func LoadCA(certPEM, keyPEM []byte) (*CA, error) {
	certificate, err := ParseCertificate(certPEM)
	if err != nil {
		return nil, fmt.Errorf("load the certificate authority: %w", err)
	}
	clusterID, err := authorityClusterID(certificate)
	if err != nil {
		return nil, fmt.Errorf("load the certificate authority: %w", err)
	}
	key, err := ParseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("load the certificate authority: %w", err)
	}
	if key.Fingerprint() != Fingerprint(certificate) {
		return nil, errors.New("load the certificate authority: its key does not belong to its certificate")
	}
	return &CA{ClusterID: clusterID, CertPEM: certPEM, KeyPEM: keyPEM, certificate: certificate, key: key}, nil
}

// Pin is the SHA-256 of the authority's public key in hex; join tokens carry it.
func (ca CA) Pin() string { return Fingerprint(ca.certificate) }

// String, GoString and LogValue keep the key out of every kind of print.
func (ca CA) String() string       { return "authority of cluster " + ca.ClusterID }
func (ca CA) GoString() string     { return ca.String() }
func (ca CA) LogValue() slog.Value { return slog.StringValue(ca.String()) }

// SignNode answers a node's certificate request with its chain: the node's certificate and the
// authority's, in PEM. The request must name this node and be signed by its own key. Whether
// that key *is* this node is for the caller to know: at a join by the token, at a renewal by the
// connection's Peer. The addresses (with or without port) are for foreign tools only, clusterd
// itself goes by name.
func (ca *CA) SignNode(requestPEM []byte, node string, addresses []string, now time.Time,
	validity time.Duration) ([]byte, error) {
	request, err := ParseRequest(requestPEM)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for node %s: %w", node, err)
	}
	if request.Name != node {
		return nil, fmt.Errorf("sign a certificate for node %s: the request is made out to %q", node, request.Name)
	}
	if err := checkNodeName(node); err != nil {
		return nil, fmt.Errorf("sign a certificate: %w", err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: node},
		URIs:        []*url.URL{nodeURI(ca.ClusterID, node)},
		DNSNames:    []string{node},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if err := addAddresses(template, addresses); err != nil {
		return nil, fmt.Errorf("sign a certificate for node %s: %w", node, err)
	}
	return ca.sign(template, request, now, validity)
}

// SignClient answers a certificate request of a remote command line with its chain in PEM. The
// name in the request is ignored.
func (ca *CA) SignClient(requestPEM []byte, user string, role Role, now time.Time, validity time.Duration) ([]byte,
	error) {
	if !userNamePattern.MatchString(user) {
		return nil, fmt.Errorf("sign a client certificate: %q is not a user name: use up to 63 letters, digits and . _ @ -",
			user)
	}
	if !knownRole(role) {
		return nil, fmt.Errorf("sign a client certificate for %s: unknown role %q; use %s, %s or %s",
			user, role, RoleViewer, RoleOperator, RoleAdmin)
	}
	request, err := ParseRequest(requestPEM)
	if err != nil {
		return nil, fmt.Errorf("sign a client certificate for %s: %w", user, err)
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: user},
		URIs:        []*url.URL{clientURI(ca.ClusterID, user, role)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	return ca.sign(template, request, now, validity)
}

// sign keeps the certificate's life inside the authority's, so that there is always an instant
// at which the chain is valid: peers that forgive a wrong clock judge the chain at such an
// instant.
func (ca *CA) sign(template *x509.Certificate, request Request, now time.Time, validity time.Duration) ([]byte, error) {
	template.SerialNumber = newSerial()
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	template.NotBefore = latest(now.Add(-backdating), ca.certificate.NotBefore)
	template.NotAfter = earliest(now.Add(validity), ca.certificate.NotAfter)
	if validity <= 0 || !template.NotAfter.After(template.NotBefore) {
		return nil, fmt.Errorf("sign a certificate for %s: this node's clock says %s, and a certificate for %s from "+
			"then would lie outside the life of the cluster's authority (%s to %s); set the clock",
			template.Subject.CommonName, stamp(now), validity, stamp(ca.certificate.NotBefore), stamp(ca.certificate.NotAfter))
	}
	encoded, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, request.public, ca.key.private)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for %s: %w", template.Subject.CommonName, err)
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: encoded})
	return append(leaf, ca.CertPEM...), nil
}

func addAddresses(template *x509.Certificate, addresses []string) error {
	if len(addresses) > addressLimit {
		return fmt.Errorf("%d addresses are more than the limit of %d", len(addresses), addressLimit)
	}
	for _, address := range addresses {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			host = address
		}
		if parsed, err := netip.ParseAddr(host); err == nil {
			template.IPAddresses = append(template.IPAddresses, parsed.WithZone("").AsSlice())
		} else if nodeNamePattern.MatchString(host) {
			template.DNSNames = append(template.DNSNames, host)
		} else {
			return fmt.Errorf("%q is neither an IP address nor a host name", address)
		}
	}
	return nil
}

// Request is what a certificate request says.
type Request struct {
	Name        string // The node or user it asks for; nobody has checked that claim.
	Fingerprint string // Of the key that signed it.
	Public      PublicKey
	public      *ecdsa.PublicKey
}

// NewRequest asks for a certificate for the key, in PEM. The same request may be sent any number
// of times; it holds no secret.
func NewRequest(key *NodeKey, name string) ([]byte, error) {
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: name}}
	encoded, err := x509.CreateCertificateRequest(rand.Reader, template, key.private)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request for %s: %w", name, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: requestBlock, Bytes: encoded}), nil
}

// ParseRequest reads a certificate request and proves that its sender holds the private key.
func ParseRequest(requestPEM []byte) (Request, error) {
	block, _ := pem.Decode(requestPEM)
	if block == nil || block.Type != requestBlock {
		return Request{}, fmt.Errorf("the certificate request holds no PEM block %q", requestBlock)
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return Request{}, fmt.Errorf("the certificate request is damaged: %w", err)
	}
	if err := parsed.CheckSignature(); err != nil {
		return Request{}, fmt.Errorf("the certificate request is not signed by its own key: %w", err)
	}
	public, ok := parsed.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() {
		return Request{}, errors.New("the certificate request's key is not ECDSA P-256")
	}
	fingerprint, err := publicFingerprint(public)
	if err != nil {
		return Request{}, err
	}
	name, spki := parsed.Subject.CommonName, parsed.RawSubjectPublicKeyInfo
	return Request{Name: name, Fingerprint: fingerprint, Public: spki, public: public}, nil
}

// ParseCertificate reads the first certificate of a PEM text.
func ParseCertificate(certPEM []byte) (*x509.Certificate, error) {
	certificates, err := parseCertificates(certPEM)
	if err != nil {
		return nil, err
	}
	return certificates[0], nil
}

// ParseAuthorities reads certificates of authorities; what is none is left out.
func ParseAuthorities(texts []string) []*x509.Certificate {
	var authorities []*x509.Certificate
	for _, text := range texts {
		certificate, err := ParseCertificate([]byte(text))
		if err != nil {
			continue
		}
		if _, err := authorityClusterID(certificate); err == nil {
			authorities = append(authorities, certificate)
		}
	}
	return authorities
}

// chainLimit is one more than the two certificates of our chains, so that a longer one is
// noticed and not read to its end.
const chainLimit = 3

func parseCertificates(text []byte) ([]*x509.Certificate, error) {
	var certificates []*x509.Certificate
	for len(certificates) < chainLimit {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		text = rest
		if block.Type != certificateBlock {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("the certificate is damaged: %w", err)
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return nil, fmt.Errorf("there is no PEM block %q", certificateBlock)
	}
	return certificates, nil
}

// authorityClusterID checks that a certificate is a clusterd authority that signed itself, and
// returns its cluster.
func authorityClusterID(certificate *x509.Certificate) (string, error) {
	if !certificate.IsCA || len(certificate.URIs) != 1 || certificate.URIs[0].Scheme != uriScheme {
		return "", errors.New("the certificate is not that of a clusterd authority")
	}
	if err := certificate.CheckSignatureFrom(certificate); err != nil {
		return "", fmt.Errorf("the authority's certificate is not signed by its own key: %w", err)
	}
	clusterID := certificate.URIs[0].Host
	return clusterID, checkClusterID(clusterID)
}

func newSerial() *big.Int { return new(big.Int).SetBytes(append([]byte{1}, randomBytes(15)...)) }

func latest(first, second time.Time) time.Time {
	if first.After(second) {
		return first
	}
	return second
}

func earliest(first, second time.Time) time.Time {
	if first.Before(second) {
		return first
	}
	return second
}

func stamp(instant time.Time) string { return instant.UTC().Format("2006-01-02 15:04:05 UTC") }
