package plain

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestNothingIsLeftThatATerminalObeys(t *testing.T) {
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
		if got := Text(given); got != want {
			t.Errorf("Text(%q) = %q, want %q", given, got, want)
		}
	}
	if got := Lines("one\n\x1b]0;title\x07two\ttab"); got != "one\n ]0;title two\ttab" {
		t.Errorf("Lines: %q", got)
	}
}

type answer struct {
	Name    string
	Why     string `plain:"lines"`
	Text    string `plain:"-"`
	Inner   *answer
	Names   []string
	Members map[string]string
	Bytes   []byte
	hidden  string
	Said    said
	Also    []said
}

// said keeps its words to itself.
type said struct{ words string }

func (s *said) Clean(clean func(string) string) { s.words = clean(s.words) }

func TestScrubFindsEveryText(t *testing.T) {
	const bad = "a\x1bb\nc"
	got := answer{Name: bad, Why: bad, Text: bad, Inner: &answer{Name: bad, Names: []string{bad}}, Names: []string{bad},
		Members: map[string]string{bad: bad}, Bytes: []byte(bad), hidden: bad,
		Said: said{bad}, Also: []said{{bad}}}
	Scrub(&got)
	want := answer{Name: "a b c", Why: "a b\nc", Text: bad, Inner: &answer{Name: "a b c", Names: []string{"a b c"}},
		Names:   []string{"a b c"},
		Members: map[string]string{"a b c": "a b c"}, Bytes: []byte(bad), hidden: bad,
		Said: said{"a b c"}, Also: []said{{"a b c"}}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(answer{}, said{})); diff != "" {
		t.Error(diff)
	}
}

func FuzzText(f *testing.F) {
	f.Add("node1\x1b[31m\u202e")
	f.Add("\xff\xc2\x9b")
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, Harmful) || Text(got) != got {
			t.Errorf("Text(%q) = %q", text, got)
		}
	})
}
