package main

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/clusterd/clusterd/test/mutants/breaks"
)

const (
	// wovenVariable is what the functions of a woven package ask, wovenName the variable of the
	// environment that it is read from.
	wovenVariable = "wovenMutant"
	wovenName     = "CLUSTERD_WOVEN_MUTANT"
)

// woven are the mutants whose edits lie within functions, all of them in one set of sources: each
// function that a mutant changes stands there also as that mutant has it, and is called instead
// when the environment names the mutant. So a net is built once for all of them; to build it for
// each takes most of the time of a whole run.
//
// What a woven mutant does not show is tried once more by itself: a test that starts its own
// program anew may not hand the environment on.
type woven struct {
	folder, list string
	names        map[string]bool

	mutex sync.Mutex
	built map[string]error // by the net's package
}

// weave writes the sources of all mutants that can be woven into a folder.
func weave(root, folder string, mutants []breaks.Mutant) (*woven, error) {
	w := &woven{folder: folder, list: filepath.Join(folder, "woven.json"), names: map[string]bool{},
		built: map[string]error{}}
	cloths := map[string]*cloth{}
	for _, m := range mutants {
		files, err := mutated(m, root)
		if err != nil {
			return nil, err
		}
		threads, fit, err := threadsOf(root, files)
		if err != nil {
			return nil, fmt.Errorf("mutant %s: %w", m.Name, err)
		}
		if !fit {
			continue
		}
		w.names[m.Name] = true
		for path, changed := range threads {
			if cloths[path] == nil {
				cloths[path] = &cloth{}
			}
			cloths[path].add(m.Name, changed)
		}
	}
	return w, w.write(root, cloths)
}

// threadsOf returns the functions that a mutant changes, by file, and whether it changes nothing
// else.
func threadsOf(root string, files map[string]string) (threads map[string][]function, fit bool, err error) {
	threads = map[string][]function{}
	for path, text := range files {
		original, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return nil, false, err
		}
		before, err := functionsOf(string(original))
		if err != nil {
			return nil, false, err
		}
		after, err := functionsOf(text)
		if err != nil {
			return nil, false, err
		}
		changed, fit := before.changedIn(after)
		if !fit {
			return nil, false, nil
		}
		threads[path] = changed
	}
	return threads, true, nil
}

// write writes the woven files and the list that tells the compiler to take them.
func (w *woven) write(root string, cloths map[string]*cloth) error {
	list := struct{ Replace map[string]string }{map[string]string{}}
	put := func(path, text string) error {
		place := filepath.Join(w.folder, "woven_"+strings.ReplaceAll(path, "/", "_"))
		list.Replace[filepath.Join(root, path)] = place
		return os.WriteFile(place, []byte(text), 0o600)
	}
	for path, c := range cloths {
		original, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return err
		}
		text, name, err := c.weave(string(original))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		asks := fmt.Sprintf("package %s\n\nimport \"os\"\n\nvar %s = os.Getenv(%q)\n", name, wovenVariable, wovenName)
		if err := put(path, text); err != nil {
			return err
		}
		if err := put(filepath.Join(filepath.Dir(path), "woven_mutant.go"), asks); err != nil {
			return err
		}
	}
	data, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return os.WriteFile(w.list, data, 0o600)
}

// binary returns the tests of a net with all woven mutants in them. They are built once.
func (w *woven) binary(ctx context.Context, root string, n breaks.Net) (string, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	binary := filepath.Join(w.folder, strings.ReplaceAll(n.Pkg, "/", "_")+".test")
	err, tried := w.built[n.Pkg]
	if !tried {
		err = build(ctx, root, n, w.list, binary)
		w.built[n.Pkg] = err
	}
	return binary, err
}

// check builds the module's packages with all woven mutants in them, and those that each other one
// changes.
func (w *woven) check(ctx context.Context, root string, mutants []breaks.Mutant) error {
	if err := w.builds(ctx, root, w.list, "./..."); err != nil {
		return err
	}
	for _, m := range mutants {
		if w.names[m.Name] {
			continue
		}
		list, err := overlay(m, root, w.folder)
		if err != nil {
			return err
		}
		for _, e := range m.Edits {
			if err := w.builds(ctx, root, list, "./"+filepath.Dir(e.File)); err != nil {
				return fmt.Errorf("mutant %s: %w", m.Name, err)
			}
		}
	}
	return nil
}

func (w *woven) builds(ctx context.Context, root, list, packages string) error {
	output, err := command(ctx, buildDeadline, root, nil, nil, "go", "build", "-o", os.DevNull, "-tags", buildTags,
		"-gcflags=-e", "-overlay", list, packages)
	if err != nil {
		return fmt.Errorf("it does not build (%w):\n%s", err, output)
	}
	return nil
}

// function is one of a file, by its receiver's type and its name.
type function struct {
	key, signature, text string
	decl                 *ast.FuncDecl
	// at is where the file's text has the declaration's name.
	name, end int
	receiver  string
}

// functions are those of a file, and its text without them.
type functions struct {
	file *ast.File
	set  *token.FileSet
	list []function
	rest string
}

func functionsOf(text string) (functions, error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "", text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return functions{}, err
	}
	at := func(p token.Pos) int { return set.Position(p).Offset }
	found, from := functions{file: file, set: set}, 0
	for _, d := range file.Decls {
		decl, is := d.(*ast.FuncDecl)
		if !is || decl.Body == nil {
			continue
		}
		begin := decl.Pos()
		if decl.Doc != nil {
			begin = decl.Doc.Pos()
		}
		found.rest += text[from:at(begin)]
		from = at(decl.End())
		f := function{key: decl.Name.Name, decl: decl, name: at(decl.Name.Pos()), end: at(decl.End()),
			signature: text[at(decl.Pos()):at(decl.Body.Lbrace)], text: text[at(decl.Pos()):at(decl.End())]}
		if decl.Recv != nil {
			f.receiver = text[at(decl.Recv.Pos()):at(decl.Recv.End())]
			f.key = text[at(decl.Recv.List[0].Type.Pos()):at(decl.Recv.List[0].Type.End())] + "." + f.key
		}
		found.list = append(found.list, f)
	}
	found.rest += text[from:]
	return found, nil
}

// changedIn returns the functions whose bodies alone differ in another text of the file, as they
// are there, and whether nothing else differs.
func (f functions) changedIn(other functions) ([]function, bool) {
	if f.rest != other.rest || len(f.list) != len(other.list) {
		return nil, false
	}
	var changed []function
	for i, was := range f.list {
		is := other.list[i]
		switch {
		case was.signature != is.signature, was.text != is.text && slices.Contains([]string{"init", "main", "_"}, was.key):
			return nil, false
		case was.text != is.text:
			changed = append(changed, is)
		}
	}
	return changed, true
}
