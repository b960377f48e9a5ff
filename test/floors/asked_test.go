package floors

import (
	"go/ast"
	"go/token"
	"go/types"
	"testing"
)

// planAlone are questions of Plan that are methods of World although Apply does not ask them: they
// are asked before there is a planner.
var planAlone = map[string]bool{
	"Attempts": true, "cutBy": true, "ShotDelay": true, "TimingOf": true, "waitsForDaemon": true,
}

// TestWorldIsWhatApplyAsksToo keeps the mark of what is frozen for each level of the rules true: a
// method of World is reached from Apply. What Plan alone asks is free to change, and is its
// planner's.
func TestWorldIsWhatApplyAsksToo(t *testing.T) {
	rules, apply := roomAt(t, "cluster/rules"), roomAt(t, "cluster/apply")
	reached := map[string]bool{}
	mentioned := map[string][]string{}
	for _, body := range functionsOf(rules) {
		mentioned[body.of.FullName()] = mentions(rules, body.declared)
	}
	for name, list := range listsOf(rules) {
		mentioned[name] = mentions(rules, list)
	}
	var follow func(name string)
	follow = func(name string) {
		if !reached[name] {
			reached[name] = true
			for _, next := range mentioned[name] {
				follow(next)
			}
		}
	}
	for _, body := range functionsOf(apply) {
		for _, name := range mentions(apply, body.declared) {
			follow(name)
		}
	}
	for _, body := range functionsOf(rules) {
		name, asked := body.of.Name(), reached[body.of.FullName()]
		switch {
		case owner(body.of) != "World":
		case !asked && !planAlone[name]:
			t.Errorf("Apply does not ask World.%s: what only Plan asks is a method of planner", name)
		case asked && planAlone[name]:
			t.Errorf("Apply asks World.%s: it is no question of Plan alone", name)
		}
	}
}

// listsOf are the package's variables with what they begin with, by their full names.
func listsOf(r checked) map[string]ast.Node {
	lists := map[string]ast.Node{}
	for _, f := range r.parsed {
		for _, d := range f.Decls {
			declared, ok := d.(*ast.GenDecl)
			if !ok || declared.Tok != token.VAR {
				continue
			}
			for _, spec := range declared.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					lists[r.types.Path()+"."+name.Name] = spec
				}
			}
		}
	}
	return lists
}

// mentions are the full names of the functions and of the package's variables that a body names.
func mentions(r checked, body ast.Node) (names []string) {
	ast.Inspect(body, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok {
			switch used := r.info.Uses[name].(type) {
			case *types.Func:
				names = append(names, used.Origin().FullName())
			case *types.Var:
				if used.Pkg() != nil && used.Parent() == used.Pkg().Scope() {
					names = append(names, used.Pkg().Path()+"."+used.Name())
				}
			}
		}
		return true
	})
	return names
}
