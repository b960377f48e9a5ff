package cib

import (
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// node is one node of the source with its permanent attributes.
type node struct {
	name, id   string
	attributes map[string]string
}

func (t *translation) readNodes(c *importing.Element) {
	for _, list := range c.All("nodes") {
		t.Container(list)
		for _, e := range list.All("node") {
			t.node(e)
		}
	}
}

func (t *translation) node(e *importing.Element) {
	given := e.Get("uname")
	if given == "" {
		given = e.Get("id")
	}
	name := importing.Name(given)
	switch kind := e.Get("type"); {
	case kind == "remote":
		t.SayWhole(cannot, e, "a remote node without the cluster's own daemon is not supported; run clusterd on it")
		return
	case t.draft.Nodes.Has(name):
		t.SayWhole(cannot, e, "a node needs a name of its own; left out")
		return
	}
	t.draft.Nodes.Set(name, importing.Line())
	t.SayAll(translated, e, "node %s", name)
	attributes := t.pairs(e, "instance_attributes")
	n := &node{name: name, id: e.Get("id"), attributes: map[string]string{}}
	t.nodes = append(t.nodes, n)
	for _, key := range attributes.names() {
		n.attributes[key] = attributes.get(key)
	}
	for _, key := range []string{"standby", "maintenance"} {
		if on, _ := importing.Truth(attributes.get(key)); on {
			attributes.tell(changes, "a document does not say this of a node; say it once the node has joined: clusterd node "+
				key+" "+name, key)
			t.Advise("Node %s was in %s: as soon as it has joined, clusterd node %s %s.", name, key, key, name)
		}
		attributes.tell(unneeded, "not set", key)
	}
	attributes.tellAll(changes, "attributes of nodes are not supported; the location rules that ask for this one are "+
		"worked out, once, below")
	t.nodeUtilization(e)
	if strings.Contains(name, ".") {
		t.Advise("Nodes have full host names here, and without more clusterd takes the part before the first dot. Write " +
			"`name: ...` into /etc/clusterd/node.yaml of each.")
	}
}

// nodeNamed finds a node by its name or id.
func (t *translation) nodeNamed(given string) *node {
	for _, n := range t.nodes {
		if strings.EqualFold(n.name, importing.Name(given)) || n.id == given {
			return n
		}
	}
	return nil
}

func (t *translation) nodeNames() []string {
	var names []string
	for _, n := range t.nodes {
		names = append(names, n.name)
	}
	slices.Sort(names)
	return names
}

// readTags reads the names that stand for several resources.
func (t *translation) readTags(c *importing.Element) {
	for _, list := range c.All("tags") {
		t.Container(list)
		for _, tag := range list.All("tag") {
			for _, ref := range tag.All("obj_ref") {
				t.tags[tag.Get("id")] = append(t.tags[tag.Get("id")], ref.Get("id"))
			}
		}
	}
}

// tellTags speaks of the tags once it is known which of them constraints name.
func (t *translation) tellTags(c *importing.Element) {
	for _, list := range c.All("tags") {
		for _, tag := range list.All("tag") {
			if !t.tagged[tag.Get("id")] {
				t.SayWhole(unneeded, tag, "no constraint names it")
				continue
			}
			t.SayAll(translated, tag, "put in place where a constraint names it")
			for _, ref := range tag.All("obj_ref") {
				switch f := t.fates([]string{ref.Get("id")}); {
				case len(f.lost) > 0:
					t.SayAll(cannot, ref, "%s", aboutNothing)
				case f.fencing:
					t.SayAll(unneeded, ref, "%s", aboutStonith)
				default:
					t.SayAll(translated, ref, "one of the tag above")
				}
			}
		}
	}
}
