package cib

import (
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// orderBy translates an order into dependencies.
func (t *translation) orderBy(e *importing.Element) {
	if t.over(e, false) {
		return
	}
	steps, f := t.steps(e)
	if len(steps) < 2 && f.fencing && len(f.lost) == 0 {
		t.SayWhole(unneeded, e, "%s, and none has to be started first", aboutStonith)
		return
	}
	mode, why := t.orderMode(e)
	if why != "" {
		t.SayWhole(cannot, e, "%s; omitted", why)
		return
	}
	if len(steps) < 2 {
		t.SayWhole(cannot, e, "%s", aboutNothing)
		return
	}
	o := &outcome{}
	for n := 1; n < len(steps); n++ {
		for _, then := range steps[n] {
			for _, first := range steps[n-1] {
				t.depend(o, then, first, mode)
			}
		}
	}
	if o.empty() {
		o.add(unneeded, "parts of one service start in their order")
	}
	t.Tell(unneeded, e, []string{"score"}, "an order without a score is mandatory too")
	t.tellLifetime(e)
	t.tellSets(e, true)
	t.conclude(e, o)
}

// orderMode tells how strong a dependency is, or why there is none.
func (t *translation) orderMode(e *importing.Element) (mode, why string) {
	kind := withDefault(e.Get("kind"), "Mandatory")
	if value, ok := score(e.Get("score")); e.Has("score") && !e.Has("kind") && ok && value <= 0 {
		kind = "Optional"
	}
	actions := []string{e.Get("first-action"), e.Get("then-action")}
	for _, given := range e.All("resource_set") {
		set := t.meant(given)
		actions = append(actions, set.Get("action"))
		if putOff(set, "require-all") {
			return "", "one of several cannot be needed; each that is named is"
		}
	}
	for _, action := range actions {
		if action != "" && action != "start" {
			return "", "an order of " + action + " cannot be said; only starts are"
		}
	}
	switch {
	case kind == "Optional":
		return "", "an order that counts only when both happen to start cannot be said; write tier or priority"
	case kind == "Serialize":
		return "", "two services that must not start at the same time cannot be said; start_at_once bounds all starts"
	case putOff(e, "require-all"):
		return "", "one of several cannot be needed; each that is named is"
	}
	if symmetrical, ok := importing.Truth(e.Get("symmetrical")); e.Has("symmetrical") && ok && !symmetrical {
		return "soft", ""
	}
	return "hard", ""
}

// putOff reports whether a switch that is on by default was put off.
func putOff(e *importing.Element, name string) bool {
	yes, ok := importing.Truth(e.Get(name))
	return e.Has(name) && ok && !yes
}

// steps are the services of an order: each step starts after the one before. What
// became of the rest is beside them.
func (t *translation) steps(e *importing.Element) (steps [][]string, f fates) {
	add := func(services []string) {
		if len(services) > 0 {
			steps = append(steps, services)
		}
	}
	sets := e.All("resource_set")
	if len(sets) == 0 {
		_, ends := t.ends(e.Get("first"))
		begins, _ := t.ends(e.Get("then"))
		if len(ends) > 0 && len(begins) > 0 {
			steps = [][]string{ends, begins}
		}
		return steps, t.fates([]string{e.Get("first"), e.Get("then")})
	}
	var ids []string
	for _, set := range sets {
		var together []string
		for _, id := range t.named(set) {
			ids = append(ids, id)
			services := t.resolve(id)
			if putOff(t.meant(set), "sequential") {
				together = append(together, services...)
				continue
			}
			add(services)
		}
		add(together)
	}
	return steps, t.fates(ids)
}

// ends are the services of a reference that wait for others, and those that others
// wait for: of a group its first and its last, of a tag those of each member.
func (t *translation) ends(id string) (first, last []string) {
	members := []string{id}
	if t.tags[id] != nil {
		t.tagged[id] = true
		members = t.tags[id]
	}
	for _, member := range members {
		if services := t.placed(member); len(services) > 0 && !t.fenced[member] {
			first, last = append(first, services[0]), append(last, services[len(services)-1])
		}
	}
	return first, last
}

// depend writes a dependency and notes it; one service has none on itself.
func (t *translation) depend(o *outcome, then, first, mode string) {
	switch {
	case then == first:
	case t.reaches(first, then, map[string]bool{}):
		o.add(cannot, "%s already starts before %s, so the opposite cannot be said; omitted", then, first)
	default:
		t.dependOn(then, first, mode)
		o.pair(then, "depends on", first+" ("+mode+")")
	}
}

func (t *translation) dependOn(then, first, mode string) {
	for _, need := range t.needs[then] {
		if other, _, _ := strings.Cut(need, " "); other == first {
			return
		}
	}
	t.needs[then] = append(t.needs[then], first+" "+mode)
}

// reaches reports whether a service depends on another, however far.
func (t *translation) reaches(from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	for _, need := range t.needs[from] {
		other, _, _ := strings.Cut(need, " ")
		if t.reaches(other, to, seen) {
			return true
		}
	}
	return false
}

func (t *translation) writeNeeds() {
	for _, service := range sortedKeys(t.needs) {
		var list []*importing.Mapping
		for _, need := range t.needs[service] {
			other, mode, _ := strings.Cut(need, " ")
			line := importing.Line()
			line.Set("service", other)
			line.Set("mode", mode)
			list = append(list, line)
		}
		t.draft.Services.Mapping(service).Set("depend", list)
	}
}
