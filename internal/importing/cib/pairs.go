package cib

import (
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// pairs are the <nvpair>s of one element, of which the first of a name counts.
type pairs struct {
	t    *translation
	list []*importing.Element
}

// pairs reads the sets of one kind below an element.
func (t *translation) pairs(e *importing.Element, kind string) *pairs {
	found := &pairs{t: t}
	for _, set := range e.All(kind) {
		t.Container(set)
		t.Quiet(set, "id", "score", "id-ref")
		if other := t.byID[set.Get("id-ref")]; other != nil && other.Name == kind {
			set = other
		}
		if len(set.All("rule")) > 0 {
			if t.conditional[set] {
				continue
			}
			t.conditional[set] = true
			t.SayWhole(cannot, set, "values that hold by rule, or at some times only, are not there; left out")
			continue
		}
		for _, pair := range set.All("nvpair") {
			if other := t.byID[pair.Get("id-ref")]; other != nil {
				t.Quiet(pair, "id-ref")
				t.Container(pair)
				pair = other
			}
			found.list = append(found.list, pair)
		}
	}
	return found
}

func (p *pairs) add(more *pairs) { p.list = append(p.list, more.list...) }

func (p *pairs) find(name string) *importing.Element {
	for _, pair := range p.list {
		// Both spellings were taken: on-fail and on_fail.
		if pair.Get("name") == name || strings.ReplaceAll(pair.Get("name"), "_", "-") == name {
			return pair
		}
	}
	return nil
}

func (p *pairs) get(name string) string {
	if pair := p.find(name); pair != nil {
		return pair.Get("value")
	}
	return ""
}

func (p *pairs) has(name string) bool { return p.find(name) != nil }

// tell says what became of those of the named pairs that were not told about.
func (p *pairs) tell(kind importing.Kind, message string, names ...string) {
	for _, name := range names {
		if pair := p.find(name); pair != nil && !pair.Told("value") {
			p.t.SayAll(kind, pair, "%s", message)
		}
	}
}

// tellAll says one thing of all that were not told about.
func (p *pairs) tellAll(kind importing.Kind, message string) {
	for _, pair := range p.list {
		if !pair.Told("value") {
			p.t.SayAll(kind, pair, "%s", message)
		}
	}
}

// names are the names of all pairs, each once.
func (p *pairs) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, pair := range p.list {
		if name := pair.Get("name"); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
