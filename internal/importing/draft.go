package importing

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// Mapping is a part of the document whose keys keep the order in which they
// were set.
type Mapping struct {
	node *yaml.Node
}

// NewMapping returns an empty mapping.
func NewMapping() *Mapping { return &Mapping{node: &yaml.Node{Kind: yaml.MappingNode}} }

// Line is a mapping that is written on one line.
func Line() *Mapping {
	return &Mapping{node: &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}}
}

// Has reports whether a key is set.
func (m *Mapping) Has(key string) bool { return m.value(key) != nil }

func (m *Mapping) value(key string) *yaml.Node {
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		if m.node.Content[i].Value == key {
			return m.node.Content[i+1]
		}
	}
	return nil
}

// Text returns the text of a scalar, or "".
func (m *Mapping) Text(key string) string {
	if node := m.value(key); node != nil {
		return node.Value
	}
	return ""
}

// Words writes scalars on one line: "favour node1, delay 15s".
func (m *Mapping) Words() string {
	var words []string
	for _, key := range m.Keys() {
		words = append(words, key+" "+m.Text(key))
	}
	return strings.Join(words, ", ")
}

// List returns the texts of a list.
func (m *Mapping) List(key string) []string {
	var texts []string
	if node := m.value(key); node != nil {
		for _, item := range node.Content {
			texts = append(texts, item.Value)
		}
	}
	return texts
}

// Mapping returns the mapping at a key; a new one, that is nowhere, when there
// is none.
func (m *Mapping) Mapping(key string) *Mapping {
	if node := m.value(key); node != nil && node.Kind == yaml.MappingNode {
		return &Mapping{node: node}
	}
	return NewMapping()
}

// Keys returns the keys in their order.
func (m *Mapping) Keys() []string {
	var keys []string
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		keys = append(keys, m.node.Content[i].Value)
	}
	return keys
}

// Len returns how many keys there are.
func (m *Mapping) Len() int { return len(m.node.Content) / 2 }

// Set sets a key to a string, a bool, an int, a duration, a list of strings, a
// list of lists of strings, a map of strings, a *Mapping or a list of *Mapping.
func (m *Mapping) Set(key string, value any) {
	node := nodeOf(value)
	if old := m.value(key); old != nil {
		*old = *node
		return
	}
	m.node.Content = append(m.node.Content, text(key), node)
}

// Delete takes a key out and reports whether it was there.
func (m *Mapping) Delete(key string) bool {
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		if m.node.Content[i].Value == key {
			m.node.Content = append(m.node.Content[:i], m.node.Content[i+2:]...)
			return true
		}
	}
	return false
}

// Remark writes a comment above a key.
func (m *Mapping) Remark(key, comment string) {
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		if m.node.Content[i].Value == key {
			m.node.Content[i].HeadComment = "# " + comment
		}
	}
}

func text(value string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	switch {
	case strings.HasSuffix(value, "\n"): // a definition
		node.Style = yaml.LiteralStyle
	case strings.ContainsFunc(value, unicode.IsControl):
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}

func nodeOf(value any) *yaml.Node {
	switch v := value.(type) {
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}
	case string:
		return text(v)
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
	case int:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(v)}
	case time.Duration:
		return text(Span(v))
	case []string:
		return listOf(v, yaml.FlowStyle)
	case [][]string:
		return listOf(v, yaml.FlowStyle)
	case map[string]string:
		m := NewMapping()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.Set(key, v[key])
		}
		if short(v) {
			m.node.Style = yaml.FlowStyle
		}
		return m.node
	case *Mapping:
		return v.node
	case []*Mapping:
		return listOf(v, 0)
	}
	panic(fmt.Sprintf("a document has no place for a %T", value))
}

// short reports whether a mapping is easier to read on one line.
func short(m map[string]string) bool {
	length := 0
	for key, value := range m {
		length += len(key) + len(value) + len(": , ")
		if bytes.IndexByte([]byte(value), '\n') >= 0 {
			return false
		}
	}
	return length < 60
}

func listOf[T any](values []T, style yaml.Style) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: style}
	for _, value := range values {
		list.Content = append(list.Content, nodeOf(value))
	}
	return list
}

// Span writes a duration as people do: 90s, 5m, 1h30m.
func Span(d time.Duration) string {
	switch {
	case d == 0:
		return "0s"
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0 && d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Second == 0 && d < 10*time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return d.String()
}

// Draft is the document as it grows.
type Draft struct {
	Cluster, Timing                              string
	Nodes, Devices, Domains, Resources, Services *Mapping
	// TwoNode is the rule by which one of two nodes goes on alone; nil for none.
	TwoNode *Mapping
	// labels are the resources declared so far: those of one type need names of
	// their own in the whole document.
	labels map[string]bool
	// claimed are the VMs' definitions by what tells them apart.
	claimed map[string]string
	// Missing are the files that the document names and that were not here.
	Missing []string
}

// NewDraft returns an empty draft.
func NewDraft() *Draft {
	return &Draft{Nodes: NewMapping(), Devices: NewMapping(), Domains: NewMapping(), Resources: NewMapping(),
		Services: NewMapping(), labels: map[string]bool{}, claimed: map[string]string{}}
}

// Text returns the document. It holds passwords.
func (d *Draft) Text(origin string) (string, error) { return d.text(origin, func(*yaml.Node) {}) }

// GoOnAlone writes the rule by which one of two nodes goes on without the other.
// It returns false where that cannot be: both need a fence device. favour is the
// node that shoots first, or ""; wait is how long the old cluster let the other
// one wait.
func (d *Draft) GoOnAlone(favour string, wait time.Duration) bool {
	names := d.Nodes.Keys()
	if len(names) != 2 || !d.Nodes.Mapping(names[0]).Has("fence") || !d.Nodes.Mapping(names[1]).Has("fence") {
		return false
	}
	d.TwoNode = Line()
	if favour != "" {
		d.TwoNode.Set("favour", favour)
	}
	// Shorter waits were common and too short: both commands could be on their way.
	const usual, longest = 15 * time.Second, 5 * time.Minute
	d.TwoNode.Set("delay", min(max(wait, usual), longest))
	return true
}

// Masked returns the document with a mask in place of each secret: what may be
// shown.
func (d *Draft) Masked(origin string) (string, error) { return d.text(origin, mask) }

func (d *Draft) text(origin string, change func(*yaml.Node)) (string, error) {
	top := NewMapping()
	top.Set("cluster", d.Cluster)
	if d.Timing != "" {
		top.Set("timing", d.Timing)
	}
	if d.TwoNode != nil {
		top.Set("two_node", d.TwoNode)
	}
	for _, section := range []struct {
		name string
		of   *Mapping
	}{{"nodes", d.Nodes}, {"devices", d.Devices}, {"domains", d.Domains}, {"resources", d.Resources},
		{"services", d.Services}} {
		if section.of.Len() > 0 {
			top.Set(section.name, &Mapping{node: clone(section.of.node)})
		}
	}
	secret := holdsSecret(top.node)
	change(top.node)
	out, err := yaml.Dump(top.node, yaml.WithIndent(2))
	if err != nil {
		return "", fmt.Errorf("write the document: %w", err)
	}
	head := "# Made from " + brief(origin) + " by clusterd import; its report tells what changes in meaning.\n"
	if secret {
		head += "# It holds passwords: keep its mode 0600.\n"
	}
	return head + string(out), nil
}
