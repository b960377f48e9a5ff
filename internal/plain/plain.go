// Package plain takes out of texts of somebody else's what a terminal obeys instead of showing it.
package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text cleans a text of one line: control characters of both sets, line ends, characters that turn
// the direction of writing or have no width, and bytes that are no letter become spaces, so that
// words stay apart.
func Text(text string) string { return cleaned(text, false) }

// Lines is Text for texts of several lines, such as error messages.
func Lines(text string) string { return cleaned(text, true) }

func cleaned(text string, lines bool) string {
	return strings.Map(func(letter rune) rune {
		if lines && (letter == '\n' || letter == '\t') {
			return letter
		}
		if Harmful(letter) {
			return ' '
		}
		return letter
	}, strings.ToValidUTF8(text, " "))
}

// Harmful reports whether a terminal may do something else with a character than show it. The
// format characters (Cf) include the bidirectional controls, by which a text can be made to read
// as another one; Zl and Zp end lines.
func Harmful(letter rune) bool {
	return unicode.IsControl(letter) || unicode.In(letter, unicode.Cf, unicode.Zl, unicode.Zp) || letter == utf8.RuneError
}
