// Package message is what clusterd says: a code with arguments. The log, the State and everything
// that passes between nodes hold codes; a sentence is made where a person reads it.
//
// A Code is a row of the catalogue: its name, which administrators search for and which alerts and
// scripts may match on, and its sentence with named arguments. A Text is one use of it.
//
//	var NodeLost = New("node-lost", "no node hears {node}[: {reason}]")
//	why := message.NodeLost.With("node2", "")
//	why.Code()   // "node-lost"
//	why.String() // "no node hears node2"
//
// In a sentence, {name} stands for an argument and {name#thing} for a number of things ("1 thing",
// "2 things"). What stands in [ ] is left out when an argument in it is empty. An argument is a
// string, a Text, or a list of either, which is joined by commas and "and".
//
// Duties of a caller: arguments in the order in which the sentence first names them; a test holds
// their number. What came from outside (a person's, a hypervisor's, a device's) is said by Words.
package message

import (
	"strconv"
	"strings"
)

// Text is a code with its arguments, or words from outside. It can be copied and compared; the zero
// Text says nothing.
type Text struct {
	// packed is what is said in one string, which is why a Text can be compared.
	packed string
}

// mark begins a Text that is a code with arguments; a byte follows that says how deep texts lie in
// it.
const mark = "\x02"

// deepest bounds that: no text is made that lies deeper, and none is read. What would lie deeper is
// said in words, so that what one member wrote into the log every member can read.
const deepest = 16

// depth is how deep texts lie in a text: 1 where none does, 0 for words.
func (t Text) depth() int {
	if len(t.packed) <= len(mark) || !strings.HasPrefix(t.packed, mark) {
		return 0
	}
	return int(t.packed[len(mark)])
}

// within returns the text as it may lie in another one.
func (t Text) within() Text {
	if t.depth() >= deepest {
		return Words(t.String())
	}
	return t
}

// The kinds of packed values.
const (
	kindWord = 'w'
	kindText = 't'
	kindList = 'l'
)

// Arg is one argument of a Text.
type Arg struct {
	Name string
	// Values holds one value, or all of a list.
	Values []Text
	List   bool
}

// Words says what came from outside, as it came.
func Words(text string) Text { return Text{strings.TrimLeft(text, mark)} }

// Equal reports whether two texts say the same; == does too.
func (t Text) Equal(other Text) bool { return t == other }

// IsZero reports whether nothing is said.
func (t Text) IsZero() bool { return t.packed == "" }

// Len is the number of bytes that the text takes.
func (t Text) Len() int { return len(t.packed) }

// Sentences are the sentences of several texts.
func Sentences(texts []Text) []string {
	said := make([]string, len(texts))
	for i, text := range texts {
		said[i] = text.String()
	}
	return said
}

// OrElse is the text, or the other one where it says nothing.
func (t Text) OrElse(otherwise Text) Text {
	if t.IsZero() {
		return otherwise
	}
	return t
}

// Code returns the name of the text's code; "" for words from outside.
func (t Text) Code() string {
	code, _ := t.unpack()
	return code
}

// Is reports whether the text is a use of one of the codes.
func (t Text) Is(codes ...*Code) bool {
	name := t.Code()
	for _, c := range codes {
		if name != "" && name == c.name {
			return true
		}
	}
	return false
}

// Args returns the text's arguments, in order.
func (t Text) Args() []Arg {
	_, args := t.unpack()
	_, args = told(args)
	return args
}

// told cuts off the sentence that came along with a code, which has no name among the arguments.
func told(args []Arg) (sentence string, rest []Arg) {
	if last := len(args) - 1; last >= 0 && args[last].Name == "" {
		return args[last].String(), args[:last]
	}
	return "", args
}

// Arg returns one argument as a sentence; "" if there is none of that name.
func (t Text) Arg(name string) string {
	for _, arg := range t.Args() {
		if arg.Name == name {
			return arg.String()
		}
	}
	return ""
}

