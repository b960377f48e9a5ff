package cib

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// newerNames are what Pacemaker 3 calls properties that had other names before.
var newerNames = map[string]string{
	"stonith-enabled": "fencing-enabled", "stonith-action": "fencing-action", "stonith-timeout": "fencing-timeout",
	"stonith-max-attempts": "fencing-max-attempts", "stonith-watchdog-timeout": "fencing-watchdog-timeout",
	"fence-reaction": "fencing-reaction",
}

// pairs are the <nvpair>s of one element, of which the first of a name counts.
type pairs struct {
	t    *translation
	list []pair
}

// pair is one <nvpair> with the name by which it counts: that of the pair which
// refers to it, where there is one.
type pair struct {
	*importing.Element
	name string
}

// pairs reads the sets of one kind below an element. Of several, the one with the
// higher score counts first.
func (t *translation) pairs(e *importing.Element, kind string) *pairs {
	found := &pairs{t: t}
	sets := e.All(kind)
	slices.SortStableFunc(sets, func(a, b *importing.Element) int { return setScore(b) - setScore(a) })
	for _, set := range sets {
		t.refers(set)
		t.Tell(unneeded, set, []string{"score"}, "of several sets the one with the higher score counts first, as here")
		t.Container(set)
		set = t.meant(set)
		if !t.counts(set) {
			continue
		}
		for _, e := range set.All("nvpair") {
			p := pair{Element: t.meant(e), name: cmp.Or(e.Get("name"), t.meant(e).Get("name"))}
			if e.Has("id-ref") {
				t.refers(e)
				t.Tell(unneeded, e, []string{"name"}, "what it refers to is read under this name")
			}
			found.list = append(found.list, p)
		}
	}
	return found
}

func setScore(set *importing.Element) int {
	value, _ := score(withDefault(set.Get("score"), "0"))
	return value
}

// meant is the element that another one of its kind stands for by id-ref, or the
// element itself.
func (t *translation) meant(e *importing.Element) *importing.Element {
	if other := t.byID[e.Get("id-ref")]; other != nil && other.Name == e.Name {
		return other
	}
	return e
}

// counts reports whether a set of values holds whatever its rules say. It says of
// the rules what becomes of them, once.
func (t *translation) counts(set *importing.Element) bool {
	given := set.All("rule")
	if len(given) == 0 {
		return true
	}
	var rules []*importing.Element
	for _, rule := range given {
		rules = append(rules, t.meant(rule))
	}
	lasting := t.lastingAll(rules)
	if t.conditional[set] {
		return lasting == always
	}
	t.conditional[set] = true
	switch lasting {
	case never:
		t.SayWhole(unneeded, set, "the time of these values is over; omitted")
	case always:
		for _, rule := range given {
			t.refers(rule)
			t.SayWhole(unneeded, rule, "these values hold from now on")
		}
	default:
		t.SayWhole(cannot, set, "values that hold by rule, or at some times only, are not supported; omitted")
	}
	return lasting == always
}

func (p *pairs) add(more *pairs) { p.list = append(p.list, more.list...) }

func (p *pairs) find(name string) *importing.Element {
	for _, pair := range p.list {
		// Both spellings were taken: on-fail and on_fail.
		given := pair.name
		if given == name || strings.ReplaceAll(given, "_", "-") == name || given != "" && given == newerNames[name] {
			return pair.Element
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
		switch {
		case pair.Told("value"):
		case p.find(pair.name) != pair.Element:
			p.t.SayAll(unneeded, pair.Element, "said again, where it counts first")
		default:
			p.t.SayAll(kind, pair.Element, "%s", message)
		}
	}
}

// names are the names of all pairs, each once.
func (p *pairs) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, pair := range p.list {
		if name := pair.name; !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
