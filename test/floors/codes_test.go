package floors

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/clusterd/clusterd/internal/manual"
	"github.com/clusterd/clusterd/internal/message"
)

// row is one code of the catalogue as its source says it.
type codeRow struct {
	variable, code, sentence string
	args                     int
	at                       token.Position
	used                     bool
}

// codeGroup is a block of codes with its comment.
type codeGroup struct {
	file, about string
	rows        []*codeRow
}

// catalogue reads the rows of internal/message from its sources.
func catalogue(t *testing.T) (groups []codeGroup) {
	t.Helper()
	files := token.NewFileSet()
	paths, err := filepath.Glob("../../internal/message/*.go")
	if err != nil {
		t.Fatal(err)
	}
	args := map[string]int{}
	for _, c := range message.Codes() {
		args[c.Name()] = len(c.Args())
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declared := range file.Decls {
			block, vars := declared.(*ast.GenDecl)
			if !vars || block.Tok != token.VAR {
				continue
			}
			group := codeGroup{file: strings.TrimSuffix(filepath.Base(path), ".go"), about: block.Doc.Text()}
			for _, spec := range block.Specs {
				if row := rowOf(t, files, spec.(*ast.ValueSpec)); row != nil {
					row.args = args[row.code]
					group.rows = append(group.rows, row)
				}
			}
			if len(group.rows) > 0 {
				groups = append(groups, group)
			}
		}
	}
	return groups
}

// rowOf reads `Name = New("code", "sentence")`; nil for another variable.
func rowOf(t *testing.T, files *token.FileSet, spec *ast.ValueSpec) *codeRow {
	t.Helper()
	if len(spec.Values) != 1 {
		return nil
	}
	call, isCall := spec.Values[0].(*ast.CallExpr)
	if !isCall || len(call.Args) != 2 {
		return nil
	}
	if made, named := call.Fun.(*ast.Ident); !named || made.Name != "New" {
		return nil
	}
	return &codeRow{variable: spec.Names[0].Name, code: literal(t, call.Args[0]), sentence: literal(t, call.Args[1]),
		at: files.Position(spec.Pos())}
}

