package strict

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/nearest"
)

// Reader walks the YAML nodes of one file and collects faults. It never stops at a fault: what
// follows is read too.
type Reader struct {
	File   string
	Faults Faults
}

// Fields names what to do with each key that a mapping may have.
type Fields map[string]func(value *yaml.Node)

// Load parses the text into its top node. The second result is false when there is nothing to go
// on with.
func (r *Reader) Load(text []byte, largest int) (*yaml.Node, bool) {
	if len(text) > largest {
		r.Faults.Add(Fault{File: r.File, Message: fmt.Sprintf("is larger than %d bytes; is this the right file?", largest)})
		return nil, false
	}
	if !utf8.Valid(text) {
		r.Faults.Add(Fault{File: r.File, Message: "is not UTF-8 text"})
		return nil, false
	}
	if OnlyComments(string(text)) {
		r.Faults.Add(Fault{File: r.File, Message: "is empty"})
		return nil, false
	}
	if marks(text) > mostMarks {
		message := fmt.Sprintf("has more than %d entries; is this the right file?", mostMarks)
		r.Faults.Add(Fault{File: r.File, Message: message})
		return nil, false
	}
	if isMarkup(string(text)) {
		r.Faults.Add(Fault{File: r.File, Line: 1, Column: 1,
			Message: "is XML and no cluster document: `clusterd import FILE` makes one of a cluster.conf or a CIB"})
		return nil, false
	}
	var document yaml.Node
	if err := yaml.Load(text, &document); err != nil {
		r.syntax(err, string(text))
		return nil, false
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 {
		r.Faults.Add(Fault{File: r.File, Message: "is empty"})
		return nil, false
	}
	if at := tooDeep(&document, deepest); at != nil {
		r.Fault(at, "is nested more than %d levels deep here", deepest)
		return nil, false
	}
	return document.Content[0], true
}

// tabbed reports whether a tab indents a line of a text.
func tabbed(text string, line int) bool {
	lines := strings.SplitN(text, "\n", line+1)
	if line < 1 || len(lines) < line {
		return false
	}
	indent := lines[line-1][:len(lines[line-1])-len(strings.TrimLeft(lines[line-1], " \t"))]
	return strings.Contains(indent, "\t")
}

// isMarkup reports whether a text begins as XML does.
func isMarkup(text string) bool {
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	return strings.HasPrefix(text, "<")
}

// syntax turns the library's error into a fault with a position.
func (r *Reader) syntax(err error, text string) {
	var load *yaml.LoadError
	if errors.As(err, &load) && load.Mark.Line > 0 {
		if tabbed(text, load.Mark.Line) {
			r.Faults.Add(Fault{File: r.File, Line: load.Mark.Line, Column: 1, Message: "begins with a tab; YAML wants spaces"})
			return
		}
		message := "is not valid YAML: " + load.Message
		if load.ContextMsg != "" {
			message += " (" + load.ContextMsg + ")"
		}
		r.Faults.Add(Fault{File: r.File, Line: load.Mark.Line, Column: load.Mark.Column, Message: message})
		return
	}
	r.Faults.Add(Fault{File: r.File, Message: "is not one YAML document: " + strings.TrimPrefix(err.Error(),
		"yaml: construct errors: <unknown position>: yaml: ")})
}

// Fault records something wrong at a node.
func (r *Reader) Fault(at *yaml.Node, format string, arguments ...any) {
	r.Faults.Add(Fault{File: r.File, Line: at.Line, Column: at.Column, Message: fmt.Sprintf(format, arguments...)})
}

// Entries calls visit for each pair of a mapping whose key is text and new.
func (r *Reader) Entries(node *yaml.Node, what string, visit func(key, value *yaml.Node)) {
	if node.Kind != yaml.MappingNode {
		r.Fault(node, "%s must be a mapping (key: value), not %s", what, KindOf(node))
		return
	}
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(node.Content) && !r.Faults.hopeless(); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			r.Fault(key, "a key of %s must be text, not %s", what, KindOf(key))
			continue
		}
		if earlier, again := first[key.Value]; again {
			r.Fault(key, "%q appears twice in %s; the first is on line %d", key.Value, what, earlier.Line)
			continue
		}
		first[key.Value] = key
		visit(key, value)
	}
}

// Mapping reads a mapping whose keys are known beforehand.
func (r *Reader) Mapping(node *yaml.Node, what string, known Fields) {
	r.Entries(node, what, func(key, value *yaml.Node) {
		read, found := known[key.Value]
		if !found && r.Faults.full() {
			r.Fault(key, "") // it is counted, and nobody reads a hint
			return
		}
		if !found {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			r.Fault(key, "%s has no key %q.%s", what, key.Value, nearest.Hint(key.Value, names))
			return
		}
		read(value)
	})
}

// Sequence visits the items of a list.
func (r *Reader) Sequence(node *yaml.Node, what string, visit func(item *yaml.Node)) {
	if node.Kind != yaml.SequenceNode {
		r.Fault(node, "%s must be a list, not %s", what, KindOf(node))
		return
	}
	for _, item := range node.Content {
		if r.Faults.hopeless() {
			return
		}
		visit(item)
	}
}

