package rgconf

import (
	"cmp"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/internal/importing/fencing"
)

// declared is a fencedevice of the source.
type declared struct {
	element *importing.Element
	// users are the nodes with the outlet each uses.
	users map[[2]string]bool
}

// fenceDevices are the fencedevices by name.
type fenceDevices struct {
	byName map[string]*declared
	// made are the devices of the document by fencedevice, node and outlet.
	made map[[3]string]string
	// refused are those that could not be made; it was said why.
	refused map[[3]string]bool
}

// fenceDevices reads the declarations, and who uses them with which outlet: a
// device here belongs to one node.
func (t *translation) fenceDevices() *fenceDevices {
	devices := &fenceDevices{byName: map[string]*declared{}, made: map[[3]string]string{}, refused: map[[3]string]bool{}}
	for _, list := range t.top.All("fencedevices") {
		t.Container(list)
		for _, e := range list.All("fencedevice") {
			if name := e.Get("name"); name == "" || devices.byName[name] != nil {
				t.SayWhole(cannot, e, "a fence device needs a name of its own; this one is left out")
				continue
			}
			devices.byName[e.Get("name")] = &declared{element: e, users: map[[2]string]bool{}}
		}
	}
	for _, node := range t.top.Find("clusternode") {
		for _, use := range node.Find("device") {
			if d := devices.byName[use.Get("name")]; d != nil && use.Parent.Name == "method" {
				d.users[[2]string{importing.Name(node.Get("name")), outlet(use, d.element)}] = true
			}
		}
	}
	return devices
}

func outlet(use, device *importing.Element) string {
	agent := agentOf(device)
	return cmp.Or(fencing.Outlet(agent, device.Get), fencing.Outlet(agent, use.Get))
}

func (f *fenceDevices) agent(name string) string {
	if d := f.byName[name]; d != nil {
		return agentOf(d.element)
	}
	return ""
}

func agentOf(e *importing.Element) string { return cmp.Or(e.Get("agent"), "fence_"+e.Get("name")) }

// use translates one <device> in a method. It returns the name of the device in
// the document, or "" when this one adds none; less tells that the level proves less
// without it.
func (f *fenceDevices) use(t *translation, node string, use *importing.Element) (device string, less bool) {
	d := f.byName[use.Get("name")]
	if d == nil {
		t.SayAll(cannot, use, "no fencedevice has this name; left out")
		return "", true
	}
	if strings.EqualFold(cmp.Or(use.Get("action"), use.Get("option")), "on") {
		t.SayAll(changes, use, "nothing switches a fenced machine on again: look why it was fenced, and switch it on then")
		return "", false
	}
	id := [3]string{use.Get("name"), node, outlet(use, d.element)}
	name, made := f.made[id]
	if !made && !f.refused[id] {
		name = f.make(t, d, id, use)
		f.made[id] = name
		f.refused[id] = name == ""
	}
	f.tellUse(t, name, use)
	return name, name == "" && fencing.Lessens(agentOf(d.element))
}

// tellUse speaks of the attributes of a use.
func (f *fenceDevices) tellUse(t *translation, name string, use *importing.Element) {
	if name == "" {
		t.Tell(cannot, use, use.Names(), "left out with its fencedevice")
		return
	}
	t.Tell(translated, use, []string{"name", "port", "plug"}, "device %s", name)
	if delay := use.Get("delay"); delay != "" && delay != "0" {
		t.delayed(use, delay)
		t.Tell(changes, use, []string{"delay"},
			"nobody waits before a shot: a majority decides who is lost, so nodes cannot shoot at each other. With "+
				"two_node, the node whose shot was delayed is the favoured one")
	}
	t.Tell(unneeded, use, []string{"delay"}, "no delay")
	switch action := cmp.Or(use.Get("action"), use.Get("option")); action {
	case "reboot", "off", "":
		t.Tell(changes, use, []string{"action", "option"},
			"%s: the machine is switched off, proven off, and stays off", action)
	default:
		t.Tell(cannot, use, []string{"action", "option"}, "only off is done; the machine is switched off")
	}
	t.Tell(unneeded, use, use.Names(), "as where device %s was named first", name)
}

// useWords are the attributes of a use that tellUse speaks of.
var useWords = []string{"delay", "action", "option"}

// delayed remembers for how long the shot at a node was delayed: that node was
// meant to survive.
func (t *translation) delayed(e *importing.Element, delay string) {
	node := ""
	for at := e; at != nil && node == ""; at = at.Parent {
		if at.Name == "clusternode" {
			node = importing.Name(at.Get("name"))
		}
	}
	if wait, err := importing.ReadSpan(delay); err == nil {
		t.waits[node] = max(t.waits[node], wait)
	}
}

// make declares a device of the document for one node and outlet.
func (f *fenceDevices) make(t *translation, d *declared, id [3]string, use *importing.Element) string {
	target := fencing.Device{Name: d.element.Get("name"), Agent: agentOf(d.element), Values: merged(d.element, use),
		Advise: t.Advise,
		Tell: func(kind importing.Kind, names []string, format string, arguments ...any) {
			said := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "name" && len(d.users) > 1 })
			t.Tell(kind, d.element, said, format, arguments...)
			// What the fencedevice says too, it says instead of the use.
			own := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
				return d.element.Has(name) || name == "name" || slices.Contains(useWords, name)
			})
			t.Tell(kind, use, own, format, arguments...)
		},
		Say: func(kind importing.Kind, format string, arguments ...any) {
			t.Say(kind, d.element, nil, format, arguments...)
		}}
	if id[0] != "" && d.element.Get("agent") == "fence_"+id[0] {
		t.Tell(unneeded, d.element, []string{"agent"}, "the device is named like its program")
	}
	made := target.Translate()
	if made == nil {
		t.Tell(cannot, d.element, d.element.Names(), "left out")
		return ""
	}
	if delay := d.element.Get("delay"); delay != "" {
		t.delayed(use, delay)
	}
	name := f.nameFor(t, d, id)
	t.draft.Devices.Set(name, made)
	return name
}

// nameFor keeps a fencedevice's name where it has one user, and tells several
// users apart by node and outlet.
func (f *fenceDevices) nameFor(t *translation, d *declared, id [3]string) string {
	if len(d.users) <= 1 {
		return importing.Free(id[0], t.draft.Devices)
	}
	name, outlets := id[0]+"-"+id[1], 0
	for user := range d.users {
		if user[0] == id[1] {
			outlets++
		}
	}
	if outlets > 1 && id[2] != "" {
		name += "-" + id[2]
	}
	t.Say(changes, d.element, []string{"name"}, "a device belongs to one node and outlet here: this one becomes %s", name)
	return importing.Free(name, t.draft.Devices)
}

// merged are the parameters as fenced gives them to the agent: those of the use,
// then those of the fencedevice, of which the last wins.
func merged(device, use *importing.Element) map[string]string {
	values := map[string]string{}
	for _, e := range []*importing.Element{use, device} {
		for _, a := range e.Attributes {
			if a.Name != "name" && a.Name != "agent" {
				values[a.Name] = a.Value
			}
		}
	}
	return values
}

// closing speaks of fencedevices that nobody uses.
func (f *fenceDevices) closing(t *translation) {
	var names []string
	for name := range f.byName {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if d := f.byName[name]; len(d.users) == 0 {
			t.SayAll(cannot, d.element, "no node names this device in a method, so nobody would be fenced by it; left out")
		}
	}
}
