package cib

import (
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// item is one primitive or group.
type item struct {
	element               *importing.Element
	id                    string
	class, provider, kind string
	params                *pairs
	// meta are its own meta attributes, then its group's, its template's, and the
	// defaults: the first that is there counts.
	meta *pairs
	own  *pairs
	// takes is what it was said to take of its node.
	takes *pairs
	ops   []*importing.Element
}

func (i *item) isVM() bool {
	return i.class == "ocf" && i.provider == "heartbeat" && i.kind == "VirtualDomain"
}

// resources translates everything under <resources>.
func (t *translation) resources(c *importing.Element) {
	for _, list := range c.All("resources") {
		t.Container(list)
		for _, e := range list.Children {
			switch e.Name {
			case "primitive":
				t.primitive(e)
			case "group":
				t.group(e)
			case "clone", "master", "bundle":
				t.everywhere(e)
			case "template":
				if e.Get("class") == "stonith" {
					t.fenced[e.Get("id")] = true
				}
				t.SayAll(translated, e, "put in place where a primitive refers to it")
			}
		}
	}
}

// everywhere speaks of what runs on several nodes at once. Stonith devices were
// often cloned, which is no matter here.
func (t *translation) everywhere(e *importing.Element) {
	stonith := t.fenceDevicesBelow(e)
	if len(stonith) > 0 {
		t.fenced[e.Get("id")] = true
		for _, p := range stonith {
			t.stonith(t.read(p, above(p, e)...))
		}
		for _, inner := range append(e.All("group"), e) {
			t.SayAll(unneeded, inner, aboutStonith)
			t.tellFenceMeta(inner, aboutStonith)
		}
		return
	}
	switch {
	case e.Name == "bundle":
		t.SayWhole(cannot, e, "bundles of containers are not supported; run the containers by systemd, or in VMs")
	case e.Name == "master" || t.promotable(e):
		t.SayWhole(cannot, e, "promotable resources (master and slave) are not supported; let the database or the "+
			"storage choose its own master")
	default:
		t.SayWhole(cannot, e, "a service runs on one node at a time. What shall run on every node belongs to each host: "+
			"enable it in systemd there")
	}
}

func (t *translation) promotable(e *importing.Element) bool {
	yes, _ := importing.Truth(t.pairs(e, "meta_attributes").get("promotable"))
	return yes
}

// fenceDevicesBelow are the primitives of an element, or of a group in it, that
// are fence devices.
func (t *translation) fenceDevicesBelow(e *importing.Element) []*importing.Element {
	var found []*importing.Element
	for _, p := range e.Find("primitive") {
		if t.classOf(p) == "stonith" {
			found = append(found, p)
		}
	}
	return found
}

// classOf is a primitive's class, or that of its template.
func (t *translation) classOf(p *importing.Element) string {
	if template := t.templateOf(p); template != nil {
		return template.Get("class")
	}
	return p.Get("class")
}

func (t *translation) templateOf(p *importing.Element) *importing.Element {
	if template := t.byID[p.Get("template")]; template != nil && template.Name == "template" {
		return template
	}
	return nil
}

// above are the elements that a primitive stands in, the innermost first, up to one of
// them.
func above(p, top *importing.Element) (list []*importing.Element) {
	for e := p.Parent; e != nil; e = e.Parent {
		list = append(list, e)
		if e == top {
			break
		}
	}
	return list
}

// tellFenceMeta speaks of what a group or a clone says of the fence devices in it.
func (t *translation) tellFenceMeta(e *importing.Element, message string) {
	meta := t.pairs(e, "meta_attributes")
	if strings.EqualFold(meta.get("target-role"), "Stopped") {
		meta.tell(cannot, "the fence devices in it were switched off; those that do not say otherwise are left out",
			"target-role")
	}
	meta.tell(changes, "the order of the levels, where no topology says another", "priority")
	meta.tellAll(unneeded, message)
}

// read takes a primitive's own values, and below them those of what it stands in and
// its template's.
func (t *translation) read(e *importing.Element, parents ...*importing.Element) *item {
	t.Tell(unneeded, e, []string{"description"}, "write it as a comment")
	i := &item{element: e, id: e.Get("id"), class: e.Get("class"), provider: e.Get("provider"), kind: e.Get("type"),
		params: t.pairs(e, "instance_attributes"), own: t.pairs(e, "meta_attributes"),
		takes: t.pairs(e, "utilization")}
	i.meta = &pairs{t: t, list: i.own.list}
	i.ops = t.operations(e)
	for _, parent := range parents {
		i.meta.add(t.pairs(parent, "meta_attributes"))
	}
	if template := t.templateOf(e); template != nil {
		// A constraint that names a template is about everything that is made of it.
		t.tags[template.Get("id")] = append(t.tags[template.Get("id")], i.id)
		i.class, i.provider, i.kind = template.Get("class"), template.Get("provider"), template.Get("type")
		i.params.add(t.pairs(template, "instance_attributes"))
		i.takes.add(t.pairs(template, "utilization"))
		i.meta.add(t.pairs(template, "meta_attributes"))
		i.ops = append(i.ops, t.inherited(i.ops, t.operations(template))...)
	}
	i.meta.add(t.defaults)
	t.items[i.id] = i
	return i
}

func (t *translation) operations(e *importing.Element) []*importing.Element {
	var ops []*importing.Element
	for _, list := range e.All("operations") {
		t.Container(list)
		t.refers(list)
		for _, op := range t.meant(list).All("op") {
			t.refers(op)
			ops = append(ops, t.meant(op))
		}
	}
	return ops
}

// inherited are the operations of a template that a primitive does not declare
// itself: one of the same name and interval takes the template's place.
func (t *translation) inherited(own, below []*importing.Element) []*importing.Element {
	return slices.DeleteFunc(below, func(op *importing.Element) bool {
		return slices.ContainsFunc(own, func(mine *importing.Element) bool {
			a, _ := importing.ReadSpan(mine.Get("interval"))
			b, _ := importing.ReadSpan(op.Get("interval"))
			return mine.Get("name") == op.Get("name") && a == b
		})
	})
}

// primitive translates one that stands alone.
func (t *translation) primitive(e *importing.Element) {
	i := t.read(e)
	switch {
	case i.class == "stonith":
		t.stonith(i)
	case i.isVM():
		t.vm(i)
	default:
		t.single(i)
	}
}

// group translates a group: its VMs are services of their own, and what stands
// between them is one service each. Each of these depends on the one before and
// runs where that runs.
func (t *translation) group(e *importing.Element) {
	members := e.All("primitive")
	if devices := t.fenceDevicesBelow(e); len(devices) > 0 {
		members = slices.DeleteFunc(members, func(p *importing.Element) bool { return slices.Contains(devices, p) })
		t.fenceGroup(e, devices, len(members) == 0)
		if len(members) == 0 {
			return
		}
	}
	t.SayAll(translated, e, "its members start in their order, on one node")
	t.groupSwitches(e)
	var chunk []*item
	var made []string
	close := func() {
		if len(chunk) > 0 {
			if name := t.tree(e, chunk, len(made)); name != "" {
				made = append(made, name)
			}
			chunk = nil
		}
	}
	for _, p := range members {
		i := t.read(p, e)
		if !i.isVM() {
			chunk = append(chunk, i)
			continue
		}
		close()
		if name := t.vm(i); name != "" {
			made = append(made, name)
		}
	}
	close()
	t.services[e.Get("id")] = made
	for n := 1; n < len(made); n++ {
		t.Say(changes, e, nil, "%s is a service of its own: it runs together with %s and depends on it", made[n], made[n-1])
		t.together(made[n], made[n-1])
		t.dependOn(made[n], made[n-1], "hard")
	}
}

// fenceGroup reads the fence devices of a group: each is one as if it stood
// alone, and those of one node are its levels in the group's order.
func (t *translation) fenceGroup(e *importing.Element, devices []*importing.Element, whole bool) {
	if whole {
		t.fenced[e.Get("id")] = true
		t.SayAll(unneeded, e, "fence devices do not run; those of one node are tried in this order")
	}
	for position, p := range devices {
		i := t.read(p, e)
		t.stonith(i)
		t.devices[i.id].place = devicePlace{group: e.Get("id"), position: position}
	}
	if whole {
		t.tellFenceMeta(e, "a fence device is no service")
	}
}

func (t *translation) groupSwitches(e *importing.Element) {
	meta := t.pairs(e, "meta_attributes")
	for _, flag := range []known{{names: []string{"ordered"}, message: "members start in their order, always"},
		{names: []string{"collocated"}, message: "members run on one node, always"}} {
		key := flag.names[0]
		if on, ok := importing.Truth(meta.get(key)); meta.has(key) && ok && !on {
			meta.tell(changes, flag.message, key)
		}
		meta.tell(unneeded, flag.message, key)
	}
}
