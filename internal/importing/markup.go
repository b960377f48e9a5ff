package importing

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of a source. The largest cluster.conf or CIB that anybody runs is far
// below them.
const (
	LargestSource = 8 << 20
	mostElements  = 200_000
	deepest       = 64
)

// Fault is why a source could not be read.
type Fault struct {
	File         string
	Line, Column int
	Message      string
}

// Error is the fault as "file:line:column: message", the form that editors jump
// to.
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// Element is one element of a source, with its place.
type Element struct {
	Name         string
	Line, Column int
	Attributes   []*Attribute
	Children     []*Element
	Parent       *Element
	// Text is what stands between the tags, without the text of children.
	Text string

	told bool
}

// Attribute is one attribute, with its place.
type Attribute struct {
	Name, Value  string
	Line, Column int

	told bool
	// quiet: it only names its element, so no finding speaks of it.
	quiet bool
}

// Get returns an attribute's value, or "".
func (e *Element) Get(name string) string {
	if a := e.attribute(name); a != nil {
		return a.Value
	}
	return ""
}

// Has reports whether an attribute is there.
func (e *Element) Has(name string) bool { return e.attribute(name) != nil }

func (e *Element) attribute(name string) *Attribute {
	for _, a := range e.Attributes {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// All returns the children of one name.
func (e *Element) All(name string) []*Element {
	var found []*Element
	for _, child := range e.Children {
		if child.Name == name {
			found = append(found, child)
		}
	}
	return found
}

// Child returns the first child of one name, or nil.
func (e *Element) Child(name string) *Element {
	for _, child := range e.Children {
		if child.Name == name {
			return child
		}
	}
	return nil
}

// Find returns all elements of one name at or below e, in the source's order.
func (e *Element) Find(name string) []*Element {
	var found []*Element
	e.walk(func(element *Element) {
		if element.Name == name {
			found = append(found, element)
		}
	})
	return found
}

func (e *Element) walk(visit func(*Element)) {
	visit(e)
	for _, child := range e.Children {
		child.walk(visit)
	}
}

// markup reads one source.
type markup struct {
	file     string
	text     []byte
	decoder  *xml.Decoder
	lines    lines
	top      *Element
	open     *Element
	depth    int
	elements int
}

// ReadMarkup reads an XML source into its top element. Document types and
// entities other than XML's own five are refused, so nothing outside the text
// is ever read. The error is a Fault.
func ReadMarkup(file string, text []byte) (*Element, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // Windows editors put the mark of UTF-8 in front.
	m := &markup{file: file, text: text, lines: lines{text: text}}
	switch {
	case len(text) > LargestSource:
		return nil, m.fault(-1, "is larger than %d bytes; is this the right file?", LargestSource)
	case !utf8.Valid(text):
		return nil, m.fault(-1, "is not UTF-8 text")
	case len(bytes.TrimSpace(text)) == 0:
		return nil, m.fault(-1, "is empty")
	}
	m.decoder = xml.NewDecoder(bytes.NewReader(text))
	m.decoder.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		// The text is UTF-8, so any of ASCII's relatives that it claims to be is harmless.
		return input, nil
	}
	if err := m.read(); err != nil {
		return nil, err
	}
	if m.top == nil {
		return nil, m.fault(-1, "holds no XML element")
	}
	return m.top, nil
}

func (m *markup) fault(offset int, format string, arguments ...any) error {
	f := Fault{File: m.file, Message: fmt.Sprintf(format, arguments...)}
	if offset >= 0 {
		f.Line, f.Column = m.lines.place(offset)
	}
	return f
}

func (m *markup) read() error {
	for {
		from := int(m.decoder.InputOffset())
		token, err := m.decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return m.syntax(err, from)
		}
		if err := m.take(token, from, int(m.decoder.InputOffset())); err != nil {
			return err
		}
	}
}

// syntax places the decoder's complaint. It knows lines only; where the token
// begins on the same line, that is nearer.
func (m *markup) syntax(err error, from int) error {
	message := err.Error()
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		message = syntax.Msg
	}
	place := int(m.decoder.InputOffset())
	if place > len(m.text) || place < from {
		place = from
	}
	return m.fault(place, "is not valid XML: %s", message)
}

func (m *markup) take(token xml.Token, from, to int) error {
	switch t := token.(type) {
	case xml.Directive:
		return m.fault(from, "has a document type or entity declaration, which is not read; remove it")
	case xml.StartElement:
		return m.start(t, from, to)
	case xml.EndElement:
		m.open = m.open.Parent
		m.depth--
	case xml.CharData:
		switch {
		case m.open != nil:
			m.open.Text += string(t)
		case len(bytes.TrimSpace(t)) > 0:
			return m.fault(from, "has text outside of its top element")
		}
	}
	return nil
}

func (m *markup) start(t xml.StartElement, from, to int) error {
	m.elements++
	m.depth++
	switch {
	case m.elements > mostElements:
		return m.fault(from, "has more than %d elements", mostElements)
	case m.depth > deepest:
		return m.fault(from, "nests its elements deeper than %d", deepest)
	case m.open == nil && m.top != nil:
		return m.fault(from, "has a second top element <%s>", t.Name.Local)
	}
	e := &Element{Name: t.Name.Local, Parent: m.open}
	e.Line, e.Column = m.lines.place(from)
	places := attributePlaces(m.text[from:to])
	for i, given := range t.Attr {
		name := given.Name.Local
		if given.Name.Space != "" {
			name = given.Name.Space + ":" + name
		}
		if e.Has(name) {
			return m.fault(from, "has the attribute %s twice in <%s>", name, e.Name)
		}
		a := &Attribute{Name: name, Value: given.Value, Line: e.Line, Column: e.Column}
		if i < len(places) {
			a.Line, a.Column = m.lines.place(from + places[i])
		}
		e.Attributes = append(e.Attributes, a)
	}
	if m.open == nil {
		m.top = e
	} else {
		m.open.Children = append(m.open.Children, e)
	}
	m.open = e
	return nil
}

// attributePlaces finds where each attribute of a tag begins. The tag is known
// to be well formed.
func attributePlaces(tag []byte) []int {
	var places []int
	const white = " \t\r\n"
	at := bytes.IndexAny(tag, white)
	for at >= 0 && at < len(tag) {
		for at < len(tag) && strings.IndexByte(white, tag[at]) >= 0 {
			at++
		}
		equals := bytes.IndexByte(tag[at:], '=')
		if equals < 0 {
			return places
		}
		places = append(places, at)
		at += equals + 1
		for at < len(tag) && tag[at] != '"' && tag[at] != '\'' {
			at++
		}
		if at >= len(tag) {
			return places
		}
		end := bytes.IndexByte(tag[at+1:], tag[at])
		if end < 0 {
			return places
		}
		at += end + 2
	}
	return places
}

// lines finds lines and columns. Places are asked for in ascending order nearly
// always, so it goes on from the last one: a file that is one long line is read
// as fast as any other.
type lines struct {
	text         []byte
	offset       int
	line, column int
}

// place returns line and column (in letters) of an offset, counted from 1.
func (l *lines) place(offset int) (line, column int) {
	offset = min(offset, len(l.text))
	if offset < l.offset {
		*l = lines{text: l.text}
	}
	for ; l.offset < offset; l.offset++ {
		switch {
		case l.text[l.offset] == '\n':
			l.line, l.column = l.line+1, 0
		case utf8.RuneStart(l.text[l.offset]):
			l.column++
		}
	}
	return l.line + 1, l.column + 1
}
