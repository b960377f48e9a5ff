package pki

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// turnedFolder is the folder of a node.
type turnedFolder struct {
	t    *testing.T
	ca   *CA
	path string
}

func newTurnedFolder(t *testing.T) (turnedFolder, *NodeKey) {
	t.Helper()
	ca, err := NewCA("demo", "id", time.Now())
	f := turnedFolder{t: t, ca: ca, path: t.TempDir()}
	f.fine(err)
	key, err := LoadOrCreateNodeKey(f.path)
	f.fine(err)
	f.fine(SaveIdentity(f.path, f.signed(key, "node1")))
	return f, key
}

func (f turnedFolder) fine(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f turnedFolder) signed(key *NodeKey, name string) *Identity {
	f.t.Helper()
	request, err := NewRequest(key, name)
	f.fine(err)
	chain, err := f.ca.SignNode(request, name, nil, time.Now(), NodeValidity)
	f.fine(err)
	identity, err := NewIdentity(key, chain)
	f.fine(err)
	return identity
}

func (f turnedFolder) next() *NodeKey {
	f.t.Helper()
	key, err := LoadOrCreateNextKey(f.path)
	f.fine(err)
	return key
}

func (f turnedFolder) holds(when string, want *NodeKey) {
	f.t.Helper()
	got, err := LoadIdentity(f.path)
	if err != nil || got.Key.Fingerprint() != want.Fingerprint() {
		f.t.Errorf("%s the folder holds %v, not %s: %v", when, got, want, err)
	}
}

// TestAFolderHoldsOneIdentityAtEachPointOfATurn: the old one until the new certificate is written,
// the new one from then on, wherever its key lies.
func TestAFolderHoldsOneIdentityAtEachPointOfATurn(t *testing.T) {
	f, old := newTurnedFolder(t)
	next := f.next()
	wantMode(t, filepath.Join(f.path, nextKeyFileName))
	if again := f.next(); again.Fingerprint() != next.Fingerprint() {
		t.Errorf("asked twice it is another key: %s and %s", next, again)
	}
	f.holds("made, ", old)
	f.fine(FinishTurn(f.path))
	f.holds("nothing was cut short, ", old)
	err := TurnKey(f.path, f.signed(old, "node1"))
	if err == nil || !strings.Contains(err.Error(), "holds another one") {
		t.Errorf("a certificate for the old key takes the turn: %v", err)
	}
	f.fine(SaveIdentity(f.path, f.signed(next, "node1"))) // and cut short there
	f.holds("the certificate was written, ", next)
	f.fine(FinishTurn(f.path))
	f.holds("the turn was finished, ", next)
	if _, err := os.Stat(filepath.Join(f.path, nextKeyFileName)); !os.IsNotExist(err) {
		t.Errorf("the next key is still waiting: %v", err)
	}
}

// TestNothingIsLeftOfAKeyThatWasTurned: the key before is kept until it is dropped.
func TestNothingIsLeftOfAKeyThatWasTurned(t *testing.T) {
	f, old := newTurnedFolder(t)
	next := f.next()
	f.fine(TurnKey(f.path, f.signed(next, "node1")))
	f.holds("turned, ", next)
	former, err := FormerKey(f.path)
	if err != nil || former.Fingerprint() != old.Fingerprint() || !KeysLeft(f.path) {
		t.Errorf("the key before is %v, %v", former, err)
	}
	wantMode(t, filepath.Join(f.path, formerKeyFileName))
	f.next() // of an order that was taken back
	if err := DropOtherKeys(f.path); err != nil || KeysLeft(f.path) {
		t.Errorf("keys are left: %v", err)
	}
	if former, err := FormerKey(f.path); former != nil || err != nil {
		t.Errorf("the key before is still %v, %v", former, err)
	}
	f.holds("with the others dropped, ", next)
}

func TestAnotherKeyIsPutInUseForTheSameNodeAlone(t *testing.T) {
	f, old := newTurnedFolder(t)
	identity := f.signed(f.next(), "node1")
	store := NewStore(f.signed(old, "node1"), Trust{})
	if err := store.Turn(f.signed(old, "node2")); err == nil {
		t.Error("another node's identity is put in use")
	}
	if err := store.Replace(identity); err == nil {
		t.Error("another key comes by a renewal")
	}
	if err := store.Turn(identity); err != nil || store.Identity() != identity {
		t.Errorf("the node's own other key is not put in use: %v", err)
	}
}

// TestATurnThatFailedAfterTheRenameIsTakenAgain: the new key has its place already, and none waits.
// A renewal in between leaves a chain for the key before; that one is found, and kept until then.
func TestATurnThatFailedAfterTheRenameIsTakenAgain(t *testing.T) {
	f, old := newTurnedFolder(t)
	next := f.next()
	told := func() *NodeKey {
		key, err := ToldKey(f.path, next.Fingerprint())
		f.fine(err)
		return key
	}
	f.fine(TurnKey(f.path, f.signed(told(), "node1"))) // as if it had told an error at its end
	f.fine(SaveIdentity(f.path, f.signed(old, "node1")))
	f.holds("a renewal came in between, ", old)
	f.fine(TurnKey(f.path, f.signed(told(), "node1")))
	f.holds("taken again, ", next)
	if former, err := FormerKey(f.path); err != nil || former.Fingerprint() != old.Fingerprint() {
		t.Errorf("the key before is %v, %v", former, err)
	}
	f.fine(SaveIdentity(f.path, f.signed(old, "node1")))
	f.fine(DropOtherKeys(f.path))
	f.holds("the others were dropped, ", old)
}

// TestAToldKeyThatIsLostIsNotMadeAnew: another one in its place would be nobody's.
func TestAToldKeyThatIsLostIsNotMadeAnew(t *testing.T) {
	f, _ := newTurnedFolder(t)
	next := f.next()
	f.fine(os.Remove(filepath.Join(f.path, nextKeyFileName)))
	if key, err := ToldKey(f.path, next.Fingerprint()); !errors.Is(err, fs.ErrNotExist) || key != nil {
		t.Errorf("the lost key is %v, %v", key, err)
	}
	if KeysLeft(f.path) {
		t.Error("a key was made in its place")
	}
}
