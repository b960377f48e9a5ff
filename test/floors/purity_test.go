package floors

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pure are the rooms that take values and return values.
var pure = []string{
	"domain", "resources", "fence", "fence/proof", "cluster", "cluster/internal/words", "cluster/rules", "cluster/apply",
	"cluster/plan", "cluster/rehearse", "cluster/mind", "internal/report",
}

// forbiddenImports of a pure room, each with its reason.
var forbiddenImports = map[string]string{
	"bufio":        "a pure room reads and writes nothing",
	"context":      "a context carries a clock and cancels from elsewhere",
	"crypto/rand":  "chance would make two nodes differ; ids come from the log",
	"io":           "a pure room reads and writes nothing",
	"log":          "what happened is an Event, which every node has alike",
	"log/slog":     "what happened is an Event, which every node has alike",
	"math/rand":    "chance would make two nodes differ",
	"math/rand/v2": "chance would make two nodes differ",
	"net":          "sockets belong to the hands",
	"net/http":     "sockets belong to the hands",
	"os":           "files, environment and exits belong to the shell",
	"os/exec":      "processes belong to the hands",
	"runtime":      "nothing may depend on the machine it runs on",
	"sync":         "one goroutine owns each mutable thing, so there is nothing to lock",
	"sync/atomic":  "one goroutine owns each mutable thing, so there is nothing to lock",
	"syscall":      "the system belongs to the hands",
	"unsafe":       "same input, same output",
}

// licences are exceptions to forbiddenImports.
var licences = map[string]string{
	"fence context":           "the Driver interface names context.Context in its signatures, and nothing else does",
	"fence/proof context":     "the Device interface names it, and the attempt asks it only whether the time is up",
	"fence/proof sync/atomic": "whether off is still wanted is asked on the goroutine that is about to send",
}

// clocks are the functions of package time that read or set one.
var clocks = map[string]bool{"Now": true, "Since": true, "Until": true, "Sleep": true, "After": true,
	"AfterFunc": true, "Tick": true, "NewTimer": true, "NewTicker": true}

// unordered are ranges over maps that cannot be seen in what comes out.
var unordered = map[string]string{
	"cluster/internal/words.SortedKeys": "collects keys that are sorted before they are returned",
	"cluster/mind.recheck":              "forgets; each by itself",
	"cluster/mind.idle":                 "asks whether any is so",
	"cluster/mind.rest":                 "deletes stopwatches; each is judged by itself",
	"cluster.loopsMove":                 "asks whether any is so",
	"cluster.opensMove":                 "asks whether any is so",
	"cluster/mind.confirm":              "collects names that are sorted before they are used",
	"fence.storageNames":                "collects names that are sorted before they are returned",
}

func TestPureRoomsArePure(t *testing.T) {
	exports := map[string]string{}
	var patterns []string
	for _, name := range pure {
		patterns = append(patterns, "./"+name)
	}
	packages := map[string]listed{}
	for _, p := range goList(t, append([]string{"-export", "-deps"}, patterns...)...) {
		exports[p.ImportPath] = p.Export
		packages[p.ImportPath] = p
	}
	used := map[string]bool{}
	for _, name := range pure {
		p, found := packages[module+name]
		if !found || len(p.GoFiles) == 0 {
			t.Errorf("room %s was not found", name)
			continue
		}
		for _, wrong := range impurities(t, name, p, exports, used) {
			t.Error(wrong)
		}
	}
	for where := range unordered {
		if !used[where] {
			t.Logf("the licence for %s is not used any more", where)
		}
	}
}

// checked is one package as the type checker sees it.
type checked struct {
	files  *token.FileSet
	parsed []*ast.File
	types  *types.Package
	info   *types.Info
}

func typeCheck(t *testing.T, p listed, exports map[string]string) checked {
	t.Helper()
	r := checked{files: token.NewFileSet(), info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{},
		Defs: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
	}}
	for _, file := range p.GoFiles {
		f, err := parser.ParseFile(r.files, filepath.Join(p.Dir, file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.parsed = append(r.parsed, f)
	}
	lookup := func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }
	checker := types.Config{Importer: importer.ForCompiler(r.files, "gc", lookup)}
	packaged, err := checker.Check(p.ImportPath, r.files, r.parsed, r.info)
	if err != nil {
		t.Fatalf("type-checking %s: %v", p.ImportPath, err)
	}
	r.types = packaged
	return r
}

