package floors

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// untidy lists what was untidy when each rule came, by rule and place. It may only shrink.
const untidy = "untidy.txt"

// place is a rule and where it is broken: a file, a folder of code, or a function of a file.
type place struct{ rule, where string }

// findings count how often a rule is broken in a place, and keep the first lines for the complaint.
type findings struct {
	count map[place]int
	lines map[place][]string
}

func (f *findings) add(rule, where string, format string, arguments ...any) {
	at := place{rule, where}
	f.count[at]++
	if len(f.lines[at]) < 40 {
		f.lines[at] = append(f.lines[at], fmt.Sprintf(format, arguments...))
	}
}

// tidyRules say what each rule asks for and why.
var tidyRules = map[string]string{
	"line-width":    "a line has at most 120 columns (a tab counts as one): wider ones are not read in a review",
	"comment-width": "a line that is a comment has at most 100 columns: prose is read in narrower lines than code",
	"one-statement": "one statement on a line: a debugger and a diff show lines",
	"function-size": "a function has at most 60 lines: it is to be seen whole",
	"complexity":    "a function branches at most 20 times: each branch needs a test",
	"file-size":     "a file has at most 400 lines",
	"package-size":  "a package has at most 20 files of code, tests not counted",
	"docstring":     "an exported name has a comment that begins with it",
	"package-doc":   "a package has exactly one package comment",
	"reference":     "what a page or a comment refers to is there",
	"word":          "docs/words.md names another word for it",
}

// TestTidy scans the tree. Nothing new may be untidy; what was so before is excepted by name and
// number, and an exception that is no longer needed fails as well.
func TestTidy(t *testing.T) {
	found := scan(t, "../..")
	excepted := readExceptions(t)
	if os.Getenv("TIDY") == "shrink" {
		shrink(t, found, excepted)
		return
	}
	for _, at := range sortedPlaces(found.count) {
		if n, most := found.count[at], excepted[at]; n > most {
			t.Errorf("%s: %d times untidy (%s), where test/floors/%s excepts %d: %s\n\t%s",
				at.where, n, at.rule, untidy, most, tidyRules[family(at.rule)], strings.Join(found.lines[at], "\n\t"))
		}
	}
	for _, at := range sortedPlaces(excepted) {
		if n := found.count[at]; n < excepted[at] {
			t.Errorf("test/floors/%s excepts %s %s %d times, and only %d are left: run `make tidy`, which lowers the list",
				untidy, at.rule, at.where, excepted[at], n)
		}
	}
}

// scan walks the tree below root and reviews it.
func scan(t *testing.T, root string) *findings {
	t.Helper()
	tree := readTree(t, root)
	return tree.review(t, bannedWords(t, tree.pages["docs/words.md"]))
}

// review holds every file of code and every page to the rules.
func (tr *tree) review(t *testing.T, words []ban) *findings {
	t.Helper()
	found := &findings{count: map[place]int{}, lines: map[place][]string{}}
	sources := tr.parse(t)
	for _, s := range sources {
		s.measure(found)
		s.searchWords(found, words)
	}
	measurePackages(found, sources)
	tr.checkReferences(found, sources)
	tr.searchPages(found, words)
	return found
}

// tree is what the repository holds: the text of its code and pages, and the names of all files.
type tree struct {
	code, pages map[string]string
	names       map[string]bool
	// ends are the names again, by their last part.
	ends map[string][]string
}

func newTree() *tree {
	return &tree{
		code: map[string]string{}, pages: map[string]string{},
		names: map[string]bool{}, ends: map[string][]string{},
	}
}

func readTree(t *testing.T, root string) *tree {
	t.Helper()
	found := newTree()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", ".cache", "bin"}, name) {
				return fs.SkipDir
			}
			found.names[name] = true
			return nil
		}
		found.names[name] = true
		found.ends[filepath.Base(name)] = append(found.ends[filepath.Base(name)], name)
		return found.read(path, name)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.code) < 100 || len(found.pages) < 10 {
		t.Fatalf("only %d files of code and %d pages found", len(found.code), len(found.pages))
	}
	return found
}

func (tr *tree) read(path, name string) error {
	into := tr.code
	switch {
	case strings.Contains(name, "testdata/"):
		return nil
	case strings.HasSuffix(name, ".md"):
		into = tr.pages
	case !strings.HasSuffix(name, ".go"):
		return nil
	}
	text, err := os.ReadFile(path)
	into[name] = string(text)
	return err
}

// readExceptions returns the list. A place that is there twice, after two branches were joined, has
// the lower number.
func readExceptions(t *testing.T) map[place]int {
	t.Helper()
	text, err := os.ReadFile(untidy)
	if err != nil {
		t.Fatal(err)
	}
	excepted := map[place]int{}
	for number, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		count, err := 0, error(nil)
		if len(fields) == 3 {
			count, err = strconv.Atoi(fields[2])
		}
		if count < 1 || err != nil || tidyRules[family(fields[0])] == "" {
			t.Fatalf("%s:%d: want RULE PLACE NUMBER, not %q", untidy, number+1, line)
		}
		at := place{fields[0], fields[1]}
		if before, twice := excepted[at]; !twice || count < before {
			excepted[at] = count
		}
	}
	return excepted
}

// shrink writes the list anew with what is still needed; it raises no number and adds no place.
func shrink(t *testing.T, found *findings, excepted map[place]int) {
	t.Helper()
	var text strings.Builder
	text.WriteString(untidyHead)
	for _, at := range sortedPlaces(excepted) {
		if n := min(found.count[at], excepted[at]); n > 0 {
			fmt.Fprintf(&text, "%s %s %d\n", at.rule, at.where, n)
		}
	}
	if err := os.WriteFile(untidy, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const untidyHead = `# What was untidy when each rule of TestTidy came: RULE PLACE NUMBER.
# The list may only shrink: nothing is added, no number is raised, and what is no longer needed
# fails the test until "make tidy" has lowered it.
# The reason is the same for all: they are older than their rule, and are mended with the code around them.
`

// family returns the rule without the word it is about.
func family(rule string) string {
	name, _, _ := strings.Cut(rule, ":")
	return name
}

func sortedPlaces(places map[place]int) []place {
	return slices.SortedFunc(maps.Keys(places), func(a, b place) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.where, b.where))
	})
}
