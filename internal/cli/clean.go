package cli

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean takes out of a text of somebody else's what a terminal obeys and does not show: control
// characters of both sets, line ends, characters that turn the direction of writing or have no
// width, and bytes that are no letter. Each becomes a space, so that words stay apart.
func Clean(text string) string { return cleaned(text, false) }

// CleanLines is Clean for texts of several lines, such as error messages.
func CleanLines(text string) string { return cleaned(text, true) }

func clean(text string) string { return Clean(text) }

func cleaned(text string, lines bool) string {
	return strings.Map(func(letter rune) rune {
		if lines && (letter == '\n' || letter == '\t') {
			return letter
		}
		if harmful(letter) {
			return ' '
		}
		return letter
	}, strings.ToValidUTF8(text, " "))
}

// harmful reports whether a terminal may do something else with a character than show it. The
// format characters (Cf) include the bidirectional controls, by which a text can be made to read
// as another one; U+2028 and U+2029 end lines.
func harmful(letter rune) bool {
	return unicode.IsControl(letter) || unicode.In(letter, unicode.Cf, unicode.Zl, unicode.Zp) || letter == utf8.RuneError
}

// CleanWriter cleans whole texts on their way to a terminal. What is written to it must be text of
// several lines and not end within a character.
func CleanWriter(to io.Writer) io.Writer { return cleanWriter{to} }

type cleanWriter struct{ to io.Writer }

func (w cleanWriter) Write(text []byte) (int, error) {
	if _, err := io.WriteString(w.to, CleanLines(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
