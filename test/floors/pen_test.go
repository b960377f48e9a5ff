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

// TestPlanCannotWrite keeps the pen from Plan. Nothing that Plan or a method of its planner
// reaches, by whatever call, holds a transaction, holds the State other than by the facts of a
// World, calls what writes a Table, or assigns to what the State holds.
func TestPlanCannotWrite(t *testing.T) {
	w := newWarden(mind(t))
	for _, wrong := range w.inspect() {
		t.Error(wrong)
	}
	if len(w.reached) < 200 {
		t.Errorf("Plan reaches only %d functions: the test does not see what it does", len(w.reached))
	}
}

// planAlone are questions of Plan that are methods of World although Apply does not ask them: they
// are asked before there is a planner.
var planAlone = map[string]bool{
	"attempts": true, "cutBy": true, "shotDelay": true, "timingOf": true, "waitsForDaemon": true,
}

// TestWorldIsWhatApplyAsksToo keeps the mark of what is frozen for each level of the rules true: a
// method of World is reached from Apply. What Plan alone asks is free to change, and is its
// planner's.
func TestWorldIsWhatApplyAsksToo(t *testing.T) {
	w := newWarden(mind(t))
	for function := range w.bodies {
		if function.Name() == "apply" || function.Name() == "Apply" {
			w.follow(function)
		}
	}
	for function := range w.bodies {
		name := function.Name()
		switch {
		case owner(function) != "World":
		case !w.reached[function] && !planAlone[name]:
			t.Errorf("Apply does not ask World.%s: what only Plan asks is a method of planner", name)
		case w.reached[function] && planAlone[name]:
			t.Errorf("Apply asks World.%s: it is no question of Plan alone", name)
		}
	}
}

// mind is the package cluster as the type checker sees it.
func mind(t *testing.T) checked {
	t.Helper()
	exports := map[string]string{}
	var found listed
	for _, p := range goList(t, "-export", "-deps", "./cluster") {
		exports[p.ImportPath] = p.Export
		if p.ImportPath == module+"cluster" {
			found = p
		}
	}
	return typeCheck(t, found, exports)
}

// warden follows what Plan reaches, and looks for a pen there.
type warden struct {
	checked
	bodies map[*types.Func]*ast.FuncDecl
	// kept are the named types of what the State holds.
	kept    map[*types.Named]bool
	reached map[*types.Func]bool
	// own are the variables that begin with an empty list.
	own   map[types.Object]bool
	wrong []string
}

func newWarden(r checked) *warden {
	w := &warden{
		checked: r, bodies: map[*types.Func]*ast.FuncDecl{}, kept: map[*types.Named]bool{},
		reached: map[*types.Func]bool{}, own: map[types.Object]bool{},
	}
	for _, f := range r.parsed {
		for _, d := range f.Decls {
			if function, ok := d.(*ast.FuncDecl); ok && function.Body != nil {
				w.bodies[r.info.Defs[function.Name].(*types.Func)] = function
			}
		}
	}
	if state := w.named("State"); state != nil {
		w.keep(state)
	}
	return w
}