// Word returns the text of a scalar that is text.
func (r *Reader) Word(node *yaml.Node, what string) (string, bool) {
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		r.Fault(node, "%s must be text, not %s", what, KindOf(node))
		return "", false
	}
	if node.ShortTag() != "!!str" {
		r.Fault(node, "%s must be text, not %s; write \"%s\" in quotes if it is meant so", what, KindOf(node), node.Value)
		return "", false
	}
	if node.Value == "" {
		r.Fault(node, "%s must not be empty", what)
		return "", false
	}
	return node.Value, true
}

// Literal returns any scalar as it is written. Passwords and options of drivers are often all
// digits, and YAML's idea of a number says nothing about them.
func (r *Reader) Literal(node *yaml.Node, what string) (string, bool) {
	if node.Kind != yaml.ScalarNode || node.ShortTag() == "!!null" {
		r.Fault(node, "%s must be text, not %s", what, KindOf(node))
		return "", false
	}
	return node.Value, true
}

// Text makes a field of a string.
func (r *Reader) Text(into *string, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		if value, ok := r.Word(node, what); ok {
			*into = value
		}
	}
}

// Choice makes a field of a string that is one of the given words.
func (r *Reader) Choice(into *string, what string, words ...string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, ok := r.Word(node, what)
		if !ok {
			return
		}
		for _, word := range words {
			if value == word {
				*into = value
				return
			}
		}
		r.Fault(node, "%s is %q; it must be one of %s.%s", what, value, List(words), nearest.Hint(value, words))
	}
}

// Boolean makes a field of true or false. YAML 1.1's yes, no, on and off are words here.
func (r *Reader) Boolean(into *bool, what string) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, err := strconv.ParseBool(node.Value)
		if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!bool" || err != nil {
			r.Fault(node, "%s must be true or false, not %s", what, KindOf(node))
			return
		}
		*into = value
	}
}

// Number makes a field of a whole number within bounds.
func (r *Reader) Number(into *int, what string, least, most int) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, err := strconv.Atoi(node.Value)
		if node.Kind != yaml.ScalarNode || node.ShortTag() != "!!int" || err != nil {
			r.Fault(node, "%s must be a whole number, not %s", what, KindOf(node))
			return
		}
		if value < least || value > most {
			r.Fault(node, "%s is %d; it must be between %d and %d", what, value, least, most)
			return
		}
		*into = value
	}
}

// Duration makes a field of a time span such as 90s or 5m.
func (r *Reader) Duration(into *time.Duration, what string, least, most time.Duration) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, err := time.ParseDuration(node.Value)
		if node.Kind != yaml.ScalarNode || err != nil {
			r.Fault(node, "%s must be a time with its unit, such as 90s or 5m, not %s", what, KindOf(node))
			return
		}
		if value < least || value > most {
			r.Fault(node, "%s is %s; it must be between %s and %s", what, node.Value, least, most)
			return
		}
		*into = value
	}
}

// sizes are the units of an amount of memory, the longest word first.
var sizes = []struct {
	unit  string
	bytes float64
}{{"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// Size makes a field of an amount of memory such as 512MiB or 1.5GiB, in bytes. 0 needs no unit.
func (r *Reader) Size(into *uint64, what string, least, most uint64) func(*yaml.Node) {
	return func(node *yaml.Node) {
		amount, ok := float64(0), node.Kind == yaml.ScalarNode && node.Value == "0"
		for _, size := range sizes {
			if number, found := strings.CutSuffix(node.Value, size.unit); found && node.Kind == yaml.ScalarNode {
				value, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
				amount, ok = value*size.bytes, err == nil && value >= 0 && value < 1e9
			}
		}
		switch {
		case !ok:
			r.Fault(node, "%s must be an amount of memory with its unit, such as 512MiB or 16GiB, not %s", what, KindOf(node))
		case uint64(amount) < least || uint64(amount) > most:
			r.Fault(node, "%s is %s; it must be between %d MiB and %d MiB", what, Brief(node.Value), least>>20, most>>20)
		default:
			*into = uint64(amount)
		}
	}
}

// Ratio makes a field of a factor such as 1.5, in percent. The bounds are in percent too.
func (r *Reader) Ratio(into *int, what string, least, most int) func(*yaml.Node) {
	return func(node *yaml.Node) {
		value, err := strconv.ParseFloat(node.Value, 64)
		if node.Kind != yaml.ScalarNode || (node.ShortTag() != "!!int" && node.ShortTag() != "!!float") || err != nil {
			r.Fault(node, "%s must be a factor such as 1.5, not %s", what, KindOf(node))
			return
		}
		if !(value*100 >= float64(least) && value*100 <= float64(most)) {
			r.Fault(node, "%s is %s; it must be between %g and %g", what, node.Value, float64(least)/100, float64(most)/100)
			return
		}
		*into = int(value*100 + 0.5)
	}
}

// KindOf tells what stands at a node, for "must be X, not Y".
func KindOf(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias (*" + node.Value + "); write the value out"
	}
	switch node.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + node.Value
	case "!!bool":
		return "the truth value " + node.Value
	}
	return fmt.Sprintf("the text %q", Brief(node.Value))
}

// Brief bounds what of a wrong value is repeated in a message.
func Brief(value string) string {
	const most = 40
	if letters := []rune(value); len(letters) > most {
		return string(letters[:most]) + "..."
	}
	return value
}

// List writes words for a sentence.
func List(words []string) string { return strings.Join(words, ", ") }

// OnlyComments reports whether a text has nothing but comments, as the file has when it is
// installed.
func OnlyComments(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return false
		}
	}
	return true
}
