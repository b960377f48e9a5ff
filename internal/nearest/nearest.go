// Package nearest finds the known word that a mistyped one was probably meant to be.
//
// Its answer is for a question put to a person ("Did you mean ...?"). Callers never act on it: a
// cluster manager that guesses a node's name stops the wrong machine one day.
package nearest

import (
	"slices"
	"strings"
)

// longestWord bounds the work: nobody mistypes a word of this length by a letter or two.
const longestWord = 128

// Word returns the known word nearest to the given one, or "" when none is near. Of several
// equally near words one wins that the given one begins with (nodes means node and not codes), else
// the first in sorted order, so that the same mistake always gets the same answer.
func Word(given string, known []string) string {
	if given == "" || len(given) > longestWord {
		return ""
	}
	sorted := slices.Sorted(slices.Values(known))
	folded := strings.ToLower(given)
	best, bestDistance := "", max(2, len(given)/3)+1
	for _, word := range sorted {
		if len(word) > longestWord {
			continue
		}
		d := distance(folded, strings.ToLower(word))
		// A short word is not near to everything that is as short.
		longer := d == bestDistance && strings.HasPrefix(folded, strings.ToLower(word))
		if (d < bestDistance || longer) && d < max(len(word), len(given)) {
			best, bestDistance = word, d
		}
	}
	if best != "" {
		return best
	}
	for _, word := range sorted {
		if len(given) >= 3 && strings.HasPrefix(strings.ToLower(word), folded) {
			return word
		}
	}
	return ""
}

// Hint is a sentence with a leading space, " Did you mean 'X'?", or nothing.
func Hint(given string, known []string) string {
	word := Word(given, known)
	if word == "" || word == given {
		return ""
	}
	return " Did you mean '" + word + "'?"
}

// distance counts insertions, deletions, substitutions and swaps of neighbours.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
