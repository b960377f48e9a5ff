package pki

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNodeKeyIsMadeOnceEvenByManyAtOnce(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	const callers = 8
	fingerprints := make([]string, callers)
	var group sync.WaitGroup
	for caller := range callers {
		group.Go(func() {
			key, err := LoadOrCreateNodeKey(folder)
			if err != nil {
				t.Error(err)
				return
			}
			fingerprints[caller] = key.Fingerprint()
		})
	}
	group.Wait()
	for _, fingerprint := range fingerprints {
		if fingerprint != fingerprints[0] || len(fingerprint) != 64 {
			t.Errorf("the fingerprints differ or are no SHA-256: %q", fingerprints)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want the key alone", entries, err)
	}
	wantMode(t, filepath.Join(folder, keyFileName))
}

func wantMode(t *testing.T, path string) {
	t.Helper()
	information, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if information.Mode().Perm() != 0o600 {
		t.Errorf("%s has mode %04o, want 0600", path, information.Mode().Perm())
	}
}

func TestDamagedOrOpenKeyIsNotReplaced(t *testing.T) {
	folder := t.TempDir()
	if _, err := LoadOrCreateNodeKey(folder); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, keyFileName)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateNodeKey(folder); err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
		t.Errorf("a key that the group can read ended with %v", err)
	}
	if err := WriteSecret(path, []byte("rubbish")); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreateNodeKey(folder); err == nil || !strings.Contains(err.Error(), "restore it from a backup") {
		t.Errorf("a damaged key ended with %v", err)
	}
	if content, _ := os.ReadFile(path); string(content) != "rubbish" {
		t.Error("the damaged key was replaced")
	}
}

func TestIdentitySurvivesItsFolder(t *testing.T) {
	folder := t.TempDir()
	_, err := LoadIdentity(folder)
	wantError(t, err, ErrNoIdentity)
	key, err := LoadOrCreateNodeKey(folder)
	if err != nil {
		t.Fatal(err)
	}
	ca := newTestCA(t, testCluster)
	identity := signMember(t, ca, key, "node1", noon)
	if err := SaveIdentity(folder, identity); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadIdentity(folder)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Self != identity.Self || loaded.ClusterID != testCluster || !loaded.Certificate.Equal(identity.Certificate) {
		t.Errorf("loaded %+v, want %+v", loaded.Self, identity.Self)
	}
	other := newMember(t, ca, "node1", noon)
	if err := SaveIdentity(folder, other); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadIdentity(folder); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("a chain for another key ended with %v", err)
	}

	home := filepath.Join(t.TempDir(), "client")
	alice := newClient(t, ca, "alice", RoleAdmin)
	if err := SaveClient(home, alice); err != nil {
		t.Fatal(err)
	}
	if loaded, err := LoadIdentity(home); err != nil || loaded.Self != alice.Self {
		t.Errorf("loaded %+v, %v, want %+v", loaded, err, alice.Self)
	}
	wantMode(t, filepath.Join(home, keyFileName))
}

func TestASecretFileHasALimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "node.key")
	if _, err := ReadSecret(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file ended with %v", err)
	}
	if err := WriteSecret(path, make([]byte, secretFileLimitBytes+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecret(path); err == nil {
		t.Error("a file over the limit was read")
	}
}

func TestAuthorityAnswersOnlyFittingRequests(t *testing.T) {
	ca := newTestCA(t, testCluster)
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	request, err := NewRequest(key, "node1")
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err := ParseRequest(request); err != nil || parsed.Name != "node1" ||
		parsed.Fingerprint != key.Fingerprint() {
		t.Errorf("the request reads %+v, %v", parsed, err)
	}
	for name, sign := range map[string]func() ([]byte, error){
		"another node": func() ([]byte, error) { return ca.SignNode(request, "node2", nil, noon, NodeValidity) },
		"no request":   func() ([]byte, error) { return ca.SignNode([]byte("x"), "node1", nil, noon, NodeValidity) },
		"senseless address": func() ([]byte, error) {
			return ca.SignNode(request, "node1", []string{"a b"}, noon,
				NodeValidity)
		},
		"too many addresses": func() ([]byte, error) {
			return ca.SignNode(request, "node1", make([]string, 17), noon,
				NodeValidity)
		},
		"no life": func() ([]byte, error) { return ca.SignNode(request, "node1", nil, noon, 0) },
		"clock at the epoch": func() ([]byte, error) {
			return ca.SignNode(request, "node1", nil, time.Unix(0, 0),
				NodeValidity)
		},
		"unknown role": func() ([]byte, error) { return ca.SignClient(request, "alice", "root", noon, ClientValidity) },
		"path in a name": func() ([]byte, error) {
			return ca.SignClient(request, "a/b", RoleAdmin, noon, ClientValidity)
		},
	} {
		if _, err := sign(); err == nil {
			t.Errorf("%s: a certificate was signed", name)
		}
	}
	damaged := bytes.Replace(request, []byte("A"), []byte("B"), 1)
	if _, err := ParseRequest(damaged); err == nil {
		t.Error("a damaged request was taken")
	}
	again, err := LoadCA(ca.CertPEM, ca.KeyPEM)
	if err != nil || again.Pin() != ca.Pin() || again.ClusterID != testCluster {
		t.Errorf("the authority did not survive its blobs: %v", err)
	}
	if _, err := LoadCA(ca.CertPEM, newTestCA(t, testCluster).KeyPEM); err == nil {
		t.Error("an authority was loaded with the key of another")
	}
}

func TestRenewalIsDueAtTwoThirdsOfTheLife(t *testing.T) {
	certificate := newMember(t, newTestCA(t, testCluster), "node1", noon).Certificate
	life := certificate.NotAfter.Sub(certificate.NotBefore)
	due := certificate.NotBefore.Add(life * 2 / 3)
	for _, test := range []struct {
		now  time.Time
		want bool
	}{{noon, false}, {due.Add(-time.Minute), false}, {due.Add(time.Minute), true},
		{certificate.NotAfter.Add(time.Hour), true}, {time.Unix(0, 0), false}} {
		if got := NeedsRenewal(certificate, test.now); got != test.want {
			t.Errorf("at %s renewal is due: %t, want %t", stamp(test.now), got, test.want)
		}
	}
}
