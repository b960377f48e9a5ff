package cib

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/internal/importing/fencing"
)

// fenceDevice is one stonith resource.
type fenceDevice struct {
	*item
	agent    string
	priority int
	place    devicePlace
	// outlets are the device's ports by node; a node without one has "".
	outlets map[string][]string
	// refused tells that no device can be made; it was said why.
	refused bool
	// chosen: no level names it, it fences the nodes that it names itself. ranked:
	// there it is one of several.
	chosen, ranked bool
	// made are its devices in the document by node.
	made map[string][]string
}

// devicePlace orders devices of one priority: by name, and those of a group in the
// group's order.
type devicePlace struct {
	group    string
	position int
}

func (d *fenceDevice) before(other *fenceDevice) int {
	return cmp.Or(cmp.Compare(other.priority, d.priority),
		cmp.Compare(cmp.Or(d.place.group, d.id), cmp.Or(other.place.group, other.id)),
		cmp.Compare(d.place.position, other.place.position), cmp.Compare(d.id, other.id))
}

// members are the devices that an id of a level means: itself, or those of the
// group of this name.
func (t *translation) members(id string) []string {
	var ids []string
	for _, other := range sortedKeys(t.devices) {
		if t.devices[other].place.group == id {
			ids = append(ids, other)
		}
	}
	if len(ids) == 0 {
		return []string{id}
	}
	slices.SortFunc(ids, func(a, b string) int { return t.devices[a].before(t.devices[b]) })
	return ids
}

// listSeparators are those of pcmk_host_list.
var listSeparators = regexp.MustCompile(`[\s,;]+`)

// stonith reads a fence device.
func (t *translation) stonith(i *item) {
	d := &fenceDevice{item: i, agent: i.kind, outlets: map[string][]string{}, made: map[string][]string{}}
	t.devices[i.id] = d
	t.fenced[i.id] = true
	d.priority, _ = score(i.meta.get("priority"))
	if i.kind == "external/ipmi" {
		d.agent = "fence_ipmilan"
	}
	if strings.EqualFold(i.meta.get("target-role"), "Stopped") {
		t.SayWhole(cannot, i.element, "this device was switched off (target-role Stopped); left out")
		d.refused = true
		return
	}
	if refusal := fencing.Refusal(d.agent); refusal != "" {
		t.SayWhole(cannot, i.element, "%s; left out", refusal)
		d.refused = true
		return
	}
	if !strings.HasPrefix(d.agent, "fence_") {
		t.SayWhole(cannot, i.element, "this is no program of the fence-agents project, and no other kind is driven; left out")
		d.refused = true
		return
	}
	for _, op := range i.ops {
		t.sayOp(unneeded, op, "each device is checked every 30 s")
	}
	for _, name := range i.own.names() {
		if name != "priority" {
			i.own.tell(unneeded, "a fence device is no service", name)
		}
	}
	i.takes.tellAll(unneeded, "a fence device takes nothing of its node")
	for _, name := range d.params.names() {
		t.sealed(d.item, name)
	}
	t.hosts(d)
}

// hosts reads whom the device can fence.
func (t *translation) hosts(d *fenceDevice) {
	for _, m := range hostMap(d.params.get("pcmk_host_map")) {
		ports := strings.FieldsFunc(m.ports, func(r rune) bool { return r == ',' })
		n := t.nodeNamed(m.name)
		switch about := d.params.find("pcmk_host_map"); {
		case m.name == "" || len(ports) == 0:
			t.SayAll(cannot, about, "%q is no node with its outlet; left out", m.entry)
		case n == nil:
			t.SayAll(cannot, about, "%q names no node of the cluster; left out", m.entry)
		default:
			d.outlets[n.name] = ports
		}
	}
	named := d.params.get("pcmk_host_list")
	if d.kind == "external/ipmi" {
		named = d.params.get("hostname")
	}
	for _, name := range listSeparators.Split(named, -1) {
		if n := t.nodeNamed(name); n != nil && d.outlets[n.name] == nil {
			d.outlets[n.name] = []string{""}
		}
	}
	d.params.tell(unneeded, "a node's device is the one that its levels name", "pcmk_host_check", "pcmk_host_argument")
	d.params.tell(changes,
		"nobody waits before a shot: a majority decides who is lost, so nodes cannot shoot at each other", "pcmk_delay_max",
		"pcmk_delay_base")
	for _, name := range d.params.names() {
		if strings.HasPrefix(name, "pcmk_") && name != "pcmk_host_list" && name != "pcmk_host_map" {
			d.params.tell(unneeded, "a level has 30 s for all its devices and readings together, and only off is sent", name)
		}
	}
}

// mapping is one entry of a pcmk_host_map.
type mapping struct {
	entry, name, ports string
}

// hostMap takes a pcmk_host_map apart. Entries end at a semicolon or a blank, names at a
// colon or an equals sign; a backslash takes the meaning from what follows it. Of several
// names in one entry the last counts.
func hostMap(text string) (all []mapping) {
	var m mapping
	var word strings.Builder
	next := func() {
		if m.ports = word.String(); m.entry != "" {
			all = append(all, m)
		}
		m = mapping{}
		word.Reset()
	}
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			escaped = false
			word.WriteRune(r)
		case r == '\\':
			escaped = true
		case strings.ContainsRune("; \t\r\n", r):
			next()
			continue
		case r == ':' || r == '=':
			m.name = word.String()
			word.Reset()
		default:
			word.WriteRune(r)
		}
		m.entry += string(r)
	}
	next()
	return all
}

