package cli

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanLeavesNothingThatATerminalObeys(t *testing.T) {
	for given, want := range map[string]string{
		"node1\x1b[31m":                 "node1 [31m",
		"a\x07b\rc\nd\te\x7f":           "a b c d e ",
		"\u009b2Jx":                     " 2Jx",
		"safe\u202egnp.exe\u202c":       "safe gnp.exe ",
		"zero\u200bwidth\ufeff":         "zero width ",
		"two\u2028lines":                "two lines",
		"\xff\xfebytes":                 " bytes",
		"Größe, 東京, عربي, 1.5\u00a0GiB": "Größe, 東京, عربي, 1.5\u00a0GiB",
	} {
		if got := Clean(given); got != want {
			t.Errorf("Clean(%q) = %q, want %q", given, got, want)
		}
	}
	if got := CleanLines("one\n\x1b]0;title\x07two\ttab"); got != "one\n ]0;title two\ttab" {
		t.Errorf("CleanLines: %q", got)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("node1\x1b[31m\u202e")
	f.Add("\xff\xc2\x9b")
	f.Fuzz(func(t *testing.T, text string) {
		got := Clean(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, harmful) || Clean(got) != got {
			t.Errorf("Clean(%q) = %q", text, got)
		}
	})
}
