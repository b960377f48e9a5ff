package pki

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// AnyNode accepts whichever node of the cluster answers. It is for the remote command line,
// which knows addresses and not names; a node always says which one it wants.
const AnyNode = "*"

// ServerConfig is for a listener of its own; Mux has its own way. A peer with a certificate is
// verified, one without is let in as KindJoiner: handlers must ask PeerOf before they believe
// anything.
func (store *Store) ServerConfig(protocols ...string) *tls.Config {
	config := store.unverifiedServerConfig(protocols)
	config.VerifyConnection = func(state tls.ConnectionState) error {
		_, err := store.verifyClient(state)
		return err
	}
	return config
}

// unverifiedServerConfig leaves the peer to the caller, who must call verifyClient after the
// handshake. Mux does so because a refusal inside the handshake reaches the other end only as
// "bad certificate".
func (store *Store) unverifiedServerConfig(protocols []string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return store.Identity().tlsCertificate(), nil
		},
		// The standard library's verification cannot forgive dates, so it only asks for a certificate
		// (and lets the peer prove that it holds the key); verifyClient does the rest.
		ClientAuth: tls.RequestClientCert,
		// Without resumption each connection looks at the peer's standing anew.
		SessionTicketsDisabled: true,
	}
}

func (store *Store) verifyClient(state tls.ConnectionState) (Peer, error) {
	if len(state.PeerCertificates) == 0 {
		return Peer{Kind: KindJoiner}, nil
	}
	return store.verifyAny(state.PeerCertificates[0], x509.ExtKeyUsageClientAuth)
}

// ClientConfig is for a connection to the wanted node (or AnyNode). Dial uses it and is what
// most callers want, since it also hears the server's reasons.
func (store *Store) ClientConfig(wantNode string, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return store.Identity().tlsCertificate(), nil
		},
		// Not less verification but another: VerifyConnection checks the whole chain, by node name and
		// with forgiveness of dates.
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			return verifyServer(state, wantNode, store.verifyAny)
		},
	}
}

// JoinClientConfig is for a machine that has no certificate yet. The server must show the
// authority whose key the token pins, and a node certificate of the token's cluster under it.
// Dates are held strictly here: the joiner knows nobody's key.
func JoinClientConfig(token Token, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         protocols,
		InsecureSkipVerify: true, // VerifyConnection checks the whole chain, from the pin down.
		VerifyConnection: func(state tls.ConnectionState) error {
			authority, err := pinnedAuthority(state, token)
			if err != nil {
				return err
			}
			return verifyServer(state, AnyNode, func(leaf *x509.Certificate, usage x509.ExtKeyUsage) (Peer, error) {
				return verifyPeer(leaf, authority, usage, Trust{})
			})
		},
	}
}

func pinnedAuthority(state tls.ConnectionState, token Token) (*x509.Certificate, error) {
	for _, certificate := range state.PeerCertificates {
		if Fingerprint(certificate) != token.AuthorityPin {
			continue
		}
		clusterID, err := authorityClusterID(certificate)
		if err != nil {
			return nil, err
		}
		if clusterID != token.ClusterID {
			return nil, fmt.Errorf("the token is for cluster %s, the server belongs to cluster %s: %w", token.ClusterID,
				clusterID, ErrOtherCluster)
		}
		return certificate, nil
	}
	return nil, fmt.Errorf("the server does not show the authority that the join token pins; is the address right, "+
		"and the token from this cluster: %w", ErrOtherCluster)
}

func verifyServer(state tls.ConnectionState, wantNode string,
	verify func(*x509.Certificate, x509.ExtKeyUsage) (Peer, error)) error {
	if wantNode == "" {
		return errors.New("no node was named to connect to")
	}
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server shows no certificate")
	}
	peer, err := verify(state.PeerCertificates[0], x509.ExtKeyUsageServerAuth)
	if err != nil {
		return err
	}
	if peer.Kind != KindNode {
		return fmt.Errorf("%s answers, which is not a node: %w", peer, ErrWrongNode)
	}
	if wantNode != AnyNode && peer.Name != wantNode {
		return fmt.Errorf("%w: wanted %s, but %s is at this address; check the addresses in the configuration",
			ErrWrongNode, wantNode, peer.Name)
	}
	return nil
}
