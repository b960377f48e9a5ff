package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
)

const (
	keyFileName = "node.key"

	keyBlock         = "PRIVATE KEY"
	certificateBlock = "CERTIFICATE"
	requestBlock     = "CERTIFICATE REQUEST"
)

// NodeKey is the private key that makes a machine the node it is. It is made once and never leaves
// the machine. It prints as its fingerprint, so that it may stand in a log line by accident without
// harm.
type NodeKey struct {
	private     *ecdsa.PrivateKey
	fingerprint string
}

// NewKey makes a fresh ECDSA P-256 key that is kept in memory only; the remote command line uses it
// for a client certificate.
func NewKey() (*NodeKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return wrapKey(private)
}

// LoadOrCreateNodeKey returns the key in the folder, made at the first call. When two processes
// call it at the same moment, both get the same key. An existing file is never replaced: a damaged
// or too widely readable one is an error that says what to do.
func LoadOrCreateNodeKey(folder string) (*NodeKey, error) {
	return loadOrCreateKey(filepath.Join(folder, keyFileName))
}

func loadOrCreateKey(path string) (*NodeKey, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	fresh, err := NewKey()
	if err != nil {
		return nil, err
	}
	encoded, err := fresh.PEM()
	if err != nil {
		return nil, err
	}
	if err := createSecret(path, encoded); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	// Read back, also when this call wrote it: the file is the identity, and another process may have
	// been first.
	return loadKey(path)
}

func loadKey(path string) (*NodeKey, error) {
	data, err := ReadSecret(path)
	if err != nil {
		return nil, err
	}
	key, err := ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf(
			"read %s: %w; restore it from a backup, or remove this node from the cluster and join it again", path, err)
	}
	return key, nil
}

// ParseKey reads what NodeKey.PEM wrote.
func ParseKey(encoded []byte) (*NodeKey, error) {
	block, _ := pem.Decode(encoded)
	if block == nil || block.Type != keyBlock {
		return nil, fmt.Errorf("there is no PEM block %q", keyBlock)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the private key is damaged") // The parser's error could describe secret bytes.
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("the private key is not ECDSA P-256")
	}
	return wrapKey(private)
}

func wrapKey(private *ecdsa.PrivateKey) (*NodeKey, error) {
	fingerprint, err := publicFingerprint(private.Public())
	if err != nil {
		return nil, err
	}
	return &NodeKey{private: private, fingerprint: fingerprint}, nil
}

// PEM is the secret form of the key. It belongs in a file with mode 0600 and nowhere else.
func (key *NodeKey) PEM() ([]byte, error) {
	encoded, err := x509.MarshalPKCS8PrivateKey(key.private)
	if err != nil {
		return nil, fmt.Errorf("encode the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: encoded}), nil
}

// Fingerprint is the SHA-256 of the public key (SPKI) in hex. Renewing a certificate does not
// change it, so it is part of a machine's identity.
func (key *NodeKey) Fingerprint() string { return key.fingerprint }

// String, GoString and LogValue keep the private half out of every kind of print.
func (key *NodeKey) String() string       { return "key " + key.fingerprint }
func (key *NodeKey) GoString() string     { return key.String() }
func (key *NodeKey) LogValue() slog.Value { return slog.StringValue(key.String()) }

// Fingerprint is the SHA-256 of the certificate's public key (SPKI) in hex, equal to
// NodeKey.Fingerprint of its key.
func Fingerprint(certificate *x509.Certificate) string {
	sum := sha256.Sum256(certificate.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

func publicFingerprint(public crypto.PublicKey) (string, error) {
	encoded, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("encode the public key: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:]), nil
}
