package cib

import (
	"fmt"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/resources"
)

// single makes a service of a primitive that stands alone.
func (t *translation) single(i *item) {
	if name := t.tree(i.element, []*item{i}, 0); name != "" {
		t.services[i.id] = []string{name}
	}
}

// tree makes a service of members that start one after the other. earlier is how
// many services the same group has already become.
func (t *translation) tree(e *importing.Element, members []*item, earlier int) string {
	wanted := e.Get("id")
	if earlier > 0 {
		wanted += fmt.Sprintf("-%d", earlier+1)
	}
	var parts []resources.Resource
	spec := importing.NewMapping()
	for _, i := range members {
		if r := t.resource(i, spec); r != nil {
			parts = append(parts, *r)
		}
	}
	if len(parts) == 0 {
		if e.Name == "group" {
			t.Say(cannot, e, nil, "nothing is left of it; left out")
		}
		return ""
	}
	name, made := t.declare(&item{element: e}, "service", wanted)
	if name == "" {
		return ""
	}
	t.demand(made, members)
	first := members[0]
	t.policy(&item{element: e, meta: first.meta}, name, made)
	for _, i := range members[1:] {
		// What its template or a default says holds for it too.
		t.unmanaged(i.meta, name, made)
		i.own.tell(unneeded, asEverything, "is-managed", "maintenance")
		t.sticky(i, name) // A group is as sticky as its members together.
		i.own.tell(cannot, "counted for the whole service, by what is written at its first member and at the group",
			i.own.names()...)
	}
	for _, key := range spec.Keys() {
		made.Set(key, spec.Text(key))
	}
	if t.fencesByItself() && !made.Has("stop_failure") {
		made.Set("stop_failure", "fence")
	}
	tree := inOrder(parts)
	if !keepsOrder(tree, parts) {
		t.Say(cannot, e, nil, "its order cannot be kept with a tree of %d levels; look at the order that `clusterd "+
			"config check` prints", resources.MaxDepth)
	}
	t.draft.SetTree(name, tree)
	return name
}

// fencesByItself reports whether Pacemaker fenced a node on which a stop failed.
func (t *translation) fencesByItself() bool {
	on, _ := importing.Truth(t.properties.get("stonith-enabled"))
	return on || !t.properties.has("stonith-enabled")
}

// resource translates one primitive into a resource. It returns nil when that
// cannot be.
func (t *translation) resource(i *item, spec *importing.Mapping) *resources.Resource {
	t.services[i.id] = nil
	kind := ""
	switch i.class {
	case "ocf":
		kind = "ocf:" + i.provider + ":" + i.kind
	case "systemd", "lsb":
		kind = i.class + ":" + i.kind
	case "service":
		kind = "systemd:" + i.kind
		t.Say(changes, i.element, []string{"class"}, "%s; where it is an init script, write lsb:%s", kind, i.kind)
	}
	if !resources.GoodType(kind) {
		t.SayWhole(cannot, i.element, "there is no agent of class %q with this name; left out", i.class)
		return nil
	}
	r := &resources.Resource{Type: kind, Name: t.draft.Label(kind, i.id), Parameters: map[string]string{}}
	t.Tell(translated, i.element, i.element.Names(), "resource %s", r.Label())
	for _, name := range i.params.names() {
		if t.sealed(i, name) {
			continue
		}
		if !importing.GoodParameter(name, i.params.get(name)) {
			i.params.tell(cannot, "no document takes a parameter of this name, or one so long; left out", name)
			continue
		}
		r.Parameters[name] = i.params.get(name)
		if importing.Secret(name, i.params.get(name)) {
			i.params.tell(changes, "a secret parameter: the cluster keeps it sealed, and `clusterd config show` masks it",
				name)
		}
	}
	i.params.tellAll(translated, "parameter of "+kind)
	for _, op := range i.ops {
		t.operation(r, op, spec)
	}
	t.defaultTimes(r)
	t.defaultFailure(spec)
	if len(r.Checks) == 0 {
		t.unchecked(i)
	}
	return r
}

// inOrder makes a tree in which the parts start in their order and stop in the
// opposite one. Siblings are ordered by type, so where that differs, what comes
// later is nested below what comes before.
func inOrder(parts []resources.Resource) []resources.Resource {
	return nest(nil, parts)
}

func nest(parent *resources.Resource, parts []resources.Resource) []resources.Resource {
	for count := len(parts); count > 1; count-- {
		siblings := append([]resources.Resource{}, parts[:count]...)
		if !keepsOrder(under(parent, siblings), append(withParent(parent), siblings...)) {
			continue
		}
		return below(siblings, parts[count:])
	}
	return below(append([]resources.Resource{}, parts[:1]...), parts[1:])
}

// below hangs the rest under the last sibling.
func below(siblings, rest []resources.Resource) []resources.Resource {
	if len(rest) > 0 {
		last := &siblings[len(siblings)-1]
		last.Children = nest(last, rest)
	}
	return siblings
}

func withParent(parent *resources.Resource) []resources.Resource {
	if parent == nil {
		return nil
	}
	return []resources.Resource{*parent}
}

func under(parent *resources.Resource, siblings []resources.Resource) []resources.Resource {
	if parent == nil {
		return siblings
	}
	top := *parent
	top.Children = siblings
	return []resources.Resource{top}
}

// keepsOrder reports whether a tree starts the parts in their order and stops them
// in the opposite one, and is no deeper than a document takes.
func keepsOrder(tree, parts []resources.Resource) bool {
	starts, stops := resources.StartOrder(tree), resources.StopOrder(tree)
	if len(starts) != len(parts) {
		return false
	}
	for n, part := range parts {
		if starts[n].Resource.Label() != part.Label() || stops[len(parts)-1-n].Resource.Label() != part.Label() ||
			starts[n].Depth >= resources.MaxDepth {
			return false
		}
	}
	return true
}
