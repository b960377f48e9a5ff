package floors

import (
	"fmt"
	"strings"
	"testing"
)

// untidySource breaks each rule about code once; its long parts are made in the test.
const untidySource = `// Package dirty is untidy.
package dirty

// It has the wrong beginning.
func Exported() {}

// See nowhere.md, which tells whether it is there.
func packed() { a := 1; _ = a }

// WIDE
var wide = "WIDE"

// long has too many lines and branches.
func (t *T) long(x int) {
LONG
}
`

// TestTheTidyReviewerSees proves that the rules are not blind.
func TestTheTidyReviewerSees(t *testing.T) {
	branches := strings.Repeat("\tif x > 0 && x < 9 {\n\t\tx++\n\t}\n", 25)
	text := strings.ReplaceAll(untidySource, "WIDE", strings.Repeat("w", widestLine))
	text = strings.ReplaceAll(text, "LONG", branches) + strings.Repeat("// more\n", longestFile)
	tr := newTree()
	tr.code["dirty/dirty.go"] = text
	for n := range mostFiles {
		tr.code[fmt.Sprintf("dirty/file%d.go", n)] = "package dirty\n"
	}
	tr.code["bare/bare.go"] = "package bare\n"
	tr.names["page.md"], tr.names["dirty/dirty.go"] = true, true
	tr.pages["page.md"] = "# A page\n[no](gone.md) [no](#nothing) [yes](#a-page) `dirty/dirty.go: packed`\n" +
		"dirty/dirty.go: `missing`, `TestNoSuchThing`, for ever\n"
	words := bannedWords(t, "\n## Not these\n| not this | say | where |\n|---|---|---|\n"+
		"| **tells whether** | reports whether | comments |\n| **for ever** | forever | pages |\n"+
		"| **a**, **b**, **c** | d | messages |\n")
	found := tr.review(t, words)
	for at, n := range map[place]int{
		{"line-width", "dirty/dirty.go"}:           2,
		{"comment-width", "dirty/dirty.go"}:        1,
		{"one-statement", "dirty/dirty.go"}:        1,
		{"function-size", "dirty/dirty.go:T.long"}: 1,
		{"complexity", "dirty/dirty.go:T.long"}:    1,
		{"file-size", "dirty/dirty.go"}:            1,
		{"package-size", "dirty"}:                  1,
		{"docstring", "dirty/dirty.go"}:            1,
		{"package-doc", "bare"}:                    1,
		{"reference", "dirty/dirty.go"}:            1,
		{"reference", "page.md"}:                   6,
		{"word:tells-whether", "dirty/dirty.go"}:   1,
		{"word:for-ever", "page.md"}:               1,
	} {
		if found.count[at] != n {
			t.Errorf("%s in %s was seen %d times, not %d: %q", at.rule, at.where, found.count[at], n, found.lines[at])
		}
		delete(found.count, at)
	}
	if len(found.count) > 0 {
		t.Errorf("seen without a reason: %v", found.lines)
	}
}