// literal is the value of a string, which may be written in several pieces.
func literal(t *testing.T, e ast.Expr) string {
	t.Helper()
	switch v := e.(type) {
	case *ast.BinaryExpr:
		return literal(t, v.X) + literal(t, v.Y)
	case *ast.BasicLit:
		text, err := strconv.Unquote(v.Value)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	t.Errorf("a code is not written out: %T", e)
	return ""
}

// kebab is a Go name as a code: VMFoundTwice is vm-found-twice, NodeBMCSilent node-bmc-silent.
func kebab(name string) string {
	letters, code := []rune(name), ""
	for i, letter := range letters {
		begins := i > 0 && unicode.IsUpper(letter) &&
			(!unicode.IsUpper(letters[i-1]) || (i+1 < len(letters) && unicode.IsLower(letters[i+1])))
		if begins {
			code += "-"
		}
		code += string(unicode.ToLower(letter))
	}
	return code
}

// TestEachCodeIsNamedAndUsed: a code is called what its variable is, something says it, and with as
// many arguments as its sentence has.
func TestEachCodeIsNamedAndUsed(t *testing.T) {
	rows := map[string]*codeRow{}
	for _, group := range catalogue(t) {
		if group.about == "" {
			t.Errorf("%s: a block of codes does not say what it is about", group.rows[0].at)
		}
		for _, row := range group.rows {
			rows[row.variable] = row
			if kebab(row.variable) != row.code {
				t.Errorf("%s: %s is the code %q, want %q", row.at, row.variable, row.code, kebab(row.variable))
			}
			if strings.TrimSpace(row.sentence) != row.sentence || row.sentence == "" {
				t.Errorf("%s: the sentence of %s is %q", row.at, row.code, row.sentence)
			}
		}
	}
	if len(rows) < 100 {
		t.Fatalf("only %d codes found", len(rows))
	}
	chosen := choices{returned: map[string]int{}, given: map[string][]*ast.CallExpr{}}
	eachSource(t, func(files *token.FileSet, file *ast.File, test bool) {
		for _, declared := range file.Decls {
			if !test {
				chosen.look(t, files, rows, declared)
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			checkUse(t, files, rows, n, test)
			return true
		})
	})
	for name, number := range chosen.returned {
		for _, call := range chosen.given[name] {
			if len(call.Args) != number {
				t.Errorf("what %s chooses is given %d arguments, its sentences need %d", name, len(call.Args), number)
			}
		}
	}
	for _, row := range rows {
		if !row.used {
			t.Errorf("%s: nothing says %s", row.at, row.code)
		}
	}
}

// TestNoSentenceIsSaidByTwoCodes: who matches on a code finds all that says the same. Sentences of
// hardly a word are no sentences: what they say is their arguments.
func TestNoSentenceIsSaidByTwoCodes(t *testing.T) {
	argument, said := regexp.MustCompile(`\{\w+`), map[string]string{}
	for _, c := range message.Codes() {
		sentence := argument.ReplaceAllString(c.Sentence(), "{")
		if len(strings.FieldsFunc(sentence, func(r rune) bool { return !unicode.IsLetter(r) })) < 2 {
			continue
		}
		if other := said[sentence]; other != "" {
			t.Errorf("%s and %s say the same: %q", other, c.Name(), c.Sentence())
		}
		said[sentence] = c.Name()
	}
}

// rowAt is the code that an expression names; nil for another one.
func rowAt(rows map[string]*codeRow, e ast.Expr) *codeRow {
	if chosen, is := e.(*ast.SelectorExpr); is {
		if from, named := chosen.X.(*ast.Ident); named && from.Name == "message" {
			return rows[chosen.Sel.Name]
		}
	}
	return nil
}

// choices are the codes that functions choose among, before they say one of them. With breaks what
// calls it where the number of arguments is not the code's: Apply, at the worst.
type choices struct {
	// returned is the number of arguments of the codes that a function returns, by its name, and
	// given the calls With of what a function of that name returned.
	returned map[string]int
	given    map[string][]*ast.CallExpr
}

// look holds that all codes that a function chooses among have as many arguments as it gives.
func (c choices) look(t *testing.T, files *token.FileSet, rows map[string]*codeRow, declared ast.Decl) {
	t.Helper()
	f, is := declared.(*ast.FuncDecl)
	if !is || f.Body == nil {
		return
	}
	var among []*codeRow
	direct := map[ast.Expr]bool{}
	var given []*ast.CallExpr
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if call, is := n.(*ast.CallExpr); is {
			given = append(given, c.use(call, direct)...)
		} else if e, is := n.(ast.Expr); is && !direct[e] && rowAt(rows, e) != nil {
			among = append(among, rowAt(rows, e))
		}
		return true
	})
	for _, row := range among {
		c.returned[f.Name.Name] = row.args
		if row.args != among[0].args {
			t.Errorf("%s: %s chooses among %s and %s, which have %d and %d arguments", files.Position(f.Pos()),
				f.Name.Name, among[0].code, row.code, among[0].args, row.args)
		}
		for _, call := range given {
			if len(call.Args) != row.args {
				t.Errorf("%s: %s has %d arguments, its sentence needs %d", files.Position(call.Pos()), row.code,
					len(call.Args), row.args)
			}
		}
	}
}

// use returns a call With of a variable, and notes what else a call does with codes.
func (c choices) use(call *ast.CallExpr, direct map[ast.Expr]bool) (given []*ast.CallExpr) {
	with, is := call.Fun.(*ast.SelectorExpr)
	switch {
	case is && with.Sel.Name == "Is":
		for _, code := range call.Args {
			direct[code] = true
		}
	case is && with.Sel.Name == "With":
		direct[with.X] = true
		switch from := with.X.(type) {
		case *ast.Ident:
			return []*ast.CallExpr{call}
		case *ast.CallExpr:
			if name, is := from.Fun.(*ast.Ident); is {
				c.given[name.Name] = append(c.given[name.Name], call)
			}
		}
	}
	return nil
}

