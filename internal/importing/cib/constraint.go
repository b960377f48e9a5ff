package cib

import (
	"fmt"
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
				t.ticketed(e)
			}
		}
	}
	t.writeNeeds()
}

// ticketed leaves down what started only at the site that held a ticket. Another site
// may be running it, and nobody here could know.
func (t *translation) ticketed(e *importing.Element) {
	var ids []string
	if e.Has("rsc") {
		ids = append(ids, e.Get("rsc"))
	}
	for _, set := range e.All("resource_set") {
		ids = append(ids, t.named(set)...)
	}
	services := t.servicesOf(ids)
	if len(services) == 0 {
		kind, about := t.fates(ids).nothing()
		t.SayWhole(kind, e, "%s", about)
		return
	}
	for _, service := range services {
		t.draft.Services.Mapping(service).Set("autostart", false)
	}
	start := "clusvcadm -e " + strings.Join(services, ", clusvcadm -e ")
	t.SayWhole(cannot, e, "tickets are not supported: it started only where ticket %s was granted, and is declared with "+
		"autostart: false; start it with %s", e.Get("ticket"), start)
	t.Advise("What needs the ticket %s may run at one site only, and nothing here sees to that. Where it is to run, "+
		"start it once it is down at every other site: %s.", e.Get("ticket"), start)
}

// colocate translates a colocation into together or apart.
func (t *translation) colocate(e *importing.Element) {
	value, ok := t.colocationScore(e)
	if t.over(e, ok && value == -infinity) {
		return
	}
	if why := t.noColocation(e, value, ok); why != "" {
		t.SayWhole(cannot, e, "%s; omitted", why)
		return
	}
	sets := t.colocatedSets(e)
	groups, f := t.gathered(sets)
	if len(groups) < 2 {
		kind, about := f.nothing()
		if len(groups) == 1 && len(f.lost) == 0 && !f.fencing && value > 0 {
			kind, about = unneeded, "the members of a group run on one node"
		}
		t.SayWhole(kind, e, "%s", about)
		return
	}
	o := &outcome{}
	switch {
	case value > 0 && len(sets) == 1 && !sets[0].linked:
		t.SayWhole(unneeded, e, "the members of one set without an order are not colocated with each other")
		return
	case value > 0:
		for n := 1; n < len(groups); n++ {
			for _, one := range groups[n] {
				t.pair(o, one, groups[0][0], ruleTogether)
			}
		}
	default:
		t.keepApart(o, sets)
	}
	t.tellLifetime(e)
	t.tellSets(e, value < 0)
	t.conclude(e, o)
}

