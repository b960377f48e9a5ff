package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// uriScheme starts the name inside every certificate: clusterd://<cluster id>/node/<name> or
// clusterd://<cluster id>/client/<role>/<user>. A URI of our own, and not the common name,
// because no other software gives it a meaning and it carries the kind of peer.
const uriScheme = "clusterd"

// Kind says what sort of peer is at the other end.
type Kind string

const (
	// KindNode is a member of the cluster, with a node certificate.
	KindNode Kind = "node"
	// KindClient is a person's remote command line, with a client certificate and a role.
	KindClient Kind = "client"
	// KindJoiner showed no certificate. It has proven nothing; all it may do is present a join token,
	// or a login link at the page.
	KindJoiner Kind = "joiner"
	// KindVisitor is a person at the page, whom a login link let in. It has no certificate; its
	// fingerprint is the name of the visit.
	KindVisitor Kind = "visitor"
)

// Role says how much a client may do.
type Role string

const (
	// RoleAdmin may change the cluster.
	RoleAdmin Role = "admin"
	// RoleOperator may move, start, stop and freeze services and empty nodes, and look.
	RoleOperator Role = "operator"
	// RoleViewer may only look.
	RoleViewer Role = "viewer"
)

// Peer is who is at the other end of a connection.
type Peer struct {
	Kind        Kind
	Name        string // The node's or the user's name; empty for a joiner.
	Role        Role   // Set for clients and visitors only.
	Fingerprint string // SHA-256 of the public key in hex, a visit's name; empty for a joiner.
}

// String names the peer in messages.
func (peer Peer) String() string {
	switch peer.Kind {
	case KindNode:
		return "node " + peer.Name
	case KindClient:
		return fmt.Sprintf("%s %s", peer.Role, peer.Name)
	case KindVisitor:
		return fmt.Sprintf("%s %s at the page", peer.Role, peer.Name)
	default:
		return "a peer without a certificate"
	}
}

// PeerOf names the other end of a connection that came from Mux or Dial, or that was made with a
// Store's configuration. It only reads the certificate, which those verified before they let go
// of the connection; a state from elsewhere must not be given to it.
func PeerOf(state tls.ConnectionState) (Peer, error) {
	if !state.HandshakeComplete {
		return Peer{}, errors.New("name the peer: the TLS handshake is not complete")
	}
	if len(state.PeerCertificates) == 0 {
		return Peer{Kind: KindJoiner}, nil
	}
	_, peer, err := readName(state.PeerCertificates[0])
	return peer, err
}

var (
	nodeNamePattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	userNamePattern  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$`)
	clusterIDPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,62}$`)
)

func checkNodeName(name string) error {
	if !nodeNamePattern.MatchString(name) {
		return fmt.Errorf("%q is not a node name: use up to 63 letters, digits, dots, hyphens and underscores, starting "+
			"with a letter or digit", name)
	}
	return nil
}

func checkClusterID(clusterID string) error {
	if !clusterIDPattern.MatchString(clusterID) {
		return fmt.Errorf("%q is not a cluster id: use up to 63 letters, digits and hyphens", clusterID)
	}
	return nil
}

func nodeURI(clusterID, node string) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: clusterID, Path: "/node/" + node}
}

func clientURI(clusterID, user string, role Role) *url.URL {
	return &url.URL{Scheme: uriScheme, Host: clusterID, Path: "/client/" + string(role) + "/" + user}
}

// readName reads the cluster id and the peer out of a certificate. It verifies nothing.
func readName(certificate *x509.Certificate) (clusterID string, peer Peer, err error) {
	if len(certificate.URIs) != 1 || certificate.URIs[0].Scheme != uriScheme {
		return "", Peer{}, fmt.Errorf("the certificate of %q was not made by a clusterd cluster: it holds no %s:// name",
			certificate.Subject.CommonName, uriScheme)
	}
	name := certificate.URIs[0]
	peer.Fingerprint = Fingerprint(certificate)
	parts := strings.Split(strings.TrimPrefix(name.Path, "/"), "/")
	switch {
	case len(parts) == 2 && parts[0] == string(KindNode) && nodeNamePattern.MatchString(parts[1]):
		peer.Kind, peer.Name = KindNode, parts[1]
	case len(parts) == 3 && parts[0] == string(KindClient) && knownRole(Role(parts[1])) &&
		userNamePattern.MatchString(parts[2]):
		peer.Kind, peer.Role, peer.Name = KindClient, Role(parts[1]), parts[2]
	default:
		return "", Peer{}, fmt.Errorf(
			"the certificate's name %q is neither a node nor a client of a known role; was it made by a newer clusterd?", name)
	}
	return name.Host, peer, nil
}

// Roles are all of them, each of which may do what those before it may.
var Roles = []Role{RoleViewer, RoleOperator, RoleAdmin}

func knownRole(role Role) bool { return slices.Contains(Roles, role) }

// Includes reports whether who has this role may do what the other one may. A role that is not
// known includes nothing, and nothing includes it.
func (role Role) Includes(other Role) bool {
	return knownRole(other) && slices.Index(Roles, role) >= slices.Index(Roles, other)
}