// String is the sentence: the one that came along with the code, if one did, else the catalogue's.
// A code that this program does not know, because a newer one said it, is shown with its arguments.
func (t Text) String() string {
	if t.depth() == 0 {
		return t.packed
	}
	code, args := t.unpack()
	sentence, args := told(args)
	if sentence != "" {
		return sentence
	}
	if row := byName[code]; row != nil {
		return row.render(args)
	}
	said := code
	for _, arg := range args {
		said += " " + arg.Name + "=" + strconv.Quote(arg.String())
	}
	return said
}

// String is the argument as it stands in a sentence.
func (a Arg) String() string {
	said := ""
	for i, value := range a.Values {
		switch {
		case i == 0:
		case i == len(a.Values)-1:
			said += " and "
		default:
			said += ", "
		}
		said += value.String()
	}
	return said
}

// put packs a value behind what is packed already.
func put(packed []byte, kind byte, data string) []byte {
	packed = strconv.AppendInt(append(packed, kind), int64(len(data)), 10)
	return append(append(packed, ':'), data...)
}

// putText packs a text into another one, which begins the packed bytes and becomes deeper by it.
func putText(packed []byte, value Text) []byte {
	value = value.within()
	depth := value.depth()
	if depth == 0 {
		return put(packed, kindWord, value.packed)
	}
	packed[len(mark)] = max(packed[len(mark)], byte(depth+1))
	return put(packed, kindText, value.packed)
}

func putList(packed []byte, values []Text) []byte {
	list := begin("")
	for _, value := range values {
		list = putText(list, value)
	}
	packed[len(mark)] = max(packed[len(mark)], list[len(mark)])
	return put(packed, kindList, string(list[len(mark)+1:]))
}

// begin packs a text's mark, its depth, and its code; a list has none.
func begin(code string) []byte {
	packed := append([]byte(mark), 1)
	if code == "" {
		return packed
	}
	return put(packed, kindWord, code)
}

// pack is the inverse of unpack.
func pack(code string, args []Arg) Text {
	packed := begin(code)
	for _, arg := range args {
		packed = put(packed, kindWord, arg.Name)
		if arg.List {
			packed = putList(packed, arg.Values)
		} else {
			packed = putText(packed, arg.Values[0])
		}
	}
	return Text{string(packed)}
}

// take cuts the next value off; ok is false at the end, and where the text is damaged.
func take(packed string) (kind byte, data, rest string, ok bool) {
	length, rest, found := strings.Cut(packed, ":")
	if !found || len(length) < 2 {
		return 0, "", "", false
	}
	n, err := strconv.Atoi(length[1:])
	if err != nil || n < 0 || n > len(rest) {
		return 0, "", "", false
	}
	return length[0], rest[:n], rest[n:], true
}

func (t Text) unpack() (code string, args []Arg) {
	if t.depth() == 0 {
		return "", nil
	}
	_, code, packed, _ := take(t.packed[len(mark)+1:])
	for {
		_, name, rest, ok := take(packed)
		if !ok {
			return code, args
		}
		kind, data, rest, ok := take(rest)
		if !ok {
			return code, args
		}
		packed = rest
		arg := Arg{Name: name, List: kind == kindList}
		for arg.List {
			_, value, more, ok := take(data)
			if !ok {
				break
			}
			arg.Values, data = append(arg.Values, Text{value}), more
		}
		if !arg.List {
			arg.Values = []Text{{data}}
		}
		args = append(args, arg)
	}
}

// Clean puts all words of the text through a function: its arguments, and the sentence that came
// along. Texts from the network are cleaned before a terminal sees them.
func (t *Text) Clean(clean func(string) string) {
	code, args := t.unpack()
	if code == "" {
		*t = Words(clean(t.packed))
		return
	}
	for i := range args {
		args[i].Name = clean(args[i].Name)
		for j := range args[i].Values {
			args[i].Values[j].Clean(clean)
		}
	}
	*t = pack(clean(code), args)
}
