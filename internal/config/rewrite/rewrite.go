package rewrite

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Edit replaces one value, and its key where newKey is not empty, in the text of a document. The
// text is edited and not printed anew, because an administrator's order, comments and line
// breaks are worth keeping.
type Edit struct {
	mapping, key, value *yaml.Node
	newKey, newValue    string
}

// EditOf puts a new value, and a new key where it is not empty, in the place of a value.
func EditOf(mapping, value *yaml.Node, newKey, newValue string) Edit {
	return Edit{mapping: mapping, key: keyOf(mapping, value), value: value, newKey: newKey, newValue: newValue}
}

// keyOf is the key of a value.
func keyOf(mapping, value *yaml.Node) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i+1] == value {
			return mapping.Content[i]
		}
	}
	return nil
}

// Apply returns the text with the edits in it. It proves its own work: the edited text is read
// again and must mean what the edited tree means; where it does not (a value that spans lines,
// say), the tree is printed instead.
func Apply(text string, top *yaml.Node, edits []Edit) (string, error) {
	if len(edits) == 0 {
		return text, nil
	}
	edited, direct := editText(text, edits)
	for _, e := range edits {
		if e.newKey != "" {
			e.key.Value = e.newKey
		}
		*e.value = yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.newValue, Style: styleOf(e.newValue)}
	}
	if direct && means(edited, top) {
		return edited, nil
	}
	printed, err := yaml.Dump(top)
	if err != nil {
		return "", fmt.Errorf("cannot be rewritten: %w", err)
	}
	if !means(string(printed), top) {
		return "", errors.New("cannot be rewritten without changing its meaning; write the contents of the files it " +
			"names into it")
	}
	return string(printed), nil
}

func styleOf(value string) yaml.Style {
	if strings.Contains(value, "\n") {
		return yaml.LiteralStyle
	}
	return yaml.DoubleQuotedStyle
}

// means reports whether the text reads as the tree.
func means(text string, tree *yaml.Node) bool {
	var again yaml.Node
	if err := yaml.Load([]byte(text), &again); err != nil || len(again.Content) != 1 {
		return false
	}
	return sameTree(again.Content[0], tree)
}

func sameTree(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || a.ShortTag() != b.ShortTag() || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameTree(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// span is a stretch of the text and what takes its place.
type span struct {
	from, to int
	text     string
}

// editText makes the edits in the text; false when one of the values cannot be found in it as it
// is written.
func editText(text string, edits []Edit) (string, bool) {
	starts := lineStarts(text)
	var spans []span
	for _, e := range edits {
		from, to, found := extent(text, starts, e.value)
		if !found || e.key == nil {
			return "", false
		}
		keyText := ""
		if e.newKey != "" {
			keyFrom, keyTo, keyFound := extent(text, starts, e.key)
			if !keyFound {
				return "", false
			}
			keyText = e.newKey + text[keyTo:from]
			from = keyFrom
		}
		if block, header, ok := literalBlock(e); ok {
			end := lineEnd(text, to)
			spans = append(spans, span{from, to, keyText + header}, span{end, end, block})
			continue
		}
		quoted, err := json.Marshal(e.newValue)
		if err != nil {
			return "", false
		}
		spans = append(spans, span{from, to, keyText + string(quoted)})
	}
	return splice(text, spans)
}

func splice(text string, spans []span) (string, bool) {
	sort.Slice(spans, func(i, j int) bool { return spans[i].from < spans[j].from })
	var out strings.Builder
	position := 0
	for _, s := range spans {
		if s.from < position {
			return "", false
		}
		out.WriteString(text[position:s.from])
		out.WriteString(s.text)
		position = s.to
	}
	out.WriteString(text[position:])
	return out.String(), true
}

// literalBlock writes a value of several lines below its key, as a person would.
func literalBlock(e Edit) (block, header string, ok bool) {
	if !strings.Contains(e.newValue, "\n") || e.mapping.Style&yaml.FlowStyle != 0 || strings.HasPrefix(e.newValue, " ") {
		return "", "", false
	}
	body, header := e.newValue, "|-"
	switch {
	case strings.HasSuffix(body, "\n\n"):
		return "", "", false
	case strings.HasSuffix(body, "\n"):
		body, header = strings.TrimSuffix(body, "\n"), "|"
	}
	indent := "\n" + strings.Repeat(" ", e.key.Column-1+2)
	var out strings.Builder
	for line := range strings.SplitSeq(body, "\n") {
		if line == "" {
			out.WriteString("\n")
			continue
		}
		out.WriteString(indent + line)
	}
	return out.String(), header, true
}

func lineStarts(text string) []int {
	starts := []int{0}
	for i := range len(text) {
		if text[i] == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func lineEnd(text string, from int) int {
	if end := strings.IndexByte(text[from:], '\n'); end >= 0 {
		return from + end
	}
	return len(text)
}

// extent finds a scalar of one line in the text: quotes included.
func extent(text string, starts []int, node *yaml.Node) (from, to int, found bool) {
	if node == nil || node.Line < 1 || node.Line > len(starts) {
		return 0, 0, false
	}
	from = starts[node.Line-1]
	for range node.Column - 1 {
		if from >= len(text) {
			return 0, 0, false
		}
		_, width := utf8.DecodeRuneInString(text[from:])
		from += width
	}
	rest := text[from:lineEnd(text, from)]
	switch {
	case strings.HasPrefix(rest, `"`):
		length := quotedLength(rest)
		return from, from + length, length > 0
	case strings.HasPrefix(rest, "'"):
		length := singleQuotedLength(rest)
		return from, from + length, length > 0
	case node.Value != "" && strings.HasPrefix(rest, node.Value):
		return from, from + len(node.Value), true
	}
	return 0, 0, false
}

func quotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

func singleQuotedLength(text string) int {
	for i := 1; i < len(text); i++ {
		if text[i] != '\'' {
			continue
		}
		if i+1 < len(text) && text[i+1] == '\'' {
			i++
			continue
		}
		return i + 1
	}
	return 0
}

// inEntries visits the declarations of one section.
func inEntries(top *yaml.Node, section string, visit func(name string, mapping *yaml.Node)) {
	if top.Kind != yaml.MappingNode {
		return
	}
	entries := valueOf(top, section)
	if entries == nil || entries.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(entries.Content); i += 2 {
		if mapping := entries.Content[i+1]; mapping.Kind == yaml.MappingNode {
			visit(entries.Content[i].Value, mapping)
		}
	}
}

// valueOf is the value of a key, or nil.
func valueOf(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}
