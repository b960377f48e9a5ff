package floors

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"testing"
)

// readers are the rooms that know the State and must not write it: Plan, and the rules that it asks
// like Apply.
var readers = []string{"cluster/rules", "cluster/plan"}

// TestPlanCannotWrite keeps the pen from Plan. That it cannot import Apply is in the table of
// floors; here neither it nor the rules keep the State other than by the facts of a World, call
// what writes it, or assign to what it holds.
func TestPlanCannotWrite(t *testing.T) {
	values := roomAt(t, "cluster")
	for _, reader := range readers {
		w := newWarden(roomAt(t, reader), values)
		if len(w.bodies) < 50 {
			t.Errorf("%s has only %d functions: the test does not see what it does", reader, len(w.bodies))
		}
		for _, wrong := range w.inspect() {
			t.Error(wrong)
		}
	}
}

// roomAt is one package as the type checker sees it.
func roomAt(t *testing.T, path string) checked {
	t.Helper()
	exports := map[string]string{}
	var found listed
	for _, p := range goList(t, "-export", "-deps", "./"+path) {
		exports[p.ImportPath] = p.Export
		if p.ImportPath == module+path {
			found = p
		}
	}
	return typeCheck(t, found, exports)
}

// function is one with its body.
type function struct {
	of       *types.Func
	declared *ast.FuncDecl
}

func functionsOf(r checked) []function {
	var list []function
	for _, f := range r.parsed {
		for _, d := range f.Decls {
			if declared, ok := d.(*ast.FuncDecl); ok && declared.Body != nil {
				list = append(list, function{r.info.Defs[declared.Name].(*types.Func), declared})
			}
		}
	}
	return list
}

// warden looks for a pen in a package that may only read.
type warden struct {
	checked
	// reads: the package may only read, and keeps no State.
	reads  bool
	bodies []function
	// kept are the named types of what the State holds.
	kept map[*types.Named]bool
	// writers are the functions of the State's package that change it, by their full names.
	writers map[string]bool
	// own are the variables that begin with an empty list.
	own   map[types.Object]bool
	wrong []string
}

func newWarden(reader, values checked) *warden {
	w := &warden{checked: reader, reads: true, bodies: functionsOf(reader), kept: map[*types.Named]bool{},
		writers: writersOf(values)}
	if state := w.named("State"); state != nil {
		w.keep(state)
	}
	return w
}

// writersOf are the functions that change what a State holds: by themselves, or by another of them.
func writersOf(values checked) map[string]bool {
	w := &warden{checked: values, bodies: functionsOf(values), kept: map[*types.Named]bool{}, writers: map[string]bool{}}
	w.keep(w.named("State"))
	for found := -1; found != len(w.writers); {
		found = len(w.writers)
		for _, f := range w.bodies {
			if w.wrong, w.own = nil, map[types.Object]bool{}; !w.writers[f.of.FullName()] && takesPointer(f.of) {
				if w.look(f); len(w.wrong) > 0 {
					w.writers[f.of.FullName()] = true
				}
			}
		}
	}
	return w.writers
}

// takesPointer reports whether a function is given something that it could change for its caller.
func takesPointer(f *types.Func) bool {
	signature := f.Signature()
	parameters := []*types.Var{}
	if signature.Recv() != nil {
		parameters = append(parameters, signature.Recv())
	}
	for i := range signature.Params().Len() {
		parameters = append(parameters, signature.Params().At(i))
	}
	return slices.ContainsFunc(parameters, func(v *types.Var) bool {
		_, is := v.Type().Underlying().(*types.Pointer)
		return is
	})
}

// named is a type of the reader or of the package of the State, by its name.
func (w *warden) named(name string) *types.Named {
	for _, p := range append([]*types.Package{w.types}, w.types.Imports()...) {
		if object := p.Scope().Lookup(name); object != nil && (p == w.types || p.Path() == module+"cluster") {
			named, _ := object.Type().(*types.Named)
			return named
		}
	}
	return nil
}

