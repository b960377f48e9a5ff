package cib

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/internal/importing/fencing"
)

// fencing translates the topology into levels, and devices with them.
func (t *translation) fencing(c *importing.Element) {
	levels := map[string]map[int][]string{}
	for _, topology := range c.All("fencing-topology") {
		t.Container(topology)
		for _, e := range topology.All("fencing-level") {
			t.level(e, levels)
		}
	}
	for _, n := range t.nodes {
		var list [][]string
		// A node that a level names has no others, even when none of them is left.
		if chosen, named := levels[n.name]; named {
			indexes := slices.Sorted(maps.Keys(chosen))
			for _, index := range indexes {
				made := t.levelDevices(n.name, chosen[index])
				if len(made) == 0 {
					t.levelLost(c, n.name, index)
				}
				list = append(list, made)
			}
		} else {
			usable := t.usable(n.name)
			for _, id := range usable {
				t.devices[id].chosen = true
				t.devices[id].ranked = t.devices[id].ranked || len(usable) > 1
				list = append(list, t.levelDevices(n.name, []string{id}))
			}
		}
		list = slices.DeleteFunc(list, func(level []string) bool { return len(level) == 0 })
		if len(list) > 0 {
			t.draft.Nodes.Mapping(n.name).Set("fence", list)
		} else {
			t.unfenced = append(t.unfenced, n.name)
		}
	}
	for _, name := range t.unfenced {
		t.sayNode(name)
	}
	t.unused()
}

// levelLost takes back what was said of a level of which no device could be made.
func (t *translation) levelLost(c *importing.Element, node string, index int) {
	for _, e := range c.Find("fencing-level") {
		if number, err := strconv.Atoi(e.Get("index")); err == nil && number == index &&
			slices.Contains(t.leveledNodes(e), node) {
			t.SayAll(cannot, e, "of %s its devices cannot be made, so it is omitted there", node)
		}
	}
}

func (t *translation) sayNode(name string) {
	for _, e := range t.top.Find("node") {
		if n := t.nodeNamed(e.Get("uname")); n != nil && n.name == name && e.Parent.Name == "nodes" {
			t.Say(cannot, e, nil, "no fence device is left for this node: it is `unprotected`, and when it is lost, what "+
				"ran there stays down until somebody says `clusterd fence confirm %s`", name)
			return
		}
	}
}

// leveledNodes are the nodes that a level is for.
func (t *translation) leveledNodes(e *importing.Element) []string {
	var nodes []string
	pattern, patternErr := regexp.Compile(e.Get("target-pattern"))
	for _, n := range t.nodes {
		switch {
		case e.Has("target"):
			if t.nodeNamed(e.Get("target")) == n {
				nodes = append(nodes, n.name)
			}
		case e.Has("target-pattern"):
			if patternErr == nil && pattern.MatchString(n.name) {
				nodes = append(nodes, n.name)
			}
		case e.Has("target-attribute"):
			if n.attributes[e.Get("target-attribute")] == e.Get("target-value") {
				nodes = append(nodes, n.name)
			}
		}
	}
	return nodes
}

// level reads one <fencing-level>.
func (t *translation) level(e *importing.Element, levels map[string]map[int][]string) {
	index, err := strconv.Atoi(e.Get("index"))
	nodes := t.leveledNodes(e)
	ids := strings.FieldsFunc(e.Get("devices"), func(r rune) bool { return r == ',' || r == ' ' })
	if err != nil || len(nodes) == 0 || len(ids) == 0 {
		t.SayAll(cannot, e, "no node of this name, or no device; left out")
		return
	}
	for _, node := range nodes {
		if levels[node] == nil {
			levels[node] = map[int][]string{}
		}
	}
	ids, lost := t.leveled(ids)
	for _, id := range lost {
		if d := t.devices[id]; id != implicitWatchdog && len(ids) > 0 && (d == nil || fencing.Lessens(d.agent)) {
			t.SayAll(cannot, e, "%s is not in the document, and %s", id, fencing.AboutRest)
			return
		}
	}
	if len(ids) == 0 {
		t.SayAll(cannot, e, "none of its devices is left (%s); this level is left out", strings.Join(lost, ", "))
		return
	}
	for _, node := range nodes {
		levels[node][index] = append(levels[node][index], ids...)
	}
	t.SayAll(translated, e, "level %d of %s", index, strings.Join(nodes, ", "))
	for _, id := range lost {
		t.Say(changes, e, nil, "%s is left out of this level; the rest of it decides", id)
	}
}

// implicitWatchdog is the device that Pacemaker has without a declaration, where sbd
// runs with no disk.
const implicitWatchdog = "watchdog"

// leveled divides the devices that a level names into those that there are and
// those that could not be made.
func (t *translation) leveled(named []string) (ids, lost []string) {
	for _, name := range named {
		for _, id := range t.members(name) {
			if d := t.devices[id]; d == nil || d.refused {
				lost = append(lost, id)
				continue
			}
			ids = append(ids, id)
		}
	}
	return ids, lost
}

// usable are the devices that can fence a node, the highest priority first:
// without a topology they were tried one after the other.
func (t *translation) usable(node string) []string {
	var ids []string
	for _, id := range sortedKeys(t.devices) {
		if d := t.devices[id]; !d.refused && d.outlets[node] != nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return t.devices[a].before(t.devices[b]) })
	return ids
}

// levelDevices makes the devices of one level.
func (t *translation) levelDevices(node string, ids []string) []string {
	var names []string
	for _, id := range ids {
		d := t.devices[id]
		if d == nil {
			continue
		}
		if d.outlets[node] == nil {
			d.outlets[node] = []string{""}
		}
		if d.made[node] == nil {
			d.made[node] = t.makeDevices(d, node)
		}
		if len(d.made[node]) == 0 && len(ids) > 1 && fencing.Lessens(d.agent) {
			t.Say(cannot, d.element, nil, "of %s it cannot be made, and %s", node, fencing.AboutRest)
			return nil
		}
		for _, name := range d.made[node] {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}
