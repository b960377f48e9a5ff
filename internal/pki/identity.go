package pki

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const chainFileName = "node.crt"

// ErrNoIdentity is returned by LoadIdentity when the folder holds no certificate yet: this machine
// has not joined a cluster.
var ErrNoIdentity = errors.New("this machine has no certificate of a cluster; run clusterd init or clusterd join")

// Identity is one's own side of every connection: key, certificate, and the authority of the
// cluster. It is a value that is replaced whole and never changed.
type Identity struct {
	Key         *NodeKey
	Certificate *x509.Certificate
	Authority   *x509.Certificate
	// Self is how others see this identity.
	Self Peer
	// ClusterID is the cluster that it belongs to.
	ClusterID string
}

// NewIdentity puts a key and the chain that SignNode or SignClient returned together. It fails when
// they do not belong together, so that a mix-up is found here and not at the first connection.
func NewIdentity(key *NodeKey, chainPEM []byte) (*Identity, error) {
	certificates, err := parseCertificates(chainPEM)
	if err != nil {
		return nil, fmt.Errorf("read the certificate chain: %w", err)
	}
	if len(certificates) != 2 {
		return nil, fmt.Errorf("read the certificate chain: it must hold two certificates, one's own and the "+
			"authority's, not %d", len(certificates))
	}
	identity := &Identity{Key: key, Certificate: certificates[0], Authority: certificates[1]}
	if identity.ClusterID, err = authorityClusterID(identity.Authority); err != nil {
		return nil, fmt.Errorf("read the certificate chain: %w", err)
	}
	usage := x509.ExtKeyUsageClientAuth // Nodes and clients both have it.
	own := Trust{Now: func() time.Time { return identity.Certificate.NotBefore }}
	if identity.Self, err = verifyPeer(identity.Certificate, identity.Authority, usage, own); err != nil {
		return nil, fmt.Errorf("read the certificate chain: %w", err)
	}
	if identity.Self.Fingerprint != key.Fingerprint() {
		return nil, fmt.Errorf("read the certificate chain: the certificate of %s is for another key", identity.Self)
	}
	return identity, nil
}

// LoadIdentity reads what SaveIdentity wrote. ErrNoIdentity is returned when there is no
// certificate.
func LoadIdentity(folder string) (*Identity, error) {
	path := filepath.Join(folder, chainFileName)
	chain, err := ReadSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing: %w", path, ErrNoIdentity)
	}
	if err != nil {
		return nil, err
	}
	key, err := keyOfChain(folder, chain)
	if err != nil {
		return nil, err
	}
	identity, err := NewIdentity(key, chain)
	if err != nil {
		return nil, fmt.Errorf("load the identity in %s: %w", folder, err)
	}
	return identity, nil
}

// SaveIdentity writes the chain beside the node's key. The key itself is not written:
// LoadOrCreateNodeKey did that, or, for the key of a remote command line, SaveClient does. One file
// holds the chain, so that a renewal cut short leaves the old chain or the new one.
func SaveIdentity(folder string, identity *Identity) error {
	return WriteSecret(filepath.Join(folder, chainFileName), identity.ChainPEM())
}

// SaveClient writes key and chain of a remote command line into a folder from which LoadIdentity
// reads them.
func SaveClient(folder string, identity *Identity) error {
	encoded, err := identity.Key.PEM()
	if err != nil {
		return err
	}
	if err := WriteSecret(filepath.Join(folder, keyFileName), encoded); err != nil {
		return err
	}
	return SaveIdentity(folder, identity)
}

// ChainPEM is the certificate and its authority's, in PEM. It is not secret.
func (identity *Identity) ChainPEM() []byte {
	var text bytes.Buffer
	for _, certificate := range []*x509.Certificate{identity.Certificate, identity.Authority} {
		text.Write(pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: certificate.Raw}))
	}
	return text.Bytes()
}

// tlsCertificate includes the authority, although peers have it, because a joiner knows only its
// pin.
func (identity *Identity) tlsCertificate() *tls.Certificate {
	return &tls.Certificate{
		Certificate: [][]byte{identity.Certificate.Raw, identity.Authority.Raw},
		PrivateKey:  identity.Key.private,
		Leaf:        identity.Certificate,
	}
}

// NeedsRenewal says whether two thirds of the certificate's life are over. By a clock that is
// before its life the answer is no: a certificate made by that clock would not be better.
func NeedsRenewal(certificate *x509.Certificate, now time.Time) bool {
	life := certificate.NotAfter.Sub(certificate.NotBefore)
	return !now.Before(certificate.NotBefore.Add(life / 3 * 2))
}

// Store holds the identity in use. Configurations made from it read it at each handshake, so a
// renewed certificate is used by the next connection, without a restart and without touching the
// open ones. It is safe for use by many goroutines.
type Store struct {
	current atomic.Pointer[Identity]
	trust   Trust
	// Reach, if set before the first Dial, opens the plain connections that are secured then; nil
	// opens TCP ones.
	Reach func(ctx context.Context, address string) (net.Conn, error)

	mutex  sync.Mutex
	dialed map[*dialedConn]struct{}
}

// NewStore starts with the given identity.
func NewStore(identity *Identity, trust Trust) *Store {
	store := &Store{trust: trust, dialed: map[*dialedConn]struct{}{}}
	store.current.Store(identity)
	return store
}

// Identity is the one in use now.
func (store *Store) Identity() *Identity { return store.current.Load() }

// Replace puts a renewed identity in use. It must be the same peer of the same cluster with the
// same key; a new key comes in by a join, or by Turn where the cluster believes it already, never
// by the way.
func (store *Store) Replace(renewed *Identity) error {
	current := store.Identity()
	if renewed.Self != current.Self || renewed.ClusterID != current.ClusterID {
		return fmt.Errorf("renew the certificate: it is for %s of cluster %s with key %s, but this is %s of "+
			"cluster %s with key %s",
			renewed.Self, renewed.ClusterID, renewed.Self.Fingerprint, current.Self, current.ClusterID, current.Self.Fingerprint)
	}
	if !renewed.Authority.Equal(current.Authority) &&
		!slices.ContainsFunc(store.trust.authorities(), renewed.Authority.Equal) {
		return fmt.Errorf("renew the certificate of %s: another authority signed it", current.Self)
	}
	store.current.Store(renewed)
	return nil
}
