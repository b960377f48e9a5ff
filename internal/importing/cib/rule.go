package cib

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// rule works a location rule out for each node, as far as that can be done from
// what is written, and returns what became of it.
func (t *translation) rule(e *importing.Element, targets []string) importing.Kind {
	t.refers(e)
	if e.Has("id-ref") && t.meant(e) == e {
		return cannot
	}
	e = t.meant(e)
	value, ok := score(cmp.Or(e.Get("score"), "INFINITY"))
	why := t.unsayable(e, ok && value < 0)
	switch {
	case e.Has("score-attribute"):
		why = "a score that is an attribute of the node cannot be said"
	case why == "" && !ok:
		why = "this is no score"
	}
	if why != "" {
		t.SayWhole(cannot, e, "%s; omitted", why)
		return cannot
	}
	var met []string
	for _, n := range t.nodes {
		if t.meets(e, n) {
			met = append(met, n.name)
			t.weigh(targets, n.name, value)
		}
	}
	who := withDefault(strings.Join(met, ", "), "no node")
	kind, text := translated, "worked out now: it is true of "+who+", for "+strings.Join(targets, ", ")
	switch {
	case t.forATime(e):
		kind, text = changes, text+"; "+withoutEnd
	case t.asksAttributes(e):
		kind = changes
	case len(met) == 0 || len(met) == len(t.nodes) && value > -infinity && !t.optIn():
		kind = unneeded // Where all nodes are alike, none is preferred.
	}
	t.sayRule(e, kind, text)
	return kind
}

// forATime reports whether a rule has a date that decides it today and not for good.
func (t *translation) forATime(e *importing.Element) bool {
	return slices.ContainsFunc(e.Find("date_expression"), func(date *importing.Element) bool {
		return t.dates(date) == sometimes
	})
}

// weigh adds a score of a node for each of the services.
func (t *translation) weigh(targets []string, node string, value int) {
	for _, service := range targets {
		l := t.locationOf(service)
		l.scores[node] = sum(l.scores[node], value)
	}
}

func (t *translation) sayRule(e *importing.Element, kind importing.Kind, message string) {
	t.TellAll(kind, e, "%s", message)
	t.Container(e)
	for _, child := range e.Children {
		t.sayRule(child, kind, "part of the rule above")
	}
}

// unsayable tells why a rule cannot be worked out from the text, or "". Of a rule
// that keeps services away from nodes, a date that decides nothing for good counts
// as met: so nothing runs where it must not.
func (t *translation) unsayable(e *importing.Element, away bool) string {
	if len(e.Children) == 0 {
		return "a rule without an expression, or with one that is elsewhere, cannot be said"
	}
	for _, child := range e.Children {
		switch child.Name {
		case "rule":
			if why := t.unsayable(child, away); why != "" {
				return why
			}
		case "expression":
			if why := t.unsayableExpression(child); why != "" {
				return why
			}
		case "date_expression":
			if t.dates(child) == sometimes && !away {
				return "a rule that holds at some times only cannot be said"
			}
		default:
			return "a rule with <" + child.Name + "> cannot be said"
		}
	}
	if otherRole(e.Get("role")) {
		return noRoles
	}
	return ""
}

func (t *translation) unsayableExpression(e *importing.Element) string {
	name := e.Get("attribute")
	switch {
	case e.Has("value-source") && e.Get("value-source") != "literal":
		return "a rule that compares with a parameter of the resource cannot be said"
	case name == "#uname" || name == "#id":
		return ""
	case strings.HasPrefix(name, "#"):
		return "a rule about " + name + " cannot be said"
	}
	for _, n := range t.nodes {
		if _, has := n.attributes[name]; has {
			return ""
		}
	}
	return "no node has the attribute " + name + " written down: it is measured while the cluster runs (as by ping), " +
		"which is not there"
}

// asksAttributes reports whether a rule asks for more than names.
func (t *translation) asksAttributes(e *importing.Element) bool {
	for _, expression := range e.Find("expression") {
		if !strings.HasPrefix(expression.Get("attribute"), "#") {
			return true
		}
	}
	return false
}

func (t *translation) meets(rule *importing.Element, n *node) bool {
	any := strings.EqualFold(rule.Get("boolean-op"), "or")
	for _, child := range rule.Children {
		met := false
		switch child.Name {
		case "rule":
			met = t.meets(child, n)
		case "date_expression":
			met = t.dates(child) != never // One that decides nothing for good stands in bans alone.
		default:
			met = n.meets(child)
		}
		if met == any {
			return any
		}
	}
	return !any
}

func (n *node) meets(e *importing.Element) bool {
	value, has := n.attributes[e.Get("attribute")]
	switch e.Get("attribute") {
	case "#uname":
		value, has = n.name, true
	case "#id":
		value, has = n.id, true
	}
	wanted := e.Get("value")
	if e.Get("attribute") == "#uname" {
		wanted = importing.Name(wanted)
	}
	switch e.Get("operation") {
	case "defined":
		return has
	case "not_defined":
		return !has
	case "ne":
		return !has || value != wanted
	}
	if !has {
		return false
	}
	order := compare(value, wanted, e.Get("type"))
	switch e.Get("operation") {
	case "eq":
		return order == 0
	case "lt":
		return order < 0
	case "lte":
		return order <= 0
	case "gt":
		return order > 0
	case "gte":
		return order >= 0
	}
	return false
}

// compare compares as numbers where both are, unless they are said to be text.
func compare(a, b, kind string) int {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if kind != "string" && errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	return cmp.Compare(a, b)
}
