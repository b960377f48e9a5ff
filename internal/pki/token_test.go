package pki

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

func newTestToken(t testing.TB) (Token, Stored) {
	t.Helper()
	token, stored, err := NewToken(testCluster, strings.Repeat("ab", 32),
		[]string{"10.0.0.1:7500", "node2.example.org:7500"}, noon, TokenLife)
	if err != nil {
		t.Fatal(err)
	}
	return token, stored
}

func TestTokenSurvivesItsText(t *testing.T) {
	token, _ := newTestToken(t)
	wrapped := "  " + token.Text()[:40] + "\n" + token.Text()[40:] + "\n"
	read, err := ParseToken(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(read, token) {
		t.Errorf("read %#v, want %#v", read, token)
	}
}

func TestMalformedTokensAreExplained(t *testing.T) {
	token, _ := newTestToken(t)
	text := token.Text()
	swapped := []byte(text)
	swapped[60], swapped[61] = 'A', 'B'
	if string(swapped) == text {
		swapped[60] = 'C'
	}
	for name, test := range map[string]struct{ text, says string }{
		"empty":            {"", "begins with"},
		"something else":   {"hunter2", "begins with"},
		"newer version":    {"clusterd2." + text[10:], `version "clusterd2"`},
		"cut off":          {text[:len(text)-20], "cut off"},
		"cut by one":       {text[:len(text)-1], "cut off"},
		"only its prefix":  {"clusterd1.", "cut off"},
		"mistyped":         {string(swapped), "mistyped"},
		"foreign letter":   {text[:50] + "!" + text[51:], "no token has"},
		"pasted twice":     {text + text[10:], "longer"},
		"a whole document": {strings.Repeat("x", 10000), "longer than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseToken(test.text)
			wantError(t, err, ErrTokenMalformed)
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("the error %q does not say %q", err, test.says)
			}
		})
	}
}

func TestTokenIsGoodForItsTimeOnly(t *testing.T) {
	token, stored := newTestToken(t)
	if err := stored.Verify(token.Secret(), token.AuthorityPin, noon.Add(TokenLife-time.Second)); err != nil {
		t.Errorf("in time: %v", err)
	}
	wantError(t, stored.Verify(token.Secret(), token.AuthorityPin, noon.Add(TokenLife)), ErrTokenExpired)
	other, _ := newTestToken(t)
	wantError(t, stored.Verify(other.Secret(), other.AuthorityPin, noon), ErrTokenUnknown)
	wantError(t, stored.Verify(token.Secret(), strings.Repeat("cd", 32), noon), ErrTokenUnknown) // of the authority before
	wantError(t, stored.Verify(nil, token.AuthorityPin, noon), ErrTokenUnknown)
	if err := stored.Verify(other.Secret(), other.AuthorityPin, noon.Add(time.Hour)); errors.Is(err, ErrTokenExpired) {
		t.Error("a wrong secret was told that the token existed")
	}
}

func TestTokenRefusesSenselessContents(t *testing.T) {
	pin := strings.Repeat("ab", 32)
	for name, make := range map[string]func() error{
		"no address": func() error {
			_, _, err := NewToken(testCluster, pin, nil, noon, TokenLife)
			return err
		},
		"no pin": func() error {
			_, _, err := NewToken(testCluster, "", []string{"a:1"}, noon, TokenLife)
			return err
		},
		"too long": func() error {
			_, _, err := NewToken(testCluster, pin, []string{"a:1"}, noon,
				48*time.Hour)
			return err
		},
		"no cluster": func() error {
			_, _, err := NewToken("", pin, []string{"a:1"}, noon, TokenLife)
			return err
		},
	} {
		if make() == nil {
			t.Errorf("%s: a token was made", name)
		}
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	token, _ := newTestToken(t)
	ca := newTestCA(t, testCluster)
	secrets := []string{fmt.Sprintf("%x", token.secret), fmt.Sprint(token.secret), token.Text(), string(ca.KeyPEM),
		fmt.Sprint(ca.KeyPEM)}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(format+format+format+format+format, token, &token, *ca, ca, ca.key)
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s printed a secret: %s", format, text)
			}
		}
		if !strings.Contains(text, token.ID) || !strings.Contains(text, testCluster) {
			t.Errorf("%s printed %q, which names neither token nor cluster", format, text)
		}
	}
}

func FuzzParseToken(f *testing.F) {
	token, _ := newTestToken(f)
	f.Add(token.Text())
	f.Add("clusterd1.AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		parsed, err := ParseToken(text)
		if err != nil {
			if !errors.Is(err, ErrTokenMalformed) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		again, err := ParseToken(parsed.Text())
		if err != nil || !reflect.DeepEqual(again, parsed) {
			t.Fatalf("%#v became %#v, %v", parsed, again, err)
		}
	})
}
