package fence

import (
	"slices"
	"strings"
	"unicode"
)

// secretMarks in the name of an option or parameter say that its value is secret, and secretWords
// do as a whole word of the name.
var (
	secretMarks = []string{"passw", "passphrase", "secret", "token", "community", "credential", "apikey"}
	secretWords = []string{"pass", "kg", "key", "pin", "pw", "pwd", "psk", authWord, "cookie"}
	// openWords after the word that says so make it the name of something else: where a secret lies,
	// who has it, or how it is asked for.
	openWords = []string{"script", "file", "path", "dir", "type", "method", "timeout", "length", "user", "username",
		"login", "prot", "protocol"}
)

// authWord names a secret in one agent and the way to log in in most.
const authWord = "auth"

// authWays are the values of that option which are no secret: fence_ipmilan and fence_virt have
// these, and SNMP.
var authWays = []string{"none", "md2", "md5", "sha", "sha1", "sha224", "sha256", "sha384", "sha512", "password",
	"straight", "oem", "basic", "digest"}

// SoundsSecret reports whether the value of an option or parameter of this name is kept out of all
// texts. Agents' metadata does not say which parameters are secret, so the name has to.
func SoundsSecret(name string) bool {
	secret, joined := false, ""
	for _, word := range wordsOf(name) {
		before := len(joined)
		joined += word
		for _, mark := range secretMarks {
			secret = secret || strings.LastIndex(joined, mark)+len(mark) > before && strings.Contains(joined, mark)
		}
		secret = secret || slices.Contains(secretWords, word)
		if slices.ContainsFunc(openWords, func(open string) bool { return strings.HasSuffix(word, open) }) {
			secret = false
		}
	}
	return secret
}

func wordsOf(name string) []string {
	return strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// secretUnder reports whether the value of an option is secret for the option's name.
func secretUnder(name, value string) bool {
	words := wordsOf(name)
	way := len(words) > 0 && words[len(words)-1] == authWord && slices.Contains(authWays, strings.ToLower(value))
	return value != "" && SoundsSecret(name) && !way
}

// HoldsSecret reports whether a value holds a secret beside other things: mount options with
// password=..., an address with a password in it, a flag --token, or the reference to one.
func HoldsSecret(value string) bool {
	if ReplaceReferences(value, func(string) string { return "" }) != value {
		return true
	}
	pieces := strings.FieldsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;&?", r) })
	for _, piece := range pieces {
		name, assigned, has := strings.Cut(piece, "=")
		if has && secretUnder(name, assigned) || !has && strings.HasPrefix(piece, "-") && SoundsSecret(name) {
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
	return secretUnder(name, value) || HoldsSecret(value)
}
