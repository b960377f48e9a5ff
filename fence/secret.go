package fence

import (
	"strings"
	"unicode"
)

// secretMarks in the name of an option or parameter say that its value is secret, and secretWords
// do as a whole word of the name.
var (
	secretMarks = []string{"passw", "passphrase", "secret", "token", "community", "credential", "apikey"}
	secretWords = []string{"pass", "kg", "key", "pin", "pw", "pwd", "psk", "auth", "cookie"}
	// openWords make it the name of something else: where a secret lies, or how it is asked for.
	openWords = []string{"script", "file", "path", "dir", "type", "method", "timeout", "length"}
)

// SoundsSecret reports whether the value of an option or parameter of this name is kept out of all
// texts. Agents' metadata does not say which parameters are secret, so the name has to.
func SoundsSecret(name string) bool {
	name = strings.ToLower(name)
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for _, word := range words {
		for _, open := range openWords {
			if strings.HasSuffix(word, open) {
				return false
			}
		}
	}
	joined := strings.Join(words, "")
	for _, mark := range secretMarks {
		if strings.Contains(joined, mark) {
			return true
		}
	}
	for _, word := range words {
		for _, secret := range secretWords {
			if word == secret {
				return true
			}
		}
	}
	return false
}

// HoldsSecret reports whether a value holds a secret beside other things: mount options with
// password=..., an address with a password in it, a flag --token, or the reference to one.
func HoldsSecret(value string) bool {
	if ReplaceReferences(value, func(string) string { return "" }) != value {
		return true
	}
	pieces := strings.FieldsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;&?", r) })
	for _, piece := range pieces {
		name, _, assigned := strings.Cut(piece, "=")
		if (assigned || strings.HasPrefix(piece, "-")) && SoundsSecret(name) {
			return true
		}
		if _, rest, isURL := strings.Cut(piece, "://"); isURL {
			authority, _, _ := strings.Cut(rest, "/")
			if user, _, logsIn := strings.Cut(authority, "@"); logsIn && strings.Contains(user, ":") {
				return true
			}
		}
	}
	return false
}

// IsSecret reports whether an option or parameter may be shown to nobody.
func IsSecret(name, value string) bool {
	return value != "" && (SoundsSecret(name) || HoldsSecret(value))
}