// makeDevices declares one device for each outlet of a node.
func (t *translation) makeDevices(d *fenceDevice, node string) []string {
	names := []string{}
	for _, outlet := range d.outlets[node] {
		target := fencing.Device{Name: d.id, Agent: d.agent, Values: d.values(outlet), Advise: t.Advise,
			Tell: t.tellDevice(d),
			Say: func(kind importing.Kind, format string, arguments ...any) {
				t.Say(kind, d.element, nil, format, arguments...)
			}}
		made := target.Translate()
		if made == nil {
			d.refused = true
			return nil
		}
		name := importing.Free(d.nameFor(node, outlet), t.draft.Devices)
		t.draft.Devices.Set(name, made)
		names = append(names, name)
		t.Say(translated, d.element, nil, "device %s of %s, driver %s", name, node, made.Text("driver"))
	}
	return names
}

// mapped reports whether a device made here switches an outlet that it names.
func (d *fenceDevice) mapped() bool {
	for node := range d.made {
		for _, outlet := range d.outlets[node] {
			if outlet != "" {
				return true
			}
		}
	}
	return false
}

func (d *fenceDevice) nameFor(node, outlet string) string {
	name := d.id
	if len(d.outlets) > 1 {
		name += "-" + node
	}
	if len(d.outlets[node]) > 1 {
		name += "-" + outlet
	}
	return name
}

// oldNames are external/ipmi's parameters as fence_ipmilan calls them.
var oldNames = map[string]string{"userid": "login", "priv": "privlvl", "hostname": "", "interface": "lanplus"}

// sealedValue is what a CIB holds in place of a value that cibsecret keeps in a file.
const sealedValue = "lrm://"

// sealed reports whether a parameter's value is not in the CIB, and says so.
func (t *translation) sealed(i *item, name string) bool {
	if i.params.get(name) != sealedValue {
		return false
	}
	t.Advise("Write the value of %s of %s into the document: `cibsecret get %s %s` prints it on a node.",
		name, i.id, i.id, name)
	i.params.tell(cannot, "its value is not in the CIB but in a file of the nodes, "+
		"below /var/lib/pacemaker/lrm/secrets; left out", name)
	return true
}

// values are what the agent is told.
func (d *fenceDevice) values(outlet string) map[string]string {
	values := map[string]string{}
	for _, name := range d.params.names() {
		if strings.HasPrefix(name, "pcmk_") || d.params.get(name) == sealedValue {
			continue
		}
		value, key := d.params.get(name), name
		if renamed, old := oldNames[name]; old && d.kind == "external/ipmi" {
			key = renamed
			if name == "interface" {
				value = map[bool]string{true: "1", false: "0"}[value == "lanplus"]
			}
		}
		if key != "" {
			values[key] = value
		}
	}
	if outlet != "" {
		values["plug"] = outlet
		delete(values, "port")
	}
	return values
}

// tellDevice speaks of parameters by the names that fencing knows them by.
func (t *translation) tellDevice(d *fenceDevice) func(importing.Kind, []string, string, ...any) {
	return func(kind importing.Kind, names []string, format string, arguments ...any) {
		for _, name := range names {
			pair := d.params.find(name)
			for old, renamed := range oldNames {
				if pair == nil && renamed == name && d.kind == "external/ipmi" {
					pair = d.params.find(old)
				}
			}
			if pair != nil && !pair.Told("value") {
				t.SayAll(kind, pair, format, arguments...)
			}
		}
	}
}

// unused speaks of devices that fence nobody, and of what is left of all others.
func (t *translation) unused() {
	for _, id := range sortedKeys(t.devices) {
		d := t.devices[id]
		switch {
		case d.refused || len(d.made) > 0:
		case len(d.outlets) > 0:
			t.Say(cannot, d.element, nil, "the levels of the nodes that it fences name other devices; left out, as it was")
		default:
			t.Say(cannot, d.element, nil, "it names no node (pcmk_host_list, pcmk_host_map), and no device is asked whom "+
				"it can fence; left out")
			t.Advise("Write whom %s fences: pcmk_host_list at the source, or `fence` of the node here.", id)
		}
		kind, message := unneeded, "nothing to set"
		if d.refused || len(d.made) == 0 {
			kind, message = cannot, "left out with its device"
			t.Tell(kind, d.element, d.element.Names(), "%s", message)
		}
		t.Tell(translated, d.element, d.element.Names(), "a fence device")
		if d.chosen {
			d.params.tell(translated, "the nodes that it fences", "pcmk_host_list", "pcmk_host_map", "hostname")
		}
		if d.mapped() {
			d.params.tell(translated, "its outlets", "pcmk_host_map")
		}
		if d.ranked {
			d.own.tell(changes, "the order of the levels, where no topology says another", "priority")
		}
		d.own.tell(unneeded, "it is not one of several", "priority")
		if len(d.made) > 0 {
			d.params.tell(unneeded, "the levels of the nodes say it", "pcmk_host_list", "pcmk_host_map", "hostname")
		}
		d.params.tellAll(kind, message)
	}
}
