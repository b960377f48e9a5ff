package floors

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// ban is a word that is not to be used, and where it is looked for.
type ban struct {
	word, instead               string
	pattern                     *regexp.Regexp
	comments, messages, manuals bool
}

// bannedWords reads the table "Not these" of docs/words.md: the word, its better, and the scope.
func bannedWords(t *testing.T, page string) []ban {
	t.Helper()
	_, section, there := strings.Cut(page, "\n## Not these\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var bans []ban
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(line, "|---") || strings.Contains(cells[1], "not this") {
			continue
		}
		where := strings.TrimSpace(cells[3])
		for word := range strings.SplitSeq(cells[1], ",") {
			word = strings.Trim(strings.TrimSpace(word), "*")
			bans = append(bans, ban{
				word: word, instead: strings.TrimSpace(cells[2]), pattern: wordPattern(word),
				comments: strings.Contains(where, "comments"),
				messages: strings.Contains(where, "messages"),
				manuals:  strings.Contains(where, "pages"),
			})
		}
	}
	if !there || len(bans) < 5 {
		t.Fatalf("docs/words.md has no table \"Not these\" of words, but %d of them", len(bans))
	}
	return bans
}

// wordPattern finds a word or phrase, whole, in either case, also over the end of a line.
func wordPattern(word string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b` + strings.ReplaceAll(regexp.QuoteMeta(word), " ", `[\s/]+`) + `\b`)
}

// rule is the name under which uses of the word are excepted.
func (b ban) rule() string { return "word:" + strings.ReplaceAll(b.word, " ", "-") }

func (b ban) search(found *findings, text, name string, line int) {
	for _, at := range b.pattern.FindAllStringIndex(text, -1) {
		found.add(b.rule(), name, "%s:%d: %q, say %s", name, line+strings.Count(text[:at[0]], "\n"), b.word, b.instead)
	}
}

// searchWords looks through a file's comments and, outside test/, through its string literals.
func (s *source) searchWords(found *findings, bans []ban) {
	for _, b := range bans {
		for _, group := range s.file.Comments {
			if b.comments {
				text := s.text[s.set.Position(group.Pos()).Offset:s.set.Position(group.End()).Offset]
				b.search(found, text, s.name, s.line(group.Pos()))
			}
		}
	}
	if s.test() || strings.HasPrefix(s.name, "test/") {
		return
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		literal, ok := n.(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING {
			return true
		}
		text, _ := strconv.Unquote(literal.Value)
		for _, b := range bans {
			if b.messages {
				b.search(found, text, s.name, s.line(literal.Pos()))
			}
		}
		return true
	})
}

// searchPages looks through the pages, except the one that lists the words.
func (tr *tree) searchPages(found *findings, bans []ban) {
	for name, text := range tr.pages {
		for _, b := range bans {
			if b.manuals && name != "docs/words.md" {
				b.search(found, text, name, 1)
			}
		}
	}
}

var (
	// A page's link, with or without a place inside the page.
	link = regexp.MustCompile(`\]\(([^)\s#]*)(#[^)\s]*)?\)`)
	// A file, a colon, and names that it declares, with or without backquotes.
	fileAndNames = regexp.MustCompile(`([A-Za-z][\w./-]*\.go): ((?:\x60[\w.]+\x60(?:, | and )?)+|[A-Za-z_][\w.]*)`)
	// A file of this repository that a comment or page names.
	fileNamed = regexp.MustCompile(`[\w./-]*[A-Za-z0-9][\w-]*\.(?:go|md)\b`)
	testNamed = regexp.MustCompile(`\x60(Test[A-Z]\w+)\x60`)
	heading   = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	name      = regexp.MustCompile(`[\w.]+`)
)

// checkReferences resolves the links and names in pages, and the files that comments name.
func (tr *tree) checkReferences(found *findings, sources []*source) {
	known := namesOf(sources)
	for page, text := range tr.pages {
		tr.checkLinks(found, page, text)
		for _, m := range fileAndNames.FindAllStringSubmatch(text, -1) {
			for _, named := range name.FindAllString(m[2], -1) {
				if !known.declares(m[1], named) {
					found.add("reference", page, "%s: %s declares no %s", page, m[1], named)
				}
			}
		}
		for _, m := range testNamed.FindAllStringSubmatch(text, -1) {
			if !known.tests[m[1]] {
				found.add("reference", page, "%s: there is no %s", page, m[1])
			}
		}
		tr.checkFiles(found, page, text)
	}
	for _, s := range sources {
		for _, group := range s.file.Comments {
			tr.checkFiles(found, s.name, group.Text())
		}
	}
}

func (tr *tree) checkFiles(found *findings, from, text string) {
	for _, file := range fileNamed.FindAllString(text, -1) {
		if strings.Contains(file, "://") || tr.has(from, file) {
			continue
		}
		found.add("reference", from, "%s: there is no file %s", from, file)
	}
}

// has reports whether a file is named from the root, from the page, or by the end of its path.
func (tr *tree) has(from, file string) bool {
	file = path.Clean(file)
	if tr.names[file] || tr.names[path.Join(path.Dir(from), file)] {
		return true
	}
	return slices.ContainsFunc(tr.ends[path.Base(file)], func(known string) bool {
		return strings.HasSuffix(known, "/"+file)
	})
}

func (tr *tree) checkLinks(found *findings, page, text string) {
	for _, m := range link.FindAllStringSubmatch(text, -1) {
		to, anchor := m[1], strings.TrimPrefix(m[2], "#")
		if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
			continue
		}
		target := path.Join(path.Dir(page), to)
		if to == "" {
			target = page
		}
		switch {
		case !tr.names[target]:
			found.add("reference", page, "%s: the link to %s leads nowhere", page, to)
		case anchor != "" && !anchors(tr.pages[target])[anchor]:
			found.add("reference", page, "%s: %s has no heading #%s", page, target, anchor)
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		var anchor strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case r == ' ' || r == '-':
				anchor.WriteByte('-')
			case r < 0x80 && isWordByte(byte(r)), r >= 0x80:
				anchor.WriteRune(r)
			}
		}
		found[anchor.String()] = true
	}
	return found
}

// declarations are the names each file declares, and all tests.
type declarations struct {
	files map[string]map[string]bool
	tests map[string]bool
}

func namesOf(sources []*source) declarations {
	d := declarations{files: map[string]map[string]bool{}, tests: map[string]bool{}}
	for _, s := range sources {
		names := map[string]bool{}
		for _, declared := range s.declared() {
			collect(declared, names)
		}
		d.files[s.name] = names
		for n := range names {
			d.tests[n] = true
		}
	}
	return d
}

// collect takes the names of a declaration, and those of what is in it.
func collect(declared ast.Decl, names map[string]bool) {
	switch declared := declared.(type) {
	case *ast.FuncDecl:
		names[declared.Name.Name], names[nameOf(declared)] = true, true
	case *ast.GenDecl:
		ast.Inspect(declared, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				names[n.Name.Name] = true
			case *ast.ValueSpec:
				for _, name := range n.Names {
					names[name.Name] = true
				}
			case *ast.Field:
				for _, name := range n.Names {
					names[name.Name] = true
				}
			}
			return true
		})
	}
}

// declares reports whether a file, named by its path or the end of it, declares a name.
func (d declarations) declares(file, name string) bool {
	for known, names := range d.files {
		if (known == file || strings.HasSuffix(known, "/"+file)) && names[name] {
			return true
		}
	}
	return false
}
