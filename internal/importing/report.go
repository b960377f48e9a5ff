package importing

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/fence"
)

// Kind is what became of a part of the source.
type Kind int

// The kinds of findings.
const (
	// Translated: it is in the document and means the same.
	Translated Kind = iota
	// Unneeded: it has no counterpart and needs none; nothing is lost.
	Unneeded
	// Changes: it is in the document, or is the rule here, and means something
	// else than it did.
	Changes
	// Cannot: it is not in the document, and something is lost by that.
	Cannot
)

func (k Kind) String() string {
	return [...]string{"translated", "not needed", "changes", "cannot"}[k]
}

// Finding is one sentence about one place of the source.
type Finding struct {
	Line, Column int
	Kind         Kind
	// Subject is the part of the source as it is written, without secrets.
	Subject string
	Message string
	// Element and Attributes are what it speaks of. A finding without attributes is
	// about the element as a whole, besides what is said of each.
	Element    *Element
	Attributes []string
}

// Report is what is said about one source.
type Report struct {
	Findings []Finding
	// Next is what a person has to do before the document is applied.
	Next []string
	// Faults are those of the document that the translation could not avoid.
	Faults []string
}

// Say adds a finding about some attributes of an element, which are told by it.
// Attributes that are not there are left out.
func (r *Report) Say(kind Kind, e *Element, attributes []string, format string, arguments ...any) {
	var spoken []string
	for _, name := range attributes {
		a := e.attribute(name)
		if a == nil || slices.Contains(spoken, name) {
			continue
		}
		if !a.quiet {
			spoken = append(spoken, name)
		}
		a.told = true
	}
	e.told = true
	r.Findings = append(r.Findings, about(Finding{Kind: kind, Message: fmt.Sprintf(format, arguments...), Element: e,
		Attributes: spoken}))
}

// about gives a finding its place and its subject, by what it speaks of.
func about(f Finding) Finding {
	f.Line, f.Column = f.Element.Line, f.Element.Column
	subject := []string{f.Element.label()}
	for _, name := range f.Attributes {
		a := f.Element.attribute(name)
		if len(subject) == 1 && a.Line > f.Line {
			f.Line, f.Column = a.Line, a.Column
		}
		if !slices.Contains(naming, name) || subject[0] == f.Element.Name {
			subject = append(subject, f.Element.shown(a))
		}
	}
	f.Subject = strings.Join(subject, " ")
	return f
}