func (w *warden) named(name string) *types.Named {
	object := w.types.Scope().Lookup(name)
	if object == nil {
		return nil
	}
	named, _ := object.Type().(*types.Named)
	return named
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
		if !ours || w.kept[of] {
			return
		}
		w.kept[of] = true
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

// inspect returns what is wrong, one sentence for each place.
func (w *warden) inspect() []string {
	for function := range w.bodies {
		if of := owner(function); of == "planner" || of == "" && function.Name() == "Plan" {
			w.follow(function)
		}
	}
	for function := range w.reached {
		w.look(function)
	}
	if planner := w.named("planner"); planner == nil {
		w.wrong = append(w.wrong, "there is no planner: the test does not see what it does")
	} else {
		w.fields(planner, map[*types.Named]bool{})
	}
	slices.Sort(w.wrong)
	return w.wrong
}

// follow marks a function and all that it mentions. A call by an interface may reach each method of
// that name.
func (w *warden) follow(function *types.Func) {
	function = function.Origin()
	if w.reached[function] || function.Pkg() != w.types {
		return
	}
	w.reached[function] = true
	if signature := function.Signature(); signature.Recv() != nil && types.IsInterface(signature.Recv().Type()) {
		for other := range w.bodies {
			if other.Name() == function.Name() && owner(other) != "" {
				w.follow(other)
			}
		}
		return
	}
	if body := w.bodies[function]; body != nil {
		ast.Inspect(body, func(n ast.Node) bool {
			if name, ok := n.(*ast.Ident); ok {
				if called, ok := w.info.Uses[name].(*types.Func); ok {
					w.follow(called)
				}
			}
			return true
		})
	}
}

// look searches one function for what writes.
func (w *warden) look(function *types.Func) {
	of := owner(function)
	complain := func(at token.Pos, format string, arguments ...any) {
		w.wrong = append(w.wrong, fmt.Sprintf("%s: %s is reached from Plan and %s", w.files.Position(at), function.Name(),
			fmt.Sprintf(format, arguments...)))
	}
	if of == "Table" {
		complain(function.Pos(), "belongs to Table, which can be written: Records can be read")
	}
	body := w.bodies[function]
	if body == nil {
		return
	}
	// Plan is given the State to make a World of it, and facts keep it for what they read.
	may := of == "facts" || (of == "" && function.Name() == "Plan") || (of == "State" && function.Name() == "world")
	ast.Inspect(body, func(n ast.Node) bool {
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
		case ast.Expr:
			if pen := w.pen(n, may); pen != "" {
				complain(n.Pos(), "holds %s", pen)
			}
		}
		return true
	})
}

// pen says what an expression could write with; "" for nothing.
func (w *warden) pen(e ast.Expr, mayState bool) string {
	is := named(w.info.TypeOf(e))
	switch {
	case is == nil || is.Obj().Pkg() != w.types:
	case is.Obj().Name() == "transaction":
		return "a transaction, which writes"
	case is.Obj().Name() == "State" && !mayState:
		return "the State, which can be written: a World can be read"
	}
	return ""
}

// through says by which type of the State an assignment goes; "" where it changes only what is the
// function's own.
func (w *warden) through(left ast.Expr) string {
	for {
		switch e := left.(type) {
		case *ast.ParenExpr:
			left = e.X
		case *ast.StarExpr:
			if of := named(w.info.TypeOf(e.X)); w.kept[of] {
				return of.Obj().Name()
			}
			left = e.X
		case *ast.SelectorExpr:
			_, pointer := w.info.TypeOf(e.X).Underlying().(*types.Pointer)
			if of := named(w.info.TypeOf(e.X)); pointer && w.kept[of] {
				return of.Obj().Name()
			}
			left = e.X
		case *ast.IndexExpr:
			if of := named(w.info.TypeOf(e)); w.kept[of] && !w.made(e.X) {
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
		if of := named(w.info.TypeOf(field.X)); w.kept[of] {
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

// fields looks for a pen in what a type is made of.
func (w *warden) fields(of *types.Named, seen map[*types.Named]bool) {
	struc, is := of.Underlying().(*types.Struct)
	if seen[of] || !is || of.Obj().Name() == "facts" || of.Obj().Pkg() != w.types {
		return
	}
	seen[of] = true
	for i := range struc.NumFields() {
		field := struc.Field(i)
		inner := named(field.Type())
		if inner == nil {
			continue
		}
		if name := inner.Obj().Name(); inner.Obj().Pkg() == w.types && (name == "transaction" || name == "State") {
			w.wrong = append(w.wrong, fmt.Sprintf("%s: %s.%s is a %s, which writes", w.files.Position(field.Pos()),
				of.Obj().Name(), field.Name(), name))
		}
		w.fields(inner, seen)
	}
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
