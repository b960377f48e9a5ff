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
	targets, about := t.located(e)
	if len(targets) == 0 {
		t.SayWhole(unneedIf(about), e, "%s", about)
		return
	}
	if role := e.Get("role"); role != "" && role != "Started" {
		t.SayWhole(cannot, e, "resources with roles are not there; left out")
		return
	}
	if !t.liveLong(e) {
		return
	}
	discovery := e.Get("resource-discovery")
	t.Tell(unneeded, e, []string{"resource-discovery"}, "every node is asked what it runs before a service starts")
	t.tellUsual(e)
	verdict := cannot
	for _, rule := range e.All("rule") {
		verdict = min(verdict, t.rule(rule, targets))
	}
	given := e.Get("node")
	if given == "" {
		t.Tell(verdict, e, e.Names(), "for %s, as its rules say", strings.Join(targets, ", "))
		return
	}
	node, value, ok := t.nodeNamed(given), 0, false
	if value, ok = score(e.Get("score")); !ok || node == nil {
		t.Tell(cannot, e, e.Names(), "no node has this name, or the score is none; left out")
		return
	}
	t.weigh(targets, node.name, value)
	if discovery == "exclusive" {
		for _, service := range targets {
			t.locationOf(service).only[node.name] = true
		}
	}
	t.Tell(translated, e, e.Names(), "in the domain of %s", strings.Join(targets, ", "))
	if strings.HasPrefix(e.Get("id"), "cli-") {
		t.Say(changes, e, nil, "this was left by a move or ban on the command line; take it out if it is not meant to last")
	}
}

const aboutStonith = "every node can use every fence device"

func unneedIf(about string) importing.Kind {
	if about == aboutStonith {
		return unneeded
	}
	return cannot
}

// located are the services a location speaks of, or why there is none.
func (t *translation) located(e *importing.Element) ([]string, string) {
	var ids []string
	switch {
	case e.Get("rsc") != "":
		ids = []string{e.Get("rsc")}
	case e.Get("rsc-pattern") != "":
		pattern, err := regexp.Compile(e.Get("rsc-pattern"))
		if err != nil {
			return nil, "this pattern cannot be read; left out"
		}
		// Only what stands under <resources> itself is matched, as in Pacemaker: a group, not its
		// members.
		for _, list := range t.top.Find("resources") {
			for _, resource := range list.Children {
				if id := resource.Get("id"); pattern.MatchString(id) {
					ids = append(ids, id)
				}
			}
		}
	}
	for _, set := range e.All("resource_set") {
		t.Container(set)
		t.Tell(translated, set, set.Names(), "a set")
		ids = append(ids, references(t, set)...)
	}
	var found []string
	about := "what it speaks of is not in the document; left out"
	for _, id := range ids {
		if t.fenced[id] {
			about = aboutStonith
			continue
		}
		for _, service := range t.resolve(id) {
			if !slices.Contains(found, service) {
				found = append(found, service)
			}
		}
	}
	return found, about
}

// liveLong reports whether a constraint holds without an end. Of one that does
// not, it says why it is left out.
func (t *translation) liveLong(e *importing.Element) bool {
	var rules []*importing.Element
	for _, lifetime := range e.All("lifetime") {
		t.Container(lifetime)
		rules = append(rules, lifetime.All("rule")...)
	}
	if len(rules) == 0 {
		return true
	}
	switch t.lastingAll(rules) {
	case never:
		t.SayWhole(unneeded, e, "its lifetime is over, so it no longer holds; left out")
		return false
	case sometimes:
		t.SayWhole(cannot, e, "it holds for a time only, and a domain has no end; left out")
		return false
	}
	for _, rule := range rules {
		t.SayWhole(unneeded, rule, "it holds without an end from now on")
	}
	return true
}

// resolve returns the services that a reference means, in the order of their
// start.
func (t *translation) resolve(id string) []string {
	if t.fenced[id] {
		return nil
	}
	if tagged := t.tags[id]; tagged != nil {
		var all []string
		for _, each := range tagged {
			all = append(all, t.services[each]...)
		}
		return all
	}
	if services := t.services[id]; len(services) > 0 {
		return services
	}
	// A member of a group stands for its group.
	if e := t.byID[id]; e != nil && e.Parent != nil && e.Parent.Name == "group" {
		return t.services[e.Parent.Get("id")]
	}
	return nil
}

func references(t *translation, set *importing.Element) []string {
	var ids []string
	if other := t.meant(set); other != set {
		t.Quiet(set, "id-ref")
		set = other
	}
	for _, ref := range set.All("resource_ref") {
		t.Container(ref)
		ids = append(ids, ref.Get("id"))
	}
	return ids
}
