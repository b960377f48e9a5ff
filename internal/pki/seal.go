package pki

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
)

// DataKey is the key that a cluster's secrets are sealed with where they are written down. Each
// member is given it sealed to its own identity, so that neither the log nor a snapshot opens
// without the key of a member. It never prints itself.
type DataKey struct{ key []byte }

// ErrSealed is returned for what cannot be opened: it was sealed with another key, or damaged.
var ErrSealed = errors.New("it is sealed with another key, or damaged")

// NewDataKey draws one.
func NewDataKey() DataKey { return DataKey{randomBytes(symmetricKeyBytes)} }

// DataKeyOf takes a key back that Bytes gave away.
func DataKeyOf(key []byte) (DataKey, error) {
	if len(key) != symmetricKeyBytes {
		return DataKey{}, fmt.Errorf("a data key has %d bytes, not %d", symmetricKeyBytes, len(key))
	}
	return DataKey{key}, nil
}

// Bytes is the secret itself.
func (k DataKey) Bytes() []byte { return k.key }

// String, GoString, LogValue and MarshalJSON keep the key out of every kind of print.
func (DataKey) String() string               { return "********" }
func (k DataKey) GoString() string           { return k.String() }
func (k DataKey) LogValue() slog.Value       { return slog.StringValue(k.String()) }
func (DataKey) MarshalJSON() ([]byte, error) { return []byte(`"********"`), nil }

// Derive makes a key for one purpose, which tells nothing about the data key.
func (k DataKey) Derive(purpose string) []byte {
	derived, err := hkdf.Key(sha256.New, k.key, nil, "clusterd derived "+purpose, symmetricKeyBytes)
	if err != nil {
		panic(err) // only for lengths that are never asked for
	}
	return derived
}

// Seal encrypts a secret. What it is stands in the purpose, and is required to open it: a sealed
// password does not open in the place of another one.
func (k DataKey) Seal(purpose string, secret []byte) []byte {
	sealer := k.sealer()
	nonce := randomBytes(sealer.NonceSize())
	return sealer.Seal(nonce, nonce, secret, []byte(purpose))
}

// Open decrypts what Seal made. ErrSealed is returned when this is not the key.
func (k DataKey) Open(purpose string, sealed []byte) ([]byte, error) {
	sealer := k.sealer()
	if len(sealed) < sealer.NonceSize() {
		return nil, ErrSealed
	}
	opened, err := sealer.Open(nil, sealed[:sealer.NonceSize()], sealed[sealer.NonceSize():], []byte(purpose))
	if err != nil {
		return nil, ErrSealed
	}
	return opened, nil
}

func (k DataKey) sealer() cipher.AEAD { return newSealer(k.Derive("seal")) }

func newSealer(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the length is ours
	}
	sealer, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return sealer
}

// WrapFor seals the data key to a node's identity: only its private key opens it.
func (k DataKey) WrapFor(public PublicKey, clusterID string) ([]byte, error) {
	recipient, err := public.parse()
	if err != nil {
		return nil, err
	}
	theirs, err := recipient.ECDH()
	if err != nil {
		return nil, err
	}
	once, err := NewKey()
	if err != nil {
		return nil, err
	}
	mine, err := once.private.ECDH()
	if err != nil {
		return nil, err
	}
	shared, err := mine.ECDH(theirs)
	if err != nil {
		return nil, err
	}
	head := mine.PublicKey().Bytes()
	sealer, err := wrapSealer(shared, clusterID, head, public.Fingerprint())
	if err != nil {
		return nil, err
	}
	// The key of this sealer is used once, so its nonce may be any.
	return sealer.Seal(head, make([]byte, sealer.NonceSize()), k.key, nil), nil
}

// pointBytes is the size of an uncompressed point of P-256.
const pointBytes = 65

// Unwrap opens what WrapFor made for this key. ErrSealed is returned for what is not for it.
func (key *NodeKey) Unwrap(clusterID string, wrapped []byte) (DataKey, error) {
	if len(wrapped) < pointBytes {
		return DataKey{}, ErrSealed
	}
	head := wrapped[:pointBytes]
	theirs, err := ecdh.P256().NewPublicKey(head)
	if err != nil {
		return DataKey{}, ErrSealed
	}
	mine, err := key.private.ECDH()
	if err != nil {
		return DataKey{}, err
	}
	shared, err := mine.ECDH(theirs)
	if err != nil {
		return DataKey{}, ErrSealed
	}
	sealer, err := wrapSealer(shared, clusterID, head, key.fingerprint)
	if err != nil {
		return DataKey{}, err
	}
	opened, err := sealer.Open(nil, make([]byte, sealer.NonceSize()), wrapped[pointBytes:], nil)
	if err != nil {
		return DataKey{}, ErrSealed
	}
	return DataKeyOf(opened)
}

func wrapSealer(shared []byte, clusterID string, head []byte, recipient string) (cipher.AEAD, error) {
	info := fmt.Sprintf("clusterd data key\x00%s\x00%x\x00%s", clusterID, head, recipient)
	key, err := hkdf.Key(sha256.New, shared, nil, info, symmetricKeyBytes)
	if err != nil {
		return nil, err
	}
	return newSealer(key), nil
}