// Tell is Say for those of the attributes that are there and were not told
// about before; without any it says nothing.
func (r *Report) Tell(kind Kind, e *Element, attributes []string, format string, arguments ...any) {
	var left []string
	for _, name := range attributes {
		if a := e.attribute(name); a != nil && !a.told {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		r.Say(kind, e, left, format, arguments...)
	}
}

// TellAll is Tell for all attributes of an element. One that has none but its name
// is spoken of as a whole.
func (r *Report) TellAll(kind Kind, e *Element, format string, arguments ...any) {
	if !slices.ContainsFunc(e.Attributes, func(a *Attribute) bool { return !a.quiet }) {
		r.Say(kind, e, nil, format, arguments...)
		return
	}
	r.Tell(kind, e, e.Names(), format, arguments...)
}

// SayAll adds a finding about an element with all its attributes.
func (r *Report) SayAll(kind Kind, e *Element, format string, arguments ...any) {
	r.Say(kind, e, e.Names(), format, arguments...)
}

// SayWhole adds a finding about an element with all its attributes, and one
// for each element below that says that it goes with it.
func (r *Report) SayWhole(kind Kind, e *Element, format string, arguments ...any) {
	r.SayAll(kind, e, format, arguments...)
	e.walk(func(below *Element) {
		if below != e {
			r.SayAll(kind, below, "goes with the %s above", e.label())
		}
	})
}

// SayAbove is SayAll that speaks of everything below too, in one sentence: for
// what is large and of one kind.
func (r *Report) SayAbove(kind Kind, e *Element, format string, arguments ...any) {
	r.SayAll(kind, e, format, arguments...)
	e.walk(func(below *Element) {
		below.told = true
		for _, a := range below.Attributes {
			a.told = true
		}
	})
}

// Quiet marks attributes as told that say nothing by themselves: the names of what
// nothing refers to, for one.
func (r *Report) Quiet(e *Element, attributes ...string) {
	for _, name := range attributes {
		if a := e.attribute(name); a != nil {
			a.told, a.quiet = true, true
		}
	}
}

// Told reports whether anything was said of an attribute.
func (e *Element) Told(name string) bool {
	a := e.attribute(name)
	return a != nil && a.told
}

// Container marks an element that says nothing by itself.
func (r *Report) Container(e *Element) { e.told = true }

// Advise adds a thing to do, once.
func (r *Report) Advise(format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	if !slices.Contains(r.Next, text) {
		r.Next = append(r.Next, text)
	}
}

// Rest adds a finding for everything at or below an element that nobody told
// about. After it each attribute has one verdict, and an element as a whole has at
// most one.
func (r *Report) Rest(top *Element) {
	top.walk(func(e *Element) {
		var rest []string
		for _, a := range e.Attributes {
			if !a.told {
				rest = append(rest, a.Name)
			}
		}
		switch {
		case !e.told:
			r.SayWhole(Cannot, e, "this element is not known here; nothing is made of it")
		case len(rest) > 0:
			r.Say(Cannot, e, rest, "not known here; nothing is made of it")
		}
	})
	r.settle()
}

// part is what has one verdict: an attribute of an element, or with "" the element
// as a whole.
type part struct {
	element   *Element
	attribute string
}

// settle puts together what was said of one part at several times: the worst of it
// is the verdict, and no sentence is lost.
func (r *Report) settle() {
	var settled []Finding
	held := map[part]int{}
	for _, f := range r.Findings {
		parts := []part{{f.Element, ""}}
		if len(f.Attributes) > 0 {
			parts = nil
		}
		for _, name := range f.Attributes {
			parts = append(parts, part{f.Element, name})
		}
		at := len(settled)
		for _, p := range parts {
			if before, known := held[p]; known {
				at = min(at, before)
			}
		}
		if at == len(settled) {
			settled = append(settled, f)
		} else {
			settled[at] = settled[at].with(f)
		}
		for _, p := range parts {
			if before, known := held[p]; known && before != at {
				settled[before] = settled[before].without(p.attribute)
			}
			held[p] = at
		}
	}
	r.Findings = slices.DeleteFunc(settled, func(f Finding) bool { return f.Message == "" })
}

// with is a finding and another one about some of the same.
func (f Finding) with(other Finding) Finding {
	if f.Kind != other.Kind {
		f.Kind = max(f.Kind, other.Kind)
		if f.Kind == Unneeded {
			f.Kind = Translated // The other half of it is in the document.
		}
	}
	if !slices.Contains(strings.Split(f.Message, "; "), other.Message) {
		f.Message += "; " + other.Message
	}
	f.Attributes = slices.Clone(f.Attributes)
	for _, name := range other.Attributes {
		if !slices.Contains(f.Attributes, name) {
			f.Attributes = append(f.Attributes, name)
		}
	}
	return about(f)
}

// without is a finding that speaks of an attribute no longer; of nothing at all
// when that was the last.
func (f Finding) without(attribute string) Finding {
	f.Attributes = slices.DeleteFunc(slices.Clone(f.Attributes), func(name string) bool { return name == attribute })
	if len(f.Attributes) == 0 {
		return Finding{}
	}
	return about(f)
}

// Names returns the names of the element's attributes.
func (e *Element) Names() []string {
	names := make([]string, 0, len(e.Attributes))
	for _, a := range e.Attributes {
		names = append(names, a.Name)
	}
	return names
}

// naming are the attributes by which people tell elements apart.
var naming = []string{"name", "ref", "id"}

func (e *Element) label() string {
	for _, name := range naming {
		if value := e.Get(name); value != "" {
			return e.Name + " " + brief(value)
		}
	}
	return e.Name
}

// shown is an attribute as it is written, without secrets: its own, or that of
// the parameter that the element holds (<nvpair name="passwd" value="..."/>).
func (e *Element) shown(a *Attribute) string {
	if !e.times(a) && Secret(a.Name, a.Value) || a.Name == "value" && Secret(e.Get("name"), a.Value) {
		return a.Name + `="********"`
	}
	return a.Name + `="` + brief(a.Value) + `"`
}

// times reports whether an attribute is about the token that goes round in totem's ring: a number,
// of milliseconds or of messages, and no secret, whatever its name sounds like.
func (e *Element) times(a *Attribute) bool {
	_, err := strconv.Atoi(a.Value)
	return e.Name == "totem" && strings.HasPrefix(a.Name, "token") && err == nil
}

// Secret reports whether a parameter may be shown to nobody, by the rule that holds for documents
// too.
func Secret(name, value string) bool { return fence.IsSecret(name, value) }

// brief bounds what of a value is repeated.
func brief(value string) string {
	const most = 60
	value = strings.Join(strings.Fields(value), " ")
	value = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, value)
	if letters := []rune(value); len(letters) > most {
		return string(letters[:most]) + "..."
	}
	return value
}

// Count returns how many findings are of a kind.
func (r *Report) Count(kind Kind) int {
	count := 0
	for _, f := range r.Findings {
		if f.Kind == kind {
			count++
		}
	}
	return count
}

// Write prints the report, in the source's order, within 80 columns where words
// allow it.
func (r *Report) Write(out io.Writer, file string) error {
	findings := slices.Clone(r.Findings)
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", file)
	for _, f := range findings {
		head := fmt.Sprintf("%5d  %-10s  ", f.Line, f.Kind)
		wrap(&text, head, len(head), f.Subject+": "+f.Message)
	}
	fmt.Fprintf(&text, "%d translated, %d not needed, %d change in meaning, %d cannot be translated\n",
		r.Count(Translated), r.Count(Unneeded), r.Count(Changes), r.Count(Cannot))
	if len(r.Faults) > 0 {
		text.WriteString("Faults of the document, to be mended in it:\n")
	}
	for _, line := range r.Faults {
		wrap(&text, "  ", 2, line)
	}
	if len(r.Next) > 0 {
		text.WriteString("To do:\n")
	}
	for i, line := range r.Next {
		head := fmt.Sprintf("%3d. ", i+1)
		wrap(&text, head, len(head), line)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// wrap writes a text in lines of up to 80 letters, the first after head.
func wrap(out *strings.Builder, head string, indent int, text string) {
	const width = 80
	out.WriteString(head)
	column := indent
	for i, word := range strings.Fields(text) {
		length := len([]rune(word))
		switch {
		case i == 0:
		case column+1+length > width:
			out.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		default:
			out.WriteString(" ")
			column++
		}
		out.WriteString(word)
		column += length
	}
	out.WriteString("\n")
}
