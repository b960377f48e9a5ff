package pki

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Files of a node that is on its way to another key. The new key waits in one until the cluster
// believes it; the one before stays in the other until the cluster records the new one, because the
// data key is sealed to it that long.
const (
	nextKeyFileName   = "node.key.next"
	formerKeyFileName = "node.key.old"
)

// LoadOrCreateNextKey returns the key that waits in the folder to become the node's, made at the
// first call.
func LoadOrCreateNextKey(folder string) (*NodeKey, error) {
	return loadOrCreateKey(filepath.Join(folder, nextKeyFileName))
}

// ToldKey returns the key of that fingerprint which the folder holds to become the node's, or which
// has the place of the node's own already because TurnKey was cut short. It makes none:
// fs.ErrNotExist is returned (wrapped) where the key is gone.
func ToldKey(folder, fingerprint string) (*NodeKey, error) {
	for _, name := range []string{nextKeyFileName, keyFileName} {
		key, err := loadKey(filepath.Join(folder, name))
		if err == nil && key.Fingerprint() == fingerprint {
			return key, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("key %.16s in %s: %w", fingerprint, folder, fs.ErrNotExist)
}

// FormerKey returns the key that the node had before; nil where there is none.
func FormerKey(folder string) (*NodeKey, error) {
	key, err := loadKey(filepath.Join(folder, formerKeyFileName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return key, err
}

// KeysLeft reports whether the folder holds a key beside the node's own.
func KeysLeft(folder string) bool {
	for _, name := range []string{nextKeyFileName, formerKeyFileName} {
		if _, err := os.Lstat(filepath.Join(folder, name)); !errors.Is(err, fs.ErrNotExist) {
			return true
		}
	}
	return false
}

// TurnKey makes the identity, whose key is the one of ToldKey, that of the folder, and
// keeps the key before as FormerKey. The certificate decides: cut short before it is written, the
// folder holds the old identity, and after that the new one, wherever its key lies by then. It can
// be called again after an error.
func TurnKey(folder string, next *Identity) error {
	own, err := loadKey(filepath.Join(folder, keyFileName))
	if err != nil {
		return err
	}
	waiting, err := loadKey(filepath.Join(folder, nextKeyFileName))
	if errors.Is(err, fs.ErrNotExist) && own.Fingerprint() == next.Key.Fingerprint() {
		return SaveIdentity(folder, next) // it has its place since a call before, and the old one is kept
	}
	if err != nil {
		return err
	}
	if waiting.Fingerprint() != next.Key.Fingerprint() {
		return fmt.Errorf("turn the key of %s: %s holds another one", next.Self, nextKeyFileName)
	}
	old, err := ReadSecret(filepath.Join(folder, keyFileName))
	if err != nil {
		return err
	}
	if err := WriteSecret(filepath.Join(folder, formerKeyFileName), old); err != nil {
		return err
	}
	if err := SaveIdentity(folder, next); err != nil {
		return err
	}
	return FinishTurn(folder)
}

// FinishTurn gives the new key its place where TurnKey was cut short after the certificate was
// written; else it does nothing.
func FinishTurn(folder string) error {
	path := filepath.Join(folder, nextKeyFileName)
	next, err := loadKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	identity, err := LoadIdentity(folder)
	if err != nil || identity.Key.Fingerprint() != next.Fingerprint() {
		return err
	}
	if err := os.Rename(path, filepath.Join(folder, keyFileName)); err != nil {
		return fmt.Errorf("turn the node's key: %w", err)
	}
	return syncFolder(folder)
}

// DropOtherKeys removes every key from the folder that is not the node's own.
func DropOtherKeys(folder string) error {
	if err := FinishTurn(folder); err != nil {
		return err
	}
	if err := keepOwnKey(folder); err != nil {
		return err
	}
	for _, name := range []string{nextKeyFileName, formerKeyFileName} {
		if err := os.Remove(filepath.Join(folder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("drop the key that has had its time: %w", err)
		}
	}
	return syncFolder(folder)
}

// keepOwnKey gives the key of the folder's identity its place, where another key has it.
func keepOwnKey(folder string) error {
	own, err := loadKey(filepath.Join(folder, keyFileName))
	if err != nil {
		return err
	}
	identity, err := LoadIdentity(folder)
	if err != nil || identity.Key.Fingerprint() == own.Fingerprint() {
		return err
	}
	encoded, err := identity.Key.PEM()
	if err != nil {
		return err
	}
	return WriteSecret(filepath.Join(folder, keyFileName), encoded)
}

// keyOfChain is the private key in the folder that a chain is for: the node's own, the next one
// where TurnKey was cut short, or the one before where the old certificate was renewed after that.
func keyOfChain(folder string, chain []byte) (*NodeKey, error) {
	own, err := loadKey(filepath.Join(folder, keyFileName))
	certificates, unreadable := parseCertificates(chain)
	if err == nil && (unreadable != nil || len(certificates) == 0 || Fingerprint(certificates[0]) == own.Fingerprint()) {
		return own, nil
	}
	for _, name := range []string{nextKeyFileName, formerKeyFileName} {
		other, missing := loadKey(filepath.Join(folder, name))
		if missing == nil && unreadable == nil && len(certificates) > 0 &&
			Fingerprint(certificates[0]) == other.Fingerprint() {
			return other, nil
		}
	}
	return own, err
}

// Turn puts an identity with another key in use: of the same node, which the cluster believes by
// that key too. Connections that are open are not touched.
func (store *Store) Turn(next *Identity) error {
	current := store.Identity()
	same := next.Self
	same.Fingerprint = current.Self.Fingerprint
	if same != current.Self || next.ClusterID != current.ClusterID || next.Self.Kind != KindNode {
		return fmt.Errorf("turn the key: the new one is for %s of cluster %s, but this is %s of cluster %s",
			next.Self, next.ClusterID, current.Self, current.ClusterID)
	}
	store.current.Store(next)
	return nil
}