// checkUse looks at message.X and message.X.With(…).
func checkUse(t *testing.T, files *token.FileSet, rows map[string]*codeRow, n ast.Node, test bool) {
	t.Helper()
	switch v := n.(type) {
	case *ast.SelectorExpr:
		if row := rowAt(rows, v); row != nil && !test {
			row.used = true
		}
	case *ast.CallExpr:
		with, is := v.Fun.(*ast.SelectorExpr)
		if !is || with.Sel.Name != "With" {
			return
		}
		if row := rowAt(rows, with.X); row != nil && (len(v.Args) != row.args || v.Ellipsis.IsValid()) {
			t.Errorf("%s: %s has %d arguments, its sentence needs %d", files.Position(v.Pos()), row.code, len(v.Args),
				row.args)
		}
	}
}

// eachSource reads every Go file of the module.
func eachSource(t *testing.T, read func(*token.FileSet, *ast.File, bool)) {
	t.Helper()
	files := token.NewFileSet()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && len(entry.Name()) > 2 || entry.Name() == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err == nil {
			read(files, file, strings.HasSuffix(path, "_test.go"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// inTable writes a sentence into a cell of a table.
var inTable = strings.NewReplacer("|", `\|`, "<", "&lt;")

// TestThePageOfCodes holds docs/operators/codes.md; REWRITE=1 writes it anew.
func TestThePageOfCodes(t *testing.T) {
	head, err := os.ReadFile("testdata/codes-head.md")
	if err != nil {
		t.Fatal(err)
	}
	var page strings.Builder
	page.Write(head)
	for _, group := range catalogue(t) {
		about := strings.Join(strings.Fields(group.about), " ")
		page.WriteString("\n## " + strings.TrimSuffix(about, ".") + "\n\n| code | sentence |\n|---|---|\n")
		for _, row := range group.rows {
			page.WriteString("| `" + row.code + "` | " + inTable.Replace(row.sentence) + " |\n")
		}
	}
	page.WriteString("\n## Failures of the interface\n\n" +
		"An answer that is not 2xx is `{\"code\": …, \"message\": …}`; " +
		"where the cluster itself refused, `why` has one of the codes above.\n\n| code | status of HTTP |\n|---|---|\n")
	failures := failureCodes(t)
	for _, code := range slices.Sorted(maps.Keys(failures)) {
		page.WriteString("| `" + code + "` | " + strings.Join(slices.Sorted(maps.Keys(failures[code])), ", ") + " |\n")
	}
	manual.Same(t, "../../docs/operators/codes.md", page.String())
}

// failureCodes are the codes with which the interface refuses, with the statuses of HTTP.
func failureCodes(t *testing.T) map[string]map[string]bool {
	t.Helper()
	codes := map[string]map[string]bool{}
	eachSource(t, func(files *token.FileSet, file *ast.File, test bool) {
		if test || file.Name.Name != "server" && !slices.ContainsFunc(file.Imports, isServer) {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, is := n.(*ast.CallExpr)
			if !is {
				return true
			}
			for i := 0; i+1 < len(call.Args); i++ {
				status, isStatus := call.Args[i].(*ast.SelectorExpr)
				code, isCode := call.Args[i+1].(*ast.BasicLit)
				if isStatus && isCode && code.Kind == token.STRING && strings.HasPrefix(status.Sel.Name, "Status") {
					word := strings.Trim(code.Value, `"`)
					if codes[word] == nil {
						codes[word] = map[string]bool{}
					}
					codes[word][spaced(strings.TrimPrefix(status.Sel.Name, "Status"))] = true
				}
			}
			return true
		})
	})
	return codes
}

// isServer reports whether an import is what refuses with codes.
func isServer(imported *ast.ImportSpec) bool {
	return imported.Path.Value == `"`+module+`internal/server"`
}

// spaced is the name of a status as people write it: ServiceUnavailable is Service Unavailable.
func spaced(name string) string {
	return strings.ReplaceAll(nameParts.ReplaceAllString(name, "$1 $2"), "  ", " ")
}

var nameParts = regexp.MustCompile(`([a-z])([A-Z])`)
