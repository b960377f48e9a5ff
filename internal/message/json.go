package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// MarshalJSON writes {"code": …, "args": {name: value, …}}, the arguments in order; words from
// outside are a string. A value is a string, such an object, or a list of either. A sentence that
// came along with the code is written as "text".
func (t Text) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	t.encode(&b)
	return b.Bytes(), nil
}

func (t Text) encode(b *bytes.Buffer) {
	code, args := t.unpack()
	if code == "" {
		quote(b, t.packed)
		return
	}
	sentence, args := told(args)
	b.WriteString(opening)
	quote(b, code)
	for i, arg := range args {
		b.WriteString(map[bool]string{true: `,"args":{`, false: `,`}[i == 0])
		quote(b, arg.Name)
		b.WriteByte(':')
		arg.encode(b)
	}
	if len(args) > 0 {
		b.WriteByte('}')
	}
	if sentence != "" {
		b.WriteString(`,"text":`)
		quote(b, sentence)
	}
	b.WriteByte('}')
}

func (a Arg) encode(b *bytes.Buffer) {
	if !a.List {
		a.Values[0].encode(b)
		return
	}
	b.WriteByte('[')
	for i, value := range a.Values {
		if i > 0 {
			b.WriteByte(',')
		}
		value.encode(b)
	}
	b.WriteByte(']')
}

// opening begins a coded text in JSON.
const opening = `{"code":`

// Show adds the sentence to each coded text in JSON, as "text", for programs that show it and do
// not know the catalogue. What is stored or compared stays as it is: the State holds no sentences.
func Show(data []byte) []byte {
	var b bytes.Buffer
	quoted := false
	for i := 0; i < len(data); i++ {
		switch {
		case data[i] == '\\' && quoted:
			b.WriteByte(data[i])
			i++
		case data[i] == '"':
			quoted = !quoted
		case !quoted && bytes.HasPrefix(data[i:], []byte(opening)):
			if shown, taken := show(data[i:]); taken > 0 {
				b.Write(shown)
				i += taken - 1
				continue
			}
		}
		b.WriteByte(data[i])
	}
	return b.Bytes()
}

// show returns the coded text that the data begins with, with its sentence, and how many bytes it
// took; 0 where something else begins like one.
func show(data []byte) (shown []byte, taken int) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	text, err := decode(decoder, deepest)
	code, args := text.unpack()
	if _, args = told(args); err != nil || code == "" {
		return nil, 0
	}
	var b bytes.Buffer
	pack(code, append(args, Arg{Values: []Text{Words(text.String())}})).encode(&b)
	return b.Bytes(), int(decoder.InputOffset())
}

// quote writes a JSON string as people read it: `<` stays one byte.
func quote(b *bytes.Buffer, text string) {
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string in memory cannot fail
	b.Truncate(b.Len() - 1)
}

// UnmarshalJSON is the inverse of MarshalJSON. It keeps codes that this program does not know.
func (t *Text) UnmarshalJSON(data []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	text, err := decode(decoder, deepest)
	if err != nil {
		return fmt.Errorf("a text is a string, or an object with code and args: %w", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return fmt.Errorf("a text is followed by more")
	}
	*t = text
	return nil
}

func decode(d *json.Decoder, depth int) (Text, error) {
	token, err := d.Token()
	if err != nil {
		return Text{}, err
	}
	return decodeFrom(d, token, depth)
}

func decodeFrom(d *json.Decoder, token json.Token, depth int) (Text, error) {
	switch v := token.(type) {
	case nil:
		return Text{}, nil
	case string:
		return Words(v), nil
	case json.Delim:
		if v == '{' && depth > 0 {
			return decodeObject(d, depth)
		}
	}
	return Text{}, fmt.Errorf("%v is not expected here", token)
}

func decodeObject(d *json.Decoder, depth int) (Text, error) {
	code, sentence, args := "", "", []Arg(nil)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return Text{}, err
		}
		switch key {
		case "code":
			err = d.Decode(&code)
		case "args":
			args, err = decodeArgs(d, depth-1)
		case "text":
			err = d.Decode(&sentence)
		default:
			err = fmt.Errorf("unknown key %v", key)
		}
		if err != nil {
			return Text{}, err
		}
	}
	if code == "" {
		return Text{}, fmt.Errorf("there is no code")
	}
	if sentence != "" {
		args = append(args, Arg{Values: []Text{Words(sentence)}})
	}
	_, err := d.Token()
	return pack(code, args), err
}

func decodeArgs(d *json.Decoder, depth int) (args []Arg, err error) {
	if token, err := d.Token(); err != nil {
		return nil, err
	} else if token != json.Delim('{') {
		return nil, fmt.Errorf("args are an object, not %v", token)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		arg := Arg{Name: name.(string)}
		if arg.Name == "" {
			return nil, fmt.Errorf("an argument has no name")
		}
		if arg.Values, arg.List, err = decodeValues(d, depth); err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	_, err = d.Token()
	return args, err
}

func decodeValues(d *json.Decoder, depth int) (values []Text, list bool, err error) {
	token, err := d.Token()
	if err != nil {
		return nil, false, err
	}
	if token != json.Delim('[') {
		value, err := decodeFrom(d, token, depth)
		return []Text{value}, false, err
	}
	for d.More() {
		value, err := decode(d, depth)
		if err != nil {
			return nil, true, err
		}
		values = append(values, value)
	}
	_, err = d.Token()
	return values, true, err
}
