package words

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
)

func Sentence(text, more string) string {
	if more == "" {
		return text
	}
	return text + ": " + more
}

func Counted(number int, what string) string {
	if number == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", number, what)
}

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

func OrElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func Sum(text string) string {
	full := sha256.Sum256([]byte(text))
	return hex.EncodeToString(full[:8])
}

func SortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