// impurities type-checks one room and looks at every node of it.
func impurities(t *testing.T, name string, p listed, exports map[string]string, used map[string]bool) []string {
	t.Helper()
	seen := typeCheck(t, p, exports)
	r := &reviewer{room: name, files: seen.files, info: seen.info, used: used}
	for _, f := range seen.parsed {
		r.imports(f)
		for _, d := range f.Decls {
			r.function = ""
			if function, ok := d.(*ast.FuncDecl); ok {
				r.function = function.Name.Name
			}
			ast.Inspect(d, r.visit)
		}
	}
	return r.wrong
}

type reviewer struct {
	room, function string
	files          *token.FileSet
	info           *types.Info
	used           map[string]bool
	wrong          []string
}

func (r *reviewer) complain(at token.Pos, format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf("%s: %s", r.files.Position(at), fmt.Sprintf(format, args...)))
}

func (r *reviewer) imports(f *ast.File) {
	for _, spec := range f.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		why, forbidden := forbiddenImports[path]
		if forbidden && licences[r.room+" "+path] == "" {
			r.complain(spec.Pos(), "%s imports %s: %s", r.room, path, why)
		}
		if strings.Contains(strings.Split(path, "/")[0], ".") && !strings.HasPrefix(path, module) {
			r.complain(spec.Pos(), "%s imports %s: nobody watches over the purity of a foreign module", r.room, path)
		}
	}
}

func (r *reviewer) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		r.complain(n.Pos(), "a goroutine in a pure room: the same input would not give the same output")
	case *ast.SelectStmt, *ast.ChanType, *ast.SendStmt:
		r.complain(n.Pos(), "a channel in a pure room: it takes values and returns values")
	case *ast.SelectorExpr:
		r.selects(n)
	case *ast.RangeStmt:
		if _, isMap := r.info.Types[n.X].Type.Underlying().(*types.Map); isMap {
			where := r.room + "." + r.function
			r.used[where] = true
			if unordered[where] == "" {
				r.complain(n.Pos(), "a range over a map in %s: its order would leak; walk sorted keys, or give it a licence "+
					"with a reason", where)
			}
		}
	}
	return true
}

// selects reviews what is taken from another package.
func (r *reviewer) selects(n *ast.SelectorExpr) {
	object := r.info.Uses[n.Sel]
	if object == nil || object.Pkg() == nil {
		return
	}
	if object.Pkg().Path() == module+"resources" && strings.HasPrefix(object.Name(), "Kind") && isConstant(object) &&
		strings.HasPrefix(r.room, "cluster") {
		r.complain(n.Pos(), "%s asks whether a service is of a kind: ask for the trait that matters here "+
			"(resources.Traits), and a new kind is one row", r.room)
	}
	_, isFunction := object.(*types.Func)
	topLevel := isFunction && object.Parent() == object.Pkg().Scope()
	if topLevel && object.Pkg().Path() == "time" && clocks[object.Name()] {
		r.complain(n.Pos(), "time.%s in a pure room: now is an argument", object.Name())
	}
	if topLevel && object.Pkg().Path() == "fmt" &&
		(strings.HasPrefix(object.Name(), "Print") || strings.HasPrefix(object.Name(), "Scan")) {
		r.complain(n.Pos(), "fmt.%s in a pure room: it reads and writes nothing", object.Name())
	}
}

func isConstant(object types.Object) bool {
	_, constant := object.(*types.Const)
	return constant
}

// TestTheReviewerSees proves that the reviewer is not blind.
func TestTheReviewerSees(t *testing.T) {
	folder := t.TempDir()
	source := "package dirty\nimport \"time\"\nfunc f(m map[string]int) { go f(m); for range m { _ = time.Now() }; _ " +
		"= make(chan int) }\n"
	if err := os.WriteFile(filepath.Join(folder, "dirty.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for _, p := range goList(t, "-export", "-deps", "time") {
		exports[p.ImportPath] = p.Export
	}
	wrong := impurities(t, "dirty", listed{ImportPath: "dirty", Dir: folder, GoFiles: []string{"dirty.go"}}, exports,
		map[string]bool{})
	for _, what := range []string{"goroutine", "range over a map", "time.Now", "channel"} {
		if !strings.Contains(strings.Join(wrong, "\n"), what) {
			t.Errorf("the reviewer did not see: %s\n%s", what, wrong)
		}
	}
}
