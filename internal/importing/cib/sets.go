package cib

import (
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

const (
	aboutStonith = "every node can use every fence device"
	aboutNothing = "refers to a resource that is not in the document; omitted"
)

// refers speaks of an element that stands for another one of its kind.
func (t *translation) refers(e *importing.Element) {
	if t.meant(e) == e {
		t.Tell(cannot, e, []string{"id-ref"}, "nothing of this kind has this id; omitted")
		return
	}
	t.Tell(unneeded, e, []string{"id-ref"}, "what it refers to is read in its place")
}

// fates are what became of ids that a constraint names.
type fates struct {
	// lost are those of which the document has nothing; fencing tells of fence devices.
	lost    []string
	fencing bool
}

func (t *translation) fates(ids []string) (f fates) {
	for _, id := range ids {
		members := []string{id}
		if t.tags[id] != nil {
			members = t.tags[id]
		}
		for _, member := range members {
			switch {
			case t.fenced[member]:
				f.fencing = true
			case len(t.resolve(member)) == 0:
				f.lost = append(f.lost, member)
			}
		}
	}
	return f
}

// nothing is the verdict on a constraint of which nothing is left.
func (f fates) nothing() (importing.Kind, string) {
	if f.fencing && len(f.lost) == 0 {
		return unneeded, aboutStonith
	}
	return cannot, aboutNothing
}

// named are the ids that a set names, one after the other.
func (t *translation) named(set *importing.Element) []string {
	var ids []string
	for _, ref := range t.meant(set).All("resource_ref") {
		ids = append(ids, ref.Get("id"))
	}
	return ids
}

// tellSets speaks of the sets of a constraint that is translated, and of their
// members; ordered tells that an order within a set makes a difference to it.
func (t *translation) tellSets(e *importing.Element, ordered bool) {
	scored := slices.DeleteFunc(e.All("resource_set"), func(set *importing.Element) bool { return !set.Has("score") })
	for _, set := range e.All("resource_set") {
		t.refers(set)
		t.tellUsual(set)
		if e.Has("score") || len(scored) > 1 {
			t.Tell(unneeded, set, []string{"score"}, "the constraint, or another set of it, says the same")
		}
		if !ordered || len(t.named(set)) < 2 {
			t.Tell(unneeded, set, []string{"sequential"}, "an order within this set would make no difference")
		}
		for _, ref := range t.meant(set).All("resource_ref") {
			switch f := t.fates([]string{ref.Get("id")}); {
			case len(f.lost) > 0:
				t.TellAll(cannot, ref, "%s", aboutNothing)
			case f.fencing:
				t.TellAll(unneeded, ref, "%s", aboutStonith)
			default:
				t.TellAll(translated, ref, "a member of the set above")
			}
			t.Container(ref)
		}
		t.tellSet(set)
	}
}

// setWords are what a set may say of itself.
var setWords = []string{"sequential", "score", "role", "action", "require-all"}

func (t *translation) tellSet(set *importing.Element) {
	ids := t.named(set)
	if t.meant(set) != set {
		return
	}
	how := "one after the other"
	if putOff(set, "sequential") {
		how = "in no order"
	}
	kind, text := translated, strings.Join(ids, ", ")+", "+how
	switch f := t.fates(ids); {
	case len(f.lost) == len(ids):
		kind, text = cannot, aboutNothing
	case len(f.lost) > 0:
		kind, text = changes, text+", but without "+strings.Join(f.lost, ", ")+": not in the document"
	case f.fencing && !slices.ContainsFunc(ids, func(id string) bool { return !t.fenced[id] }):
		kind, text = unneeded, aboutStonith
	}
	if len(ids) == 0 {
		kind, text = unneeded, "it names nothing"
	}
	t.Say(kind, set, left(set, setWords), "%s", text)
}

// left are those of the attributes that were not told about.
func left(e *importing.Element, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return e.Told(name) || !e.Has(name) })
}