// keep collects the types that a type is made of.
func (w *warden) keep(of types.Type) {
	switch of := of.(type) {
	case *types.Named:
		struc, is := of.Underlying().(*types.Struct)
		if !is {
			w.keep(of.Underlying())
			return
		}
		ours := of.Obj().Pkg() == w.types || of.Obj().Pkg() != nil && strings.HasPrefix(of.Obj().Pkg().Path(), module)
		if !ours || w.kept[of.Origin()] {
			return
		}
		w.kept[of.Origin()] = true
		for i := range struc.NumFields() {
			w.keep(struc.Field(i).Type())
		}
	case *types.Pointer:
		w.keep(of.Elem())
	case *types.Slice:
		w.keep(of.Elem())
	case *types.Map:
		w.keep(of.Elem())
	}
}

// keeps reports whether the State holds values of the type; nil is none.
func (w *warden) keeps(of *types.Named) bool { return of != nil && w.kept[of.Origin()] }

// inspect returns what is wrong, one sentence for each place.
func (w *warden) inspect() []string {
	w.wrong = nil
	for _, f := range w.bodies {
		w.own = map[types.Object]bool{}
		w.look(f)
	}
	for _, name := range w.types.Scope().Names() {
		if of, is := w.types.Scope().Lookup(name).(*types.TypeName); is {
			w.fields(of)
		}
	}
	slices.Sort(w.wrong)
	return w.wrong
}

// look searches one function for what writes.
func (w *warden) look(f function) {
	complain := func(at token.Pos, format string, arguments ...any) {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: %s %s", w.files.Position(at), f.of.Name(),
			fmt.Sprintf(format, arguments...)))
	}
	ast.Inspect(f.declared.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			w.begins(n)
			for _, left := range n.Lhs {
				if through := w.through(left); through != "" && n.Tok != token.DEFINE {
					complain(left.Pos(), "assigns to what the State holds: %s", through)
				}
			}
		case *ast.IncDecStmt:
			if through := w.through(n.X); through != "" {
				complain(n.Pos(), "changes what the State holds: %s", through)
			}
		case *ast.CallExpr:
			if what := w.changes(n); what != "" {
				complain(n.Pos(), "%s what the State holds", what)
			}
		case *ast.Ident:
			if called, is := w.info.Uses[n].(*types.Func); is && w.writers[called.Origin().FullName()] {
				complain(n.Pos(), "asks %s, which writes", called.Name())
			}
		}
		if e, is := n.(ast.Expr); is && w.reads && !givenState(f.of) && w.isState(w.info.TypeOf(e)) {
			complain(n.Pos(), "holds the State, which can be written: a World can be read")
		}
		return true
	})
}

// givenState reports whether a function may hold the State: it is given it, to make a World of
// it, or is one of the facts that keep it for what they read.
func givenState(f *types.Func) bool {
	parameters := f.Signature().Params()
	for i := range parameters.Len() {
		if is := named(parameters.At(i).Type()); is != nil && is.Obj().Name() == "State" {
			return true
		}
	}
	return owner(f) == "facts"
}

func (w *warden) isState(of types.Type) bool {
	is := named(of)
	return is != nil && is.Obj().Name() == "State" && w.keeps(is)
}

// fields looks for a State in what a type is made of; the facts of a World keep it for what they
// read.
func (w *warden) fields(of *types.TypeName) {
	struc, is := of.Type().Underlying().(*types.Struct)
	if !is || of.Name() == "facts" {
		return
	}
	for i := range struc.NumFields() {
		field := struc.Field(i)
		if inner := named(field.Type()); inner != nil && inner.Obj().Name() == "State" && w.keeps(inner) {
			w.wrong = append(w.wrong, fmt.Sprintf("%s: %s.%s is a State, which can be written: a World can be read",
				w.files.Position(field.Pos()), of.Name(), field.Name()))
		}
	}
}

