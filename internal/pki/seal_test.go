package pki

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func newTestKey(t testing.TB) *NodeKey {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestADataKeyOpensForItsNodeAlone(t *testing.T) {
	mine, other, data := newTestKey(t), newTestKey(t), NewDataKey()
	wrapped, err := data.WrapFor(mine.PublicKey(), "id")
	if err != nil {
		t.Fatal(err)
	}
	opened, err := mine.Unwrap("id", wrapped)
	if err != nil || !bytes.Equal(opened.Bytes(), data.Bytes()) {
		t.Errorf("its own node: %v", err)
	}
	if _, err := other.Unwrap("id", wrapped); !errors.Is(err, ErrSealed) {
		t.Errorf("another node: %v", err)
	}
	if _, err := mine.Unwrap("another", wrapped); !errors.Is(err, ErrSealed) {
		t.Errorf("another cluster: %v", err)
	}
	if bytes.Contains(wrapped, data.Bytes()) {
		t.Error("the key stands in the clear")
	}
}

func TestASealedSecretOpensInItsPlaceAlone(t *testing.T) {
	data := NewDataKey()
	sealed := data.Seal("the authority's key", []byte("very secret"))
	if bytes.Contains(sealed, []byte("secret")) {
		t.Error("the secret stands in the clear")
	}
	if opened, err := data.Open("the authority's key", sealed); err != nil || string(opened) != "very secret" {
		t.Errorf("opened: %q, %v", opened, err)
	}
	if _, err := data.Open("a password", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("in another place: %v", err)
	}
	if _, err := NewDataKey().Open("the authority's key", sealed); !errors.Is(err, ErrSealed) {
		t.Errorf("with another key: %v", err)
	}
	text, _ := json.Marshal(data)
	for _, shown := range []string{fmt.Sprint(data), fmt.Sprintf("%v %+v %#v %s", data, data, data, data), string(text)} {
		if !strings.Contains(shown, "****") || strings.Contains(shown, string(data.Bytes())) {
			t.Errorf("shown as %s", shown)
		}
	}
}

func TestAPairKeyIsThatOfBothEndsAlone(t *testing.T) {
	a, b, c := newTestKey(t), newTestKey(t), newTestKey(t)
	key := func(one, other *NodeKey, id, purpose string) string {
		made, err := one.PairKey(other.PublicKey(), id, purpose)
		if err != nil {
			t.Fatal(err)
		}
		return string(made)
	}
	if key(a, b, "id", "beats") != key(b, a, "id", "beats") {
		t.Error("the two ends have different keys")
	}
	for what, different := range map[string]string{
		"another node": key(a, c, "id", "beats"), "a third one": key(c, b, "id", "beats"),
		"another purpose": key(a, b, "id", "else"), "another cluster": key(a, b, "other", "beats"),
	} {
		if different == key(a, b, "id", "beats") {
			t.Errorf("%s has the same key", what)
		}
	}
	if _, err := a.PairKey(PublicKey("no key"), "id", "beats"); err == nil {
		t.Error("a damaged public key made a key")
	}
}

func FuzzUnwrap(f *testing.F) {
	key, data := newTestKey(f), NewDataKey()
	good, err := data.WrapFor(key.PublicKey(), "id")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, wrapped []byte) {
		if opened, err := key.Unwrap("id", wrapped); err == nil && !bytes.Equal(opened.Bytes(), data.Bytes()) {
			t.Error("something else opened")
		}
		if _, err := data.Open("x", wrapped); err == nil {
			t.Error("something opened that was not sealed")
		}
	})
}
