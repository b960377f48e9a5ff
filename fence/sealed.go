package fence

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Hidden stands where a secret would be shown.
const Hidden = "********"

// Secret is a password, or the reference to a sealed one. It never prints itself: whatever writes
// it, in whichever way, writes a mask, and only Reveal gives it away. A reference says nothing, so
// that it alone is written to JSON, which is what the log and backups are made of.
type Secret string

// Reveal is the secret as it is, for the one who has to use it.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (Secret) String() string { return Hidden }

// GoString hides it from %#v.
func (Secret) GoString() string { return Hidden }

// Format hides it from every other verb, which would take it for the text that it is.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Hidden)) }

// MarshalJSON writes a reference, and a mask for anything else.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.shown()) }

// MarshalYAML does the same.
func (s Secret) MarshalYAML() (any, error) { return s.shown(), nil }

func (s Secret) shown() string {
	if s == "" || IsReference(string(s)) {
		return string(s)
	}
	return Hidden
}

// HideIn returns what somebody said who was told secrets, with each of them hidden in every
// spelling that words of others may have.
func HideIn(text string, secrets ...string) string {
	for _, secret := range secrets {
		if len(secret) < shortestHidden || IsReference(secret) {
			continue
		}
		object, _ := json.Marshal(secret) // of a text it never fails
		quoted := fmt.Sprintf("%q", secret)
		markup := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(secret)
		for _, spelling := range []string{secret, quoted[1 : len(quoted)-1], string(object[1 : len(object)-1]), markup,
			fmt.Sprintf("%x", secret), url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, spelling, Hidden)
		}
	}
	return text
}

// shortestHidden: what is shorter would be found in every word, and guessed as fast as read.
const shortestHidden = 4

// A reference stands for a secret in the document, in definitions and in the log. It is drawn when
// the secret is sealed and stays when that is sealed anew, so that nothing that runs looks changed.
const (
	referenceMark   = "sealed-"
	referenceDigits = 32
)

// Reference is the one with these 32 hexadecimal digits.
func Reference(digits string) string { return referenceMark + digits }

// IsReference reports whether a value is a reference, and nothing beside it.
func IsReference(value string) bool {
	return len(value) == len(referenceMark)+referenceDigits && referenceAt(value, 0)
}

func referenceAt(text string, at int) bool {
	digits, marked := strings.CutPrefix(text[at:], referenceMark)
	return marked && len(digits) >= referenceDigits && strings.Trim(digits[:referenceDigits], "0123456789abcdef") == ""
}

// ReplaceReferences returns a text with something else in place of each reference in it.
func ReplaceReferences(text string, by func(reference string) string) string {
	var out strings.Builder
	for {
		at := strings.Index(text, referenceMark)
		if at < 0 {
			out.WriteString(text)
			return out.String()
		}
		length := len(referenceMark)
		out.WriteString(text[:at])
		if referenceAt(text, at) {
			length += referenceDigits
			out.WriteString(by(text[at : at+length]))
		} else {
			out.WriteString(referenceMark)
		}
		text = text[at+length:]
	}
}

// MapSecrets returns the value of an option or parameter with each secret in it replaced. Mount
// options are replaced piece by piece, for others among them say which disk is written to; of
// anything else that holds a secret the whole is.
func MapSecrets(name, value string, replace func(secret string) string) string {
	switch {
	case value == "" || !IsSecret(name, value):
		return value
	case name != "options" || SoundsSecret(name) || IsReference(value):
		return replace(value)
	}
	pieces := strings.Split(value, ",")
	for i, piece := range pieces {
		key, secret, assigned := strings.Cut(piece, "=")
		switch {
		case assigned && secretUnder(key, secret):
			pieces[i] = key + "=" + replace(secret)
		case HoldsSecret(piece):
			pieces[i] = replace(piece)
		}
	}
	return strings.Join(pieces, ",")
}
