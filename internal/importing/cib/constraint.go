package cib

import (
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// constraints translates everything under <constraints>.
func (t *translation) constraints(c *importing.Element) {
	for _, list := range c.All("constraints") {
		t.Container(list)
		for _, e := range list.Children {
			switch e.Name {
			case "rsc_location":
				t.locate(e)
			case "rsc_colocation":
				t.colocate(e)
			case "rsc_order":
				t.orderBy(e)
			case "rsc_ticket":
				t.SayWhole(cannot, e, "tickets between sites are not there; left out")
			}
		}
	}
	t.writeNeeds()
}

// colocate translates a colocation into together or apart.
func (t *translation) colocate(e *importing.Element) {
	if !t.liveLong(e) {
		return
	}
	value, ok := score(withDefault(e.Get("score"), "0"))
	if why := t.noColocation(e, value, ok); why != "" {
		t.SayWhole(cannot, e, "%s; left out", why)
		return
	}
	t.tellUsual(e)
	sets := t.colocatedSets(e)
	groups, about := t.gathered(sets)
	if len(groups) < 2 {
		kind := unneeded
		switch {
		case about == aboutStonith:
		case len(groups) == 1 && about == "" && value > 0:
			about = "the members of a group run on one node"
		default:
			kind, about = cannot, "what it speaks of is not in the document; left out"
		}
		t.SayWhole(kind, e, "%s", about)
		return
	}
	if value > 0 {
		for n := 1; n < len(groups); n++ {
			for _, one := range groups[n] {
				t.pair(e, one, groups[0][0], "together")
			}
		}
	} else {
		t.keepApart(e, sets)
	}
	t.tellSets(e)
	t.Tell(unneeded, e, e.Names(), "said above")
}

// colocatedSet is one set of a colocation; without sets, each of its two resources
// is one.
type colocatedSet struct {
	ids []string
	// linked: its members are colocated with each other too.
	linked bool
}

func (t *translation) colocatedSets(e *importing.Element) []colocatedSet {
	var sets []colocatedSet
	for _, set := range e.All("resource_set") {
		sets = append(sets, colocatedSet{ids: references(t, set), linked: !putOff(t.meant(set), "sequential")})
	}
	if len(sets) == 0 {
		return []colocatedSet{{ids: []string{e.Get("rsc")}}, {ids: []string{e.Get("with-rsc")}}}
	}
	return sets
}

// keepApart writes what a colocation of -INFINITY means: each member of a set stays
// away from those of the next set, and, where the set is sequential, from every other
// member. Of two sequential sets Pacemaker looks at the first of one and the last of
// the other alone (colocate_rsc_sets in its pcmk_sched_colocation.c); that all keep
// apart is the safe side of it.
func (t *translation) keepApart(e *importing.Element, sets []colocatedSet) {
	said := false
	apart := func(a, b string) {
		for _, one := range t.resolve(a) {
			for _, other := range t.resolve(b) {
				if one != other {
					t.pair(e, one, other, "apart")
					said = true
				}
			}
		}
	}
	for n, set := range sets {
		for m, one := range set.ids {
			for _, other := range set.ids[m+1:] {
				if set.linked {
					apart(one, other)
				}
			}
			if n+1 < len(sets) {
				for _, other := range sets[n+1].ids {
					apart(one, other)
				}
			}
		}
	}
	if !said {
		t.Say(cannot, e, e.Names(), "parts of one service run on one node, always; left out")
	}
}

func withDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func (t *translation) noColocation(e *importing.Element, value int, ok bool) string {
	for _, name := range []string{"rsc-role", "with-rsc-role"} {
		if role := e.Get(name); role != "" && role != "Started" {
			return "resources with roles are not there"
		}
	}
	for _, set := range e.All("resource_set") {
		if role := set.Get("role"); role != "" && role != "Started" {
			return "resources with roles are not there"
		}
		if own, given := score(set.Get("score")); given && !e.Has("score") {
			value, ok = own, true
		}
	}
	switch {
	case e.Has("node-attribute") && e.Get("node-attribute") != "#uname":
		return "together and apart are about nodes, not about what nodes have in common"
	case !ok || value > -infinity && value < infinity:
		return "together and apart hold or do not hold; a wish of so many points cannot be said. Write it with INFINITY " +
			"if it must hold"
	}
	return ""
}

// gathered are the services that a colocation speaks of, one list for each resource,
// and why some of what it names is not among them.
func (t *translation) gathered(sets []colocatedSet) (groups [][]string, missing string) {
	for _, set := range sets {
		for _, id := range set.ids {
			services := t.resolve(id)
			switch {
			case t.fenced[id]:
				missing = aboutStonith
			case len(services) == 0:
				missing = withDefault(missing, "what it speaks of is not in the document")
			case !slices.ContainsFunc(groups, func(g []string) bool { return slices.Equal(g, services) }):
				groups = append(groups, services)
			}
		}
	}
	return groups, missing
}

// pair writes a rule between two services and says it of the constraint.
func (t *translation) pair(e *importing.Element, one, other, rule string) {
	if one == other {
		return
	}
	opposite := map[string]string{"together": "apart", "apart": "together"}[rule]
	if t.says(one, opposite, other) || t.says(other, opposite, one) {
		t.Say(cannot, e, e.Names(), "%s and %s are %s already; %s is left out", one, other, opposite, rule)
		return
	}
	t.companion(one, rule, other)
	if rule == "together" {
		t.Say(changes, e, speaking(e), "%s together with %s. It holds in both directions; "+
			"it was the first that followed the second", one, other)
		return
	}
	t.Say(translated, e, speaking(e), "%s apart from %s", one, other)
}

func (t *translation) says(service, rule, other string) bool {
	return slices.Contains(t.draft.Services.Mapping(service).List(rule), other)
}

func (t *translation) companion(one, rule, other string) {
	if t.says(one, rule, other) || t.says(other, rule, one) {
		return
	}
	spec := t.draft.Services.Mapping(one)
	spec.Set(rule, append(spec.List(rule), other))
}

func (t *translation) together(one, other string) { t.companion(one, "together", other) }

// tellSets speaks of the sets of a constraint.
func (t *translation) tellSets(e *importing.Element) {
	for _, set := range e.All("resource_set") {
		t.Container(set)
		t.Tell(translated, set, set.Names(), "a set of the constraint above")
		references(t, set)
	}
}

// orderBy translates an order into dependencies.
func (t *translation) orderBy(e *importing.Element) {
	if !t.liveLong(e) {
		return
	}
	if t.speaksOfFencing(e) {
		t.SayWhole(unneeded, e, "%s, and none has to be started first", aboutStonith)
		return
	}
	mode, why := t.orderMode(e)
	if why != "" {
		t.SayWhole(cannot, e, "%s; left out", why)
		return
	}
	t.tellUsual(e)
	steps := t.steps(e)
	if len(steps) < 2 {
		t.SayWhole(cannot, e, "what it speaks of is not in the document; left out")
		return
	}
	said := false
	for n := 1; n < len(steps); n++ {
		for _, then := range steps[n] {
			for _, first := range steps[n-1] {
				said = t.dependSaid(e, then, first, mode) || said
			}
		}
	}
	t.tellSets(e)
	if !said {
		t.Say(unneeded, e, e.Names(), "parts of one service start in their order")
	}
	t.Tell(unneeded, e, e.Names(), "said above")
}

// usual are the values that say what is so without them.
var usual = map[string]string{
	"kind": "Mandatory", "symmetrical": "true", "require-all": "true", "first-action": "start",
	"role": "Started", "rsc-role": "Started", "with-rsc-role": "Started", "node-attribute": "#uname",
}

// tellUsual speaks of the attributes that say what is so without them.
func (t *translation) tellUsual(e *importing.Element) {
	for _, name := range sortedKeys(usual) {
		if e.Get(name) == usual[name] {
			t.Tell(unneeded, e, []string{name}, "the default")
		}
	}
}

// speaking are the names of the attributes that say more than the default.
func speaking(e *importing.Element) []string {
	return slices.DeleteFunc(e.Names(), func(name string) bool { return usual[name] != "" && e.Get(name) == usual[name] })
}

// speaksOfFencing reports whether an order has a fence device for one of its ends.
func (t *translation) speaksOfFencing(e *importing.Element) bool {
	return t.fenced[e.Get("first")] || t.fenced[e.Get("then")]
}

// orderMode tells how strong a dependency is, or why there is none.
func (t *translation) orderMode(e *importing.Element) (mode, why string) {
	kind := withDefault(e.Get("kind"), "Mandatory")
	if value, ok := score(e.Get("score")); e.Has("score") && !e.Has("kind") && ok && value <= 0 {
		kind = "Optional"
	}
	actions := []string{e.Get("first-action"), e.Get("then-action")}
	for _, set := range e.All("resource_set") {
		actions = append(actions, set.Get("action"))
		if all, ok := importing.Truth(set.Get("require-all")); set.Has("require-all") && ok && !all {
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

// steps are the services of an order: each step starts after the one before.
func (t *translation) steps(e *importing.Element) [][]string {
	var steps [][]string
	add := func(services []string) {
		if len(services) > 0 {
			steps = append(steps, services)
		}
	}
	sets := e.All("resource_set")
	if len(sets) == 0 {
		first, then := t.resolve(e.Get("first")), t.resolve(e.Get("then"))
		if len(first) > 0 && len(then) > 0 {
			// Of a group the last member has to be started, and its first waits.
			steps = [][]string{first[len(first)-1:], then[:1]}
		}
		return steps
	}
	for _, set := range sets {
		var together []string
		for _, id := range references(t, set) {
			services := t.resolve(id)
			if putOff(set, "sequential") {
				together = append(together, services...)
				continue
			}
			add(services)
		}
		add(together)
	}
	return steps
}

// dependSaid writes a dependency and says it. It returns false when both are one
// service.
func (t *translation) dependSaid(e *importing.Element, then, first, mode string) bool {
	if then == first {
		return false
	}
	if t.reaches(first, then, map[string]bool{}) {
		t.Say(cannot, e, e.Names(), "%s already starts before %s, so the opposite cannot be said; left out", then, first)
		return true
	}
	t.dependOn(then, first, mode)
	t.Say(translated, e, speaking(e), "%s depends on %s (%s)", then, first, mode)
	return true
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
