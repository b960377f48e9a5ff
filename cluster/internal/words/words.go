// Package words puts lists and numbers into the sentences of the decision core.
package words

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"time"
)

// Sentence adds more to a text, after a colon; nothing where there is no more.
func Sentence(text, more string) string {
	if more == "" {
		return text
	}
	return text + ": " + more
}

// Counted is a number of things: "1 node", "2 nodes".
func Counted(number int, what string) string {
	if number == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", number, what)
}

// Joined is a list of names as it stands in a sentence.
func Joined(names []string) string {
	text := ""
	for i, name := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			text += " and "
		default:
			text += ", "
		}
		text += name
	}
	return text
}

// ContainsAll reports whether all of some are in all; false where some is empty.
func ContainsAll(all, some []string) bool {
	for _, one := range some {
		if !slices.Contains(all, one) {
			return false
		}
	}
	return len(some) > 0
}

// Union joins two lists, each once, in order.
func Union(a, b []string) []string {
	all := append(append([]string(nil), a...), b...)
	sort.Strings(all)
	return slices.Compact(all)
}

// OrElse is the text, or the other one where it is empty.
func OrElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// Sum is a short digest of a text.
func Sum(text string) string {
	full := sha256.Sum256([]byte(text))
	return hex.EncodeToString(full[:8])
}

// ShortID is the beginning of an identifier, enough to tell it from another one.
func ShortID(id string) string { return fmt.Sprintf("%.8s", id) }

// SortedKeys are the keys of a map, sorted.
func SortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// Minutes is a duration without seconds that are none: "5m" and not "5m0s".
func Minutes(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}
