package floors

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	widestLine      = 120
	widestComment   = 100
	longestFunction = 60
	mostBranches    = 20
	longestFile     = 400
	mostFiles       = 20
)

// source is a parsed file of code.
type source struct {
	name string
	text string
	set  *token.FileSet
	file *ast.File
}

func (s *source) test() bool            { return strings.HasSuffix(s.name, "_test.go") }
func (s *source) line(at token.Pos) int { return s.set.Position(at).Line }
func (s *source) span(n ast.Node) int   { return s.line(n.End()) - s.line(n.Pos()) + 1 }
func (s *source) folder() string        { return path.Dir(s.name) }
func (s *source) declared() []ast.Decl  { return s.file.Decls }
func (tr *tree) parse(t *testing.T) []*source {
	t.Helper()
	var sources []*source
	for name, text := range tr.code {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &source{name, text, set, file})
	}
	slices.SortFunc(sources, func(a, b *source) int { return strings.Compare(a.name, b.name) })
	return sources
}

// measure holds one file to the rules about shape.
func (s *source) measure(found *findings) {
	lines := strings.Split(strings.TrimSuffix(s.text, "\n"), "\n")
	if len(lines) > longestFile {
		found.add("file-size", s.name, "%s: %d lines", s.name, len(lines))
	}
	for i, line := range lines {
		width := utf8.RuneCountInString(line)
		if width > widestLine {
			found.add("line-width", s.name, "%s:%d: %d columns", s.name, i+1, width)
		}
		if width > widestComment && strings.HasPrefix(strings.TrimSpace(line), "//") && !strings.HasPrefix(line, "//go:") {
			found.add("comment-width", s.name, "%s:%d: %d columns", s.name, i+1, width)
		}
	}
	for _, d := range s.declared() {
		if function, ok := d.(*ast.FuncDecl); ok {
			s.measureFunction(found, function)
		}
		if !s.test() {
			s.documented(found, d)
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		s.oneStatement(found, n)
		return true
	})
}

func (s *source) measureFunction(found *findings, function *ast.FuncDecl) {
	where := s.name + ":" + nameOf(function)
	if lines := s.span(function); lines > longestFunction {
		found.add("function-size", where, "%s:%d: %d lines", s.name, s.line(function.Pos()), lines)
	}
	if branches := complexity(function); branches > mostBranches {
		found.add("complexity", where, "%s:%d: branches %d times", s.name, s.line(function.Pos()), branches)
	}
}

// nameOf returns "function" or "Type.method".
func nameOf(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return function.Name.Name
	}
	return receiver(function) + "." + function.Name.Name
}

func receiver(function *ast.FuncDecl) string {
	of := function.Recv.List[0].Type
	for {
		switch e := of.(type) {
		case *ast.StarExpr:
			of = e.X
		case *ast.IndexExpr:
			of = e.X
		case *ast.IndexListExpr:
			of = e.X
		case *ast.Ident:
			return e.Name
		default:
			return "?"
		}
	}
}

// complexity is McCabe's number: one, and one more for each way to go on.
func complexity(function *ast.FuncDecl) int {
	ways := 1
	ast.Inspect(function, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			ways++
		case *ast.CaseClause:
			if n.List != nil {
				ways++
			}
		case *ast.CommClause:
			if n.Comm != nil {
				ways++
			}
		case *ast.BinaryExpr:
			if n.Op == token.LAND || n.Op == token.LOR {
				ways++
			}
		}
		return true
	})
	return ways
}

// oneStatement complains about a second statement on a line.
func (s *source) oneStatement(found *findings, n ast.Node) {
	var list []ast.Stmt
	switch n := n.(type) {
	case *ast.BlockStmt:
		list = n.List
	case *ast.CaseClause:
		list = n.Body
	case *ast.CommClause:
		list = n.Body
	}
	for i := 1; i < len(list); i++ {
		if s.line(list[i].Pos()) == s.line(list[i-1].End()) {
			found.add("one-statement", s.name, "%s:%d", s.name, s.line(list[i].Pos()))
		}
	}
}

// spokenFor are methods of the standard library's interfaces, whose names say what they do.
var spokenFor = map[string]bool{
	"Error": true, "Unwrap": true, "String": true, "GoString": true, "LogValue": true, "MarshalJSON": true,
}

// documented complains about exported names without a comment that begins with them.
func (s *source) documented(found *findings, d ast.Decl) {
	missing := func(name *ast.Ident, doc *ast.CommentGroup, first bool) {
		if name.IsExported() && !begins(doc, name.Name, first) {
			found.add("docstring", s.name, "%s:%d: %s", s.name, s.line(name.Pos()), name.Name)
		}
	}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil || ast.IsExported(receiver(d)) && !spokenFor[d.Name.Name] {
			missing(d.Name, d.Doc, true)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				missing(spec.Name, orElse(spec.Doc, d.Doc), true)
			case *ast.ValueSpec:
				// A group of values may have one comment for all, and a value its own behind it.
				missing(spec.Names[0], orElse(spec.Doc, orElse(spec.Comment, d.Doc)), false)
			}
		}
	}
}

func orElse(doc, other *ast.CommentGroup) *ast.CommentGroup {
	if doc != nil {
		return doc
	}
	return other
}

// begins reports whether a comment is there and, where it must, begins with the name.
func begins(doc *ast.CommentGroup, name string, first bool) bool {
	text := strings.TrimSpace(doc.Text())
	if text == "" || !first {
		return text != ""
	}
	for _, article := range []string{"A ", "An ", "The "} {
		text = strings.TrimPrefix(text, article)
	}
	after, named := strings.CutPrefix(text, name)
	return named && (after == "" || !isWordByte(after[0]))
}

func isWordByte(b byte) bool {
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// measurePackages counts the files of each folder and its package comments.
func measurePackages(found *findings, sources []*source) {
	files, docs := map[string]int{}, map[string]int{}
	for _, s := range sources {
		if s.test() {
			continue
		}
		files[s.folder()]++
		if s.file.Doc != nil && strings.TrimSpace(s.file.Doc.Text()) != "" {
			docs[s.folder()]++
		}
	}
	for folder, n := range files {
		for range n - mostFiles {
			found.add("package-size", folder, "%s: %d files of code", folder, n)
		}
		if docs[folder] != 1 {
			found.add("package-doc", folder, "%s: %d package comments", folder, docs[folder])
		}
	}
}
