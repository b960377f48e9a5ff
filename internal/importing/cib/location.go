package cib

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// infinity is Pacemaker's: a score that must, or must not.
const infinity = 1_000_000

// score reads a score.
func score(text string) (int, bool) {
	switch strings.ToUpper(strings.TrimPrefix(text, "+")) {
	case "INFINITY":
		return infinity, true
	case "-INFINITY":
		return -infinity, true
	}
	number, err := strconv.Atoi(text)
	return max(-infinity, min(infinity, number)), err == nil
}

// sum adds scores as Pacemaker does: must not is stronger than must.
func sum(a, b int) int {
	switch {
	case a == -infinity || b == -infinity:
		return -infinity
	case a == infinity || b == infinity:
		return infinity
	}
	return max(-infinity, min(infinity, a+b))
}

// location is what the constraints say of one service.
type location struct {
	scores map[string]int
	// only are the nodes of constraints that exclude all others.
	only map[string]bool
}

func (t *translation) locationOf(service string) *location {
	l := t.locations[service]
	if l == nil {
		l = &location{scores: map[string]int{}, only: map[string]bool{}}
		t.locations[service] = l
	}
	return l
}

// locate translates one <rsc_location>.
func (t *translation) locate(e *importing.Element) {
	targets, kind, about := t.located(e)
	switch {
	case len(targets) == 0:
		t.SayWhole(kind, e, "%s", about)
		return
	case otherRole(e.Get("role")):
		t.SayWhole(cannot, e, "%s; omitted", noRoles)
		return
	case t.over(e, t.bars(e)):
		return
	}
	t.tellLifetime(e)
	t.tellSets(e, false)
	exclusive := e.Get("resource-discovery") == "exclusive"
	if !exclusive {
		t.Tell(unneeded, e, []string{"resource-discovery"}, "every node is asked what it runs before a service starts")
	}
	t.tellUsual(e)
	verdict := cannot
	for _, rule := range e.All("rule") {
		verdict = min(verdict, t.rule(rule, targets))
	}
	given := e.Get("node")
	switch {
	case given == "" && len(e.All("rule")) == 0:
		t.Tell(cannot, e, e.Names(), "it names no node and has no rule; omitted")
		return
	case given == "":
		t.Tell(cannot, e, []string{"resource-discovery"}, "no rule can choose the only nodes where it is looked for; omitted")
		t.Tell(verdict, e, e.Names(), "for %s, as its rules say", strings.Join(targets, ", "))
		return
	}
	node, value, ok := t.nodeNamed(given), 0, false
	if value, ok = score(e.Get("score")); !ok || node == nil {
		t.Tell(cannot, e, e.Names(), "no node has this name, or the score is none; omitted")
		return
	}
	t.weigh(targets, node.name, value)
	if exclusive {
		for _, service := range targets {
			t.locationOf(service).only[node.name] = true
		}
	}
	t.Tell(translated, e, e.Names(), "in the domain of %s", strings.Join(targets, ", "))
	if strings.HasPrefix(e.Get("id"), "cli-") {
		t.Say(changes, e, nil, "this was left by a move or ban on the command line; take it out if it is not meant to last")
	}
}

// bars reports whether a location keeps services off a node.
func (t *translation) bars(e *importing.Element) bool {
	scores := []string{e.Get("score")}
	for _, rule := range e.All("rule") {
		scores = append(scores, t.meant(rule).Get("score"))
	}
	return slices.ContainsFunc(scores, func(text string) bool {
		value, ok := score(text)
		return ok && value < 0
	})
}

// located are the services a location speaks of, or why there is none.
func (t *translation) located(e *importing.Element) (services []string, kind importing.Kind, about string) {
	var ids []string
	switch {
	case e.Get("rsc") != "":
		ids = []string{e.Get("rsc")}
	case e.Get("rsc-pattern") != "":
		words, inverted := strings.CutPrefix(e.Get("rsc-pattern"), "!")
		pattern, err := regexp.Compile(words)
		if err != nil {
			return nil, cannot, "this pattern cannot be read; omitted"
		}
		// Only what stands under <resources> itself is matched, as in Pacemaker: a group, not its
		// members. After a `!` it is what the pattern does not match.
		for _, list := range t.top.Find("resources") {
			for _, resource := range list.Children {
				id := resource.Get("id")
				if resource.Name != "template" && pattern.MatchString(id) != inverted {
					ids = append(ids, id)
				}
			}
		}
	}
	for _, set := range e.All("resource_set") {
		if otherRole(t.meant(set).Get("role")) {
			return nil, cannot, noRoles + "; omitted"
		}
		ids = append(ids, t.named(set)...)
	}
	kind, about = t.fates(ids).nothing()
	return t.servicesOf(ids), kind, about
}

// servicesOf are the services that several references mean, each once.
func (t *translation) servicesOf(ids []string) (found []string) {
	for _, id := range ids {
		for _, service := range t.resolve(id) {
			if !slices.Contains(found, service) {
				found = append(found, service)
			}
		}
	}
	return found
}

// lifetime are the rules of a constraint's lifetime, and whether they hold.
func (t *translation) lifetime(e *importing.Element) verdict {
	var rules []*importing.Element
	for _, lifetime := range e.All("lifetime") {
		for _, rule := range lifetime.All("rule") {
			rules = append(rules, t.meant(rule))
		}
	}
	return t.lastingAll(rules)
}

// over reports whether a constraint is left out because it does not hold without an
// end, and says so. What keeps services away from something is kept although its end
// is known: that is the side on which nothing runs where it must not.
func (t *translation) over(e *importing.Element, away bool) bool {
	switch lasting := t.lifetime(e); {
	case lasting == never:
		t.SayWhole(unneeded, e, "its lifetime is over, so it no longer holds; omitted")
		return true
	case lasting == sometimes && !away:
		t.SayWhole(cannot, e, "it holds for a time only, and a document has no such time; omitted")
		return true
	}
	return false
}

// tellLifetime speaks of the lifetime of a constraint that is translated.
func (t *translation) tellLifetime(e *importing.Element) {
	for _, lifetime := range e.All("lifetime") {
		for _, rule := range lifetime.All("rule") {
			t.refers(rule)
		}
		if t.lifetime(e) == sometimes {
			t.SayWhole(changes, lifetime, "%s", withoutEnd)
			continue
		}
		t.SayWhole(unneeded, lifetime, "it holds without an end from now on")
	}
}

const withoutEnd = "it is kept, and holds without an end here: take it out of the document when its time is over"

// resolve returns the services that a reference means, in the order of their
// start.
func (t *translation) resolve(id string) []string {
	if t.fenced[id] {
		return nil
	}
	if tagged := t.tags[id]; tagged != nil {
		t.tagged[id] = true
		var all []string
		for _, each := range tagged {
			all = append(all, t.placed(each)...)
		}
		return all
	}
	return t.placed(id)
}

// placed are the services that a resource became.
func (t *translation) placed(id string) []string {
	if services := t.services[id]; len(services) > 0 {
		return services
	}
	// A member of a group stands for its group.
	if e := t.byID[id]; e != nil && e.Parent != nil && e.Parent.Name == "group" {
		return t.services[e.Parent.Get("id")]
	}
	return nil
}
