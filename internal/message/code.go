package message

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Code is a row of the catalogue.
type Code struct {
	name     string
	sentence string
	parts    []part
	args     []string
	// bare is the code without arguments, packed the names of the arguments as they stand in a Text.
	bare   Text
	packed []string
}

// part is a piece of a sentence: words, an argument, or a group that may be left out.
type part struct {
	words string
	arg   string
	// thing is what an argument counts.
	thing string
	group []part
}

var (
	byName = map[string]*Code{}
	rows   []*Code
)

// New adds a row to the catalogue. It panics where the row is no row: two of one name, a bracket
// that is not closed. All rows are made when the program starts.
func New(name, sentence string) *Code {
	if byName[name] != nil {
		panic("two codes are called " + name)
	}
	c := &Code{name: name, sentence: sentence}
	rest := ""
	if c.parts, rest = c.parse(sentence, false); rest != "" {
		panic("code " + name + ": brackets do not match in " + strconv.Quote(sentence))
	}
	c.bare = pack(name, nil)
	for _, arg := range c.args {
		c.packed = append(c.packed, string(put(nil, kindWord, arg)))
	}
	byName[name] = c
	rows = append(rows, c)
	return c
}

// Fits reports whether a code fits a pattern as of path.Match: fence-*.
func Fits(pattern, code string) bool {
	fits, err := path.Match(pattern, code)
	return err == nil && fits && code != ""
}

// Known reports whether any code of the catalogue fits a pattern.
func Known(pattern string) bool {
	return slices.ContainsFunc(rows, func(c *Code) bool { return Fits(pattern, c.name) })
}

// Names are the names of all codes, in the order of the catalogue.
func Names() []string {
	names := make([]string, len(rows))
	for i, c := range rows {
		names[i] = c.name
	}
	return names
}

// Codes returns the catalogue, in the order of its files.
func Codes() []*Code { return append([]*Code(nil), rows...) }

// Name is the code as it stands in JSON, alerts and documents.
func (c *Code) Name() string { return c.name }

// Sentence is the sentence with its arguments' names.
func (c *Code) Sentence() string { return c.sentence }

// Args are the names of its arguments, in the order in which With takes them.
func (c *Code) Args() []string { return append([]string(nil), c.args...) }

// usual is what most texts take, in bytes.
const usual = 128

// With is the code with its arguments: strings, numbers, durations, Texts, or lists of strings or
// Texts. A number of arguments that is not the row's is a mistake in the program, and panics.
//
// Plan says much in each step that nobody reads, so this is kept cheap: what does not change of a
// row is packed once.
func (c *Code) With(values ...any) Text {
	if len(values) != len(c.args) {
		panic(fmt.Sprintf("code %s has %d arguments, got %d", c.name, len(c.args), len(values)))
	}
	if len(values) == 0 {
		return c.bare
	}
	packed := append(make([]byte, 0, usual), c.bare.packed...)
	for i, value := range values {
		packed = append(packed, c.packed[i]...)
		switch v := value.(type) {
		case []string:
			texts := make([]Text, len(v))
			for i, one := range v {
				texts[i] = Words(one)
			}
			packed = putList(packed, texts)
		case []Text:
			packed = putList(packed, v)
		default:
			packed = putText(packed, textOf(value))
		}
	}
	return Text{string(packed)}
}

func textOf(value any) Text {
	switch v := value.(type) {
	case nil:
		return Text{}
	case Text:
		return v
	case string:
		return Words(v)
	case time.Duration:
		return Words(lasting(v))
	case error:
		return Words(v.Error())
	case fmt.Stringer:
		return Words(v.String())
	}
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return Words(v.String())
	}
	return Words(fmt.Sprint(value))
}

// lasting is a duration without seconds that are none: "5m" and not "5m0s".
func lasting(d time.Duration) string {
	if d != 0 && d%time.Minute == 0 {
		return strings.TrimSuffix(d.String(), "0s")
	}
	return d.String()
}

// parse reads a sentence, to the end of the group it is in. It returns what it could not read.
func (c *Code) parse(text string, grouped bool) (parts []part, rest string) {
	for text != "" {
		at := strings.IndexAny(text, "{[]")
		if at < 0 {
			at = len(text)
		}
		if at > 0 {
			parts = append(parts, part{words: text[:at]})
		}
		if text = text[at:]; text == "" {
			break
		}
		switch text[0] {
		case '{':
			inner, after, closed := strings.Cut(text[1:], "}")
			if !closed {
				return nil, text
			}
			name, thing, _ := strings.Cut(inner, "#")
			c.addArg(name)
			parts, text = append(parts, part{arg: name, thing: thing}), after
		case '[':
			group, after := c.parse(text[1:], true)
			if !strings.HasPrefix(after, "]") {
				return nil, text
			}
			parts, text = append(parts, part{group: group}), after[1:]
		default:
			return parts, text
		}
	}
	return parts, ""
}

func (c *Code) addArg(name string) {
	for _, known := range c.args {
		if known == name {
			return
		}
	}
	c.args = append(c.args, name)
}

func (c *Code) render(args []Arg) string {
	values := make(map[string]string, len(args))
	for _, arg := range args {
		values[arg.Name] = arg.String()
	}
	said, _ := render(c.parts, values)
	return said
}

// render also reports whether no argument is empty.
func render(parts []part, values map[string]string) (said string, whole bool) {
	var b strings.Builder
	whole = true
	for _, p := range parts {
		switch {
		case p.group != nil:
			if group, whole := render(p.group, values); whole {
				b.WriteString(group)
			}
		case p.arg == "":
			b.WriteString(p.words)
		default:
			value := values[p.arg]
			whole = whole && value != ""
			b.WriteString(value)
			if p.thing != "" {
				b.WriteString(" " + p.thing)
				if value != "1" {
					b.WriteString("s")
				}
			}
		}
	}
	return b.String(), whole
}
