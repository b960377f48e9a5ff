package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"unicode"
)

// cloth is a file and what mutants change in it.
type cloth struct {
	threads []thread
}

// thread is one function as one mutant has it.
type thread struct {
	mutant string
	function
}

func (c *cloth) add(mutant string, changed []function) {
	for _, f := range changed {
		c.threads = append(c.threads, thread{mutant, f})
	}
}

// weave returns the file's text with the changed functions at its end, and the name of its package.
// No line of the original moves, so that what a test complains of is where it says.
func (c *cloth) weave(original string) (text, name string, err error) {
	all, err := functionsOf(original)
	if err != nil {
		return "", "", err
	}
	var pieces []piece
	tail := ""
	for _, f := range all.list {
		asks, named := "", false
		for number, t := range c.threads {
			if t.key != f.key {
				continue
			}
			if !named {
				pieces = append(pieces, all.names(f)...)
				named = true
			}
			changed := fmt.Sprintf("%sWoven%d_%s", f.decl.Name.Name, number, asName(t.mutant))
			asks += fmt.Sprintf(" if %s == %q { %s };", wovenVariable, t.mutant, all.call(f, changed))
			tail += "\n" + t.renamed(changed) + "\n"
		}
		if named {
			pieces = append(pieces, piece{at: all.at(f.decl.Body.Lbrace) + 1, text: asks})
		}
	}
	return insert(original, pieces) + tail, all.file.Name.Name, nil
}

// asName is a mutant's name as a part of a function's, so that a compiler's words name it.
func asName(mutant string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, mutant)
}

// renamed is the function under another name.
func (t thread) renamed(name string) string {
	rest := t.text[len(t.text)-(t.end-t.name)+len(t.decl.Name.Name):]
	return strings.TrimSuffix("func "+t.receiver, " ") + " " + name + rest
}

// piece is text that takes the place of some, or of none, in a file.
type piece struct {
	at, instead int
	text        string
}

// insert puts the pieces into a text.
func insert(text string, pieces []piece) string {
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	from := 0
	for _, p := range pieces {
		b.WriteString(text[from:p.at] + p.text)
		from = p.at + p.instead
	}
	return b.String() + text[from:]
}

func (f functions) at(p token.Pos) int { return f.set.Position(p).Offset }

// fields are the receiver and the parameters of a function.
func fields(f function) (list []*ast.Field) {
	if f.decl.Recv != nil {
		list = append(list, f.decl.Recv.List...)
	}
	return append(list, f.decl.Type.Params.List...)
}

// names gives a name to the receiver and the parameters that have none.
func (f functions) names(of function) (pieces []piece) {
	for i, field := range fields(of) {
		if len(field.Names) == 0 {
			pieces = append(pieces, piece{at: f.at(field.Type.Pos()), text: fmt.Sprintf("woven%d ", i)})
		}
		for j, name := range field.Names {
			if name.Name == "_" {
				pieces = append(pieces, piece{at: f.at(name.Pos()), instead: 1, text: nameOf(i, j, name)})
			}
		}
	}
	return pieces
}

func nameOf(field, number int, name *ast.Ident) string {
	if name.Name == "_" {
		return fmt.Sprintf("woven%dto%d", field, number)
	}
	return name.Name
}

// call is the statement that has the changed function do what is asked of the original.
func (f functions) call(of function, changed string) string {
	var arguments []string
	for i, field := range fields(of) {
		dots := ""
		if _, many := field.Type.(*ast.Ellipsis); many {
			dots = "..."
		}
		if len(field.Names) == 0 {
			arguments = append(arguments, fmt.Sprintf("woven%d", i)+dots)
		}
		for j, name := range field.Names {
			arguments = append(arguments, nameOf(i, j, name)+dots)
		}
	}
	called := changed
	if of.decl.Recv != nil {
		called = arguments[0] + "." + changed
		arguments = arguments[1:]
	}
	var types []string
	if list := of.decl.Type.TypeParams; list != nil {
		for _, field := range list.List {
			for _, name := range field.Names {
				types = append(types, name.Name)
			}
		}
		called += "[" + strings.Join(types, ", ") + "]"
	}
	called += "(" + strings.Join(arguments, ", ") + ")"
	if of.decl.Type.Results.NumFields() > 0 {
		return "return " + called
	}
	return called + "; return"
}
