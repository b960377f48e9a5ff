package pki

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

const (
	// secretFileMode is the mode of every file that holds a key.
	secretFileMode fs.FileMode = 0o600
	// secretFolderMode is the mode of a folder that this package creates for such files.
	secretFolderMode fs.FileMode = 0o700
	// secretFileLimitBytes bounds what is read back: a key or a certificate chain is far smaller,
	// anything larger is not ours.
	secretFileLimitBytes = 64 << 10
	// symmetricKeyBytes is the size of data keys and what is derived: AES-256, a full SHA-256 key
	// for HMAC.
	symmetricKeyBytes = 32
)

// randomBytes cannot fail: crypto/rand ends the process when the kernel has no randomness, which
// is right for keys.
func randomBytes(count int) []byte {
	bytes := make([]byte, count)
	rand.Read(bytes)
	return bytes
}

// WriteSecret replaces the file atomically and durably, with mode 0600 whatever umask and old
// file say. Its folder is made (0700) if missing.
func WriteSecret(path string, data []byte) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, secretFolderMode); err != nil {
		return fmt.Errorf("write secret file: %w", err)
	}
	// Not renameio.WriteFile: that keeps the mode of a file which is there already, also one that
	// others can read.
	pending, err := renameio.TempFile(folder, path)
	if err != nil {
		return fmt.Errorf("write secret file %s: %w", path, err)
	}
	defer pending.Cleanup() // Does nothing after the replacement.
	if _, err := pending.Write(data); err != nil {
		return fmt.Errorf("write secret file %s: %w", path, err)
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("write secret file %s: %w", path, err)
	}
	return syncFolder(folder)
}

// ReadSecret reads a file that WriteSecret wrote. It refuses a file that group or others can
// read, since a key that others could read is no longer an identity, and one that is too large
// to be ours. fs.ErrNotExist is returned (wrapped) when there is no such file.
func ReadSecret(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read secret file: %w", err)
	}
	defer file.Close()
	information, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read secret file: %w", err)
	}
	if !information.Mode().IsRegular() {
		return nil, fmt.Errorf("read secret file %s: it is not a regular file", path)
	}
	if open := information.Mode().Perm() &^ secretFileMode; open != 0 {
		return nil, fmt.Errorf("read secret file %s: its mode %04o lets others than its owner use it; if nobody else "+
			"had access, run: chmod 600 %s",
			path, information.Mode().Perm(), path)
	}
	data, err := io.ReadAll(io.LimitReader(file, secretFileLimitBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read secret file %s: %w", path, err)
	}
	if len(data) > secretFileLimitBytes {
		return nil, fmt.Errorf("read secret file %s: it is larger than %d bytes and cannot be ours", path,
			secretFileLimitBytes)
	}
	return data, nil
}

// createSecret writes a file that must not exist yet. fs.ErrExist is returned (wrapped) when it
// does. A rename would silently replace the key of a second process that started at the same
// moment; a hard link fails instead, and the content is complete from the start.
func createSecret(path string, data []byte) (err error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, secretFolderMode); err != nil {
		return fmt.Errorf("create secret file: %w", err)
	}
	temporary, err := os.CreateTemp(folder, ".new-*") // os.CreateTemp makes files with mode 0600.
	if err != nil {
		return fmt.Errorf("create secret file: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(temporary.Name())) }()
	_, writeErr := temporary.Write(data)
	if err := errors.Join(writeErr, temporary.Sync(), temporary.Close()); err != nil {
		return fmt.Errorf("create secret file %s: %w", path, err)
	}
	if err := os.Link(temporary.Name(), path); err != nil {
		return fmt.Errorf("create secret file: %w", err)
	}
	return syncFolder(folder)
}

// syncFolder makes a new name in the folder survive a power cut: syncing the file alone does not.
func syncFolder(folder string) error {
	handle, err := os.Open(folder)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	if err := errors.Join(handle.Sync(), handle.Close()); err != nil {
		return fmt.Errorf("sync folder %s: %w", folder, err)
	}
	return nil
}
