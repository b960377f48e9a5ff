package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
)

// PublicKey is a node's public key as a cluster records it beside the fingerprint, which is its
// hash.
type PublicKey []byte

// PublicKey is the public half (SPKI, DER).
func (key *NodeKey) PublicKey() PublicKey {
	encoded, err := x509.MarshalPKIXPublicKey(key.private.Public())
	if err != nil {
		panic(err) // The fingerprint was made from the same bytes.
	}
	return encoded
}

// Fingerprint is how the key's certificates are known.
func (public PublicKey) Fingerprint() string {
	sum := sha256.Sum256(public)
	return hex.EncodeToString(sum[:])
}

func (public PublicKey) parse() (*ecdsa.PublicKey, error) {
	parsed, err := x509.ParsePKIXPublicKey(public)
	if err != nil {
		return nil, errors.New("the public key is damaged")
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the public key is not ECDSA P-256")
	}
	return key, nil
}

// PairKey is what two nodes have in common and nobody else can know: from the private key of the
// one and the public key of the other (ECDH). It needs no exchange, so that a node which comes up
// can be heard at once, and it is gone with either key. Purpose keeps uses apart, and the cluster's
// id keeps clusters apart.
func (key *NodeKey) PairKey(other PublicKey, clusterID, purpose string) ([]byte, error) {
	public, err := other.parse()
	if err != nil {
		return nil, fmt.Errorf("make the key of a pair of nodes: %w", err)
	}
	mine, err := key.private.ECDH()
	if err != nil {
		return nil, fmt.Errorf("make the key of a pair of nodes: %w", err)
	}
	theirs, err := public.ECDH()
	if err != nil {
		return nil, fmt.Errorf("make the key of a pair of nodes: %w", err)
	}
	shared, err := mine.ECDH(theirs)
	if err != nil {
		return nil, fmt.Errorf("make the key of a pair of nodes: %w", err)
	}
	one, two := key.fingerprint, other.Fingerprint()
	info := fmt.Sprintf("clusterd %s\x00%s\x00%s\x00%s", purpose, clusterID, min(one, two), max(one, two))
	return hkdf.Key(sha256.New, shared, nil, info, symmetricKeyBytes)
}