// through says by which type of the State an assignment goes; "" where it changes only what is the
// function's own.
func (w *warden) through(left ast.Expr) string {
	for {
		switch e := left.(type) {
		case *ast.ParenExpr:
			left = e.X
		case *ast.StarExpr:
			if of := named(w.info.TypeOf(e.X)); w.keeps(of) {
				return of.Obj().Name()
			}
			left = e.X
		case *ast.SelectorExpr:
			_, pointer := w.info.TypeOf(e.X).Underlying().(*types.Pointer)
			if of := named(w.info.TypeOf(e.X)); pointer && w.keeps(of) {
				return of.Obj().Name()
			}
			left = e.X
		case *ast.IndexExpr:
			if of := named(w.info.TypeOf(e)); w.keeps(of) && !isWord(of) && !w.made(e.X) {
				return "a list of " + of.Obj().Name()
			}
			if of := w.fieldOf(e.X); of != "" {
				return of
			}
			left = e.X
		default:
			return ""
		}
	}
}

// isWord reports whether a type is what is said, which is a value like a string: what lists of it
// the State has are found as its fields.
func isWord(of *types.Named) bool {
	return of.Obj().Pkg() != nil && of.Obj().Pkg().Path() == module+"internal/message"
}

// made reports whether a list is the function's own: a variable that begins with an empty one.
func (w *warden) made(list ast.Expr) bool {
	name, ok := list.(*ast.Ident)
	return ok && w.own[w.info.ObjectOf(name)]
}

// begins notes the variables of a function that are never anything but a list of its own.
func (w *warden) begins(n *ast.AssignStmt) {
	if len(n.Rhs) != len(n.Lhs) {
		return
	}
	for i, right := range n.Rhs {
		name, isName := n.Lhs[i].(*ast.Ident)
		_, fresh := right.(*ast.CompositeLit)
		if call, ok := right.(*ast.CallExpr); ok {
			builtin, _ := call.Fun.(*ast.Ident)
			fresh = builtin != nil && builtin.Name == "make"
		}
		if isName {
			object := w.info.ObjectOf(name)
			before, seen := w.own[object]
			w.own[object] = fresh && (before || !seen)
		}
	}
}

// fieldOf names the type of the State of which an expression is a field; "" where it is none.
func (w *warden) fieldOf(e ast.Expr) string {
	if field, ok := e.(*ast.SelectorExpr); ok {
		if of := named(w.info.TypeOf(field.X)); w.keeps(of) {
			return of.Obj().Name()
		}
	}
	return ""
}

// changes says what a call does to its first argument in place, if that is a field of what the
// State holds.
func (w *warden) changes(call *ast.CallExpr) string {
	if len(call.Args) == 0 || w.fieldOf(call.Args[0]) == "" {
		return ""
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		if f.Name == "delete" || f.Name == "clear" || f.Name == "copy" {
			return f.Name + "s"
		}
	case *ast.SelectorExpr:
		of := w.info.Uses[f.Sel]
		if of == nil || of.Pkg() == nil {
			return ""
		}
		switch from := of.Pkg().Path(); {
		case from == "sort" && f.Sel.Name != "SearchStrings", from == "slices" &&
			(strings.HasPrefix(f.Sel.Name, "Sort") || f.Sel.Name == "Reverse" || f.Sel.Name == "Delete"):
			return "changes by " + from + "." + f.Sel.Name
		}
	}
	return ""
}

// named is the named type of a value or of what it points at; nil where there is none.
func named(of types.Type) *types.Named {
	if pointer, ok := of.(*types.Pointer); ok {
		of = pointer.Elem()
	}
	is, _ := of.(*types.Named)
	return is
}

// owner is the name of the type that a method belongs to; "" of a function.
func owner(function *types.Func) string {
	if recv := function.Signature().Recv(); recv != nil {
		if of := named(recv.Type()); of != nil {
			return of.Obj().Name()
		}
	}
	return ""
}