// conclude says what became of a constraint.
func (t *translation) conclude(e *importing.Element, o *outcome) {
	if o.empty() {
		o.add(unneeded, "nothing that is not so without it")
	}
	t.tellUsual(e)
	t.Say(o.kind, e, left(e, e.Names()), "%s", o.text())
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
		sets = append(sets, colocatedSet{ids: t.named(set), linked: !putOff(t.meant(set), "sequential")})
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
func (t *translation) keepApart(o *outcome, sets []colocatedSet) {
	apart := func(a, b string) {
		for _, one := range t.resolve(a) {
			for _, other := range t.resolve(b) {
				t.pair(o, one, other, ruleApart)
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
	if o.empty() {
		o.add(cannot, "parts of one service run on one node, always; omitted")
	}
}

func withDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// colocationScore is the score of a colocation: its own, or that of its sets where
// it has none. Sets that say another one than the rest make it none.
func (t *translation) colocationScore(e *importing.Element) (int, bool) {
	value, ok := score(withDefault(e.Get("score"), "0"))
	said := e.Has("score")
	for _, set := range e.All("resource_set") {
		given := t.meant(set).Get("score")
		if given == "" {
			continue
		}
		own, good := score(given)
		switch {
		case !said:
			value, ok, said = own, good, true
		case !good || own != value:
			return 0, false
		}
	}
	return value, ok
}

func (t *translation) noColocation(e *importing.Element, value int, ok bool) string {
	roles := []string{e.Get("rsc-role"), e.Get("with-rsc-role")}
	for _, set := range e.All("resource_set") {
		roles = append(roles, t.meant(set).Get("role"))
	}
	switch {
	case slices.ContainsFunc(roles, otherRole):
		return noRoles
	case e.Has("node-attribute") && e.Get("node-attribute") != "#uname":
		return "together and apart are about nodes, not about what nodes have in common"
	case !ok:
		return "its score is none, or its sets have scores of their own, which cannot be said"
	case value > -infinity && value < infinity:
		return "together and apart hold or do not hold; a wish of so many points cannot be said. Write it with INFINITY " +
			"if it must hold"
	}
	return ""
}

const noRoles = "promotable resources are not supported"

func otherRole(role string) bool { return role != "" && role != "Started" }

// gathered are the services that a colocation speaks of, one list for each resource,
// and what became of the rest.
func (t *translation) gathered(sets []colocatedSet) (groups [][]string, f fates) {
	var ids []string
	for _, set := range sets {
		ids = append(ids, set.ids...)
		for _, id := range set.ids {
			services := t.resolve(id)
			if len(services) > 0 && !slices.ContainsFunc(groups, func(g []string) bool { return slices.Equal(g, services) }) {
				groups = append(groups, services)
			}
		}
	}
	return groups, t.fates(ids)
}

const (
	ruleTogether = "together"
	ruleApart    = "apart"
)

// pair writes a rule between two services and notes it.
func (t *translation) pair(o *outcome, one, other, rule string) {
	if one == other {
		return
	}
	opposite := map[string]string{ruleTogether: ruleApart, ruleApart: ruleTogether}[rule]
	if t.says(one, opposite, other) || t.says(other, opposite, one) {
		o.add(cannot, "%s and %s are %s already; %s is omitted", one, other, opposite, rule)
		return
	}
	t.companion(one, rule, other)
	if rule == ruleTogether {
		o.pair(one, "together with", other)
		o.add(changes, "it holds in both directions, where the first followed the second")
		return
	}
	o.pair(one, "apart from", other)
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

// usual are the values that say what is so without them.
var usual = map[string]string{
	"kind": "Mandatory", "symmetrical": "true", "require-all": "true", "first-action": "start",
	"role": "Started", "rsc-role": "Started", "with-rsc-role": "Started", "node-attribute": "#uname",
	"action": "start", "sequential": "true",
}

// tellUsual speaks of the attributes that say what is so without them.
func (t *translation) tellUsual(e *importing.Element) {
	for _, name := range sortedKeys(usual) {
		if e.Get(name) == usual[name] {
			t.Tell(unneeded, e, []string{name}, "the default")
		}
	}
}

// outcome gathers what becomes of one constraint, so that it has one verdict.
type outcome struct {
	kind  importing.Kind
	words []string
	// rules are the pairs of services: what is said of each first one, in order.
	rules []paired
}

type paired struct {
	one, rule string
	others    []string
}

// add notes a sentence. Of several the worst decides the verdict.
func (o *outcome) add(kind importing.Kind, format string, arguments ...any) {
	o.worse(kind)
	if text := fmt.Sprintf(format, arguments...); !slices.Contains(o.words, text) {
		o.words = append(o.words, text)
	}
}

func (o *outcome) worse(kind importing.Kind) { o.kind = max(o.kind, kind) }

// pair notes that a rule between two services is written.
func (o *outcome) pair(one, rule, other string) {
	for n := range o.rules {
		if o.rules[n].one == one && o.rules[n].rule == rule {
			if !slices.Contains(o.rules[n].others, other) {
				o.rules[n].others = append(o.rules[n].others, other)
			}
			return
		}
	}
	o.rules = append(o.rules, paired{one: one, rule: rule, others: []string{other}})
}

func (o *outcome) empty() bool { return len(o.words)+len(o.rules) == 0 }

// text is all that was noted, the pairs first.
func (o *outcome) text() string {
	var parts []string
	for _, p := range o.rules {
		parts = append(parts, p.one+" "+p.rule+" "+strings.Join(p.others, ", "))
	}
	return strings.Join(append(parts, o.words...), "; ")
}
