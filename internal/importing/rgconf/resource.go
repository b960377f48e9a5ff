package rgconf

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
	"github.com/clusterd/clusterd/resources"
)

// sharedResource is a definition under <resources>.
type sharedResource struct {
	element *importing.Element
	// name is the resource's in the document; it gets one when it is first used.
	name string
	// uses counts the places that refer to it.
	uses int
}

// primary are the attributes by which references name a resource.
func primary(kind string) string {
	switch kind {
	case "ip":
		return "address"
	case "SAPInstance":
		return "InstanceName"
	case "SAPDatabase":
		return "SID"
	}
	return "name"
}

func sharedKey(kind, ref string) string { return kind + "\x00" + ref }

// sharedResources reads <resources> and <resource-defaults>.
func (t *translation) sharedResources(rm *importing.Element) {
	for _, list := range rm.All("resource-defaults") {
		t.Container(list)
		for _, e := range list.Children {
			t.defaults[e.Name] = e
			t.Container(e)
		}
	}
	for _, list := range rm.All("resources") {
		t.Container(list)
		for _, e := range list.Children {
			name := cmp.Or(e.Get(primary(e.Name)), e.Get("name"))
			key := sharedKey(e.Name, name)
			switch {
			case name == "":
				t.SayWhole(cannot, e, "it has no name by which a service could refer to it; left out")
				continue
			case t.shared[key] != nil:
				t.SayWhole(cannot, e, "declared twice; the first counts")
				continue
			}
			t.shared[key] = &sharedResource{element: e}
		}
	}
	// A shared resource is spoken of where it is declared, once, even when many refer to it.
	for _, key := range sortedKeys(t.shared) {
		shared := t.shared[key]
		if !t.referred(rm, shared.element) {
			t.SayWhole(unneeded, shared.element, "no service refers to it; left out")
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (t *translation) referred(rm, shared *importing.Element) bool {
	for _, e := range rm.Find(shared.Name) {
		if ref := e.Get("ref"); ref != "" && ref == cmp.Or(shared.Get(primary(shared.Name)), shared.Get("name")) {
			return true
		}
	}
	return false
}

// startLevels order the children of a service, as its agent declares them; what
// has no level comes after all of them, in the order of the file.
var startLevels = map[string]int{"lvm": 1, "fs": 2, "clusterfs": 3, "netfs": 4, "bind-mount": 4, "nfsexport": 5,
	"nfsclient": 6, "ip": 7, "smb": 8, "script": 9}

// fileSystemLevels order the children of fs and clusterfs, nfsServerLevels those
// of nfsserver.
var (
	fileSystemLevels = map[string]int{"fs": 1, "clusterfs": 1, "nfsexport": 3}
	nfsServerLevels  = map[string]int{"nfsclient": 1, "ip": 2}
)

// inOrder returns the children that are resources in the order in which they
// started.
func inOrder(e *importing.Element) []*importing.Element {
	levels := map[string]map[string]int{"service": startLevels, "resourcegroup": startLevels, "fs": fileSystemLevels,
		"clusterfs": fileSystemLevels, "nfsserver": nfsServerLevels}[e.Name]
	const last = 100
	level := func(child *importing.Element) int { return cmp.Or(levels[child.Name], last) }
	var children []*importing.Element
	for _, child := range e.Children {
		if child.Name != "action" {
			children = append(children, child)
		}
	}
	slices.SortStableFunc(children, func(a, b *importing.Element) int { return cmp.Compare(level(a), level(b)) })
	return children
}

// branch is the way from a service down to a resource, for what is inherited.
type branch struct {
	up   *branch
	part part
	// service is the name of the service in the document.
	service string
	// here are the references made so far at this place of the document's tree.
	here map[string]bool
}

// inherited looks for an attribute in the nearest ancestor of one of the types.
func (b *branch) inherited(attribute string, types ...string) string {
	for at := b; at != nil; at = at.up {
		if at.part.own != nil && slices.Contains(types, at.part.own.Name) {
			if value := at.part.get(attribute); value != "" {
				return value
			}
		}
	}
	return ""
}

// resources translates the children of an element in a service.
func (t *translation) resources(b *branch) []resources.Resource {
	var found []resources.Resource
	for _, e := range inOrder(b.part.own) {
		if e.Name == "vm" {
			continue
		}
		found = append(found, t.resource(e, b)...)
	}
	return found
}

// resource translates one element with what is below it. An element that only
// held others (nfsexport) gives those others.
func (t *translation) resource(e *importing.Element, above *branch) []resources.Resource {
	p := t.part(e)
	if e.Get("ref") != "" && p.shared == nil {
		t.SayWhole(cannot, e, "no shared resource of this type and name is declared under <resources>; left out with "+
			"all below it")
		return nil
	}
	b := &branch{up: above, part: p, service: above.service, here: map[string]bool{}}
	a, isKnown := agents[e.Name]
	if !isKnown {
		a = agent{to: "rgmanager:" + e.Name, asIs: true, kind: cannot,
			about: "clusterd knows no counterpart; the old agent is called, and must be installed in " +
				"/usr/share/cluster on every node"}
	}
	if a.dissolved {
		t.Say(changes, e, []string{"name", "ref"}, "%s", a.about)
		t.Tell(unneeded, e, e.Names(), "dissolved with it")
		t.tellShared(p, a.about)
		b.here = above.here
		return t.resources(b)
	}
	made := &making{translation: t, part: p, branch: b, agent: a,
		made: &resources.Resource{Type: a.to, Parameters: map[string]string{}, Shared: p.shared != nil && !a.ofItsPlace(p)}}
	made.parameters()
	made.subtree()
	made.actions()
	if !made.named() {
		return nil
	}
	made.tell()
	made.made.Children = t.resources(b)
	return []resources.Resource{*made.made}
}

// named gives the resource its name. It returns false when a shared resource is
// referred to more often than one of its type can be.
func (m *making) named() bool {
	p := m.part
	wanted := cmp.Or(p.get(primary(p.own.Name)), p.get("name"), p.own.Name+"-"+strconv.Itoa(p.own.Line))
	if !m.made.Shared {
		m.made.Name = m.draft.Label(m.made.Type, wanted)
		return true
	}
	if m.branch.up.here[wanted] {
		m.SayWhole(cannot, p.own, "referred to twice at one place; the first counts")
		return false
	}
	m.branch.up.here[wanted] = true
	shared := m.shared[sharedKey(p.own.Name, p.own.Get("ref"))]
	if most := resources.MaxReferences(*m.made); most > 0 && shared.uses >= most {
		m.SayWhole(cannot, p.own, "a resource of this type can be in one place only, and is in another already; "+
			"rgmanager left this out too")
		return false
	}
	shared.uses++
	if shared.name == "" {
		shared.name = m.draft.Label(m.made.Type, wanted)
	}
	m.made.Name = shared.name
	return true
}

// tellShared speaks of a shared definition's attributes where nothing else does.
func (t *translation) tellShared(p part, about string) {
	if p.shared != nil {
		t.Tell(unneeded, p.shared, p.shared.Names(), "%s", about)
	}
}

// tellAnywhere tells of attributes on the element, on the shared definition and
// in the defaults of the type.
func (m *making) tellAnywhere(kind importing.Kind, names []string, format string, arguments ...any) {
	for _, e := range []*importing.Element{m.part.own, m.part.shared} {
		if e != nil {
			m.Tell(kind, e, names, format, arguments...)
		}
	}
	if m.part.defaults != nil {
		m.Tell(kind, m.part.defaults, names, "for every "+m.part.own.Name+" that does not say otherwise: "+format,
			arguments...)
	}
}

// closeDefaults speaks of defaults that nothing used.
func (t *translation) closeDefaults() {
	for _, kind := range sortedKeys(t.defaults) {
		e := t.defaults[kind]
		if kind == "vm" || kind == "service" {
			t.TellAll(translated, e, "for every %s that does not say otherwise", kind)
		}
		for _, each := range append([]*importing.Element{e}, e.All("action")...) {
			t.TellAll(unneeded, each, "no %s in any service is made by it", kind)
		}
	}
}

// making is one resource as it is made.
type making struct {
	*translation
	part   part
	branch *branch
	agent  agent
	made   *resources.Resource
}

// parameters writes what the agent calls by another name, or by the same.
func (m *making) parameters() {
	own := map[string]bool{}
	for _, name := range common {
		own[name] = true
	}
	for _, name := range m.part.names() {
		value := m.part.get(name)
		switch to, mapped := m.agent.parameters[name]; {
		case own[name] || value == "":
		case !importing.GoodParameter(name, value):
			m.tellAnywhere(cannot, []string{name}, "no document takes a parameter of this name, or one so long; left out")
		case mapped:
			m.made.Parameters[to] = value
		case m.agent.asIs && name != "ref":
			m.made.Parameters[name] = value
		}
	}
	for name, value := range m.agent.fixed {
		m.made.Parameters[name] = value
	}
	if m.agent.extra != nil {
		m.agent.extra(m)
	}
	if strings.HasPrefix(m.made.Type, "rgmanager:") {
		m.made.Parameters[primary(m.part.own.Name)] = m.part.get(primary(m.part.own.Name))
	}
}

// common are the attributes that every resource has.
var common = []string{"ref", "__independent_subtree", "__enforce_timeouts", "__max_restarts", "__restart_expire_time",
	"__max_failures", "__failure_expire_time"}

// tell speaks of the resource: what it became, and what of it is lost.
func (m *making) tell() {
	about := m.made.Type
	if m.agent.about != "" {
		about += ". " + m.agent.about
	}
	kind := m.agent.kind
	m.lost()
	named := []string{"ref", "name", primary(m.part.own.Name)}
	m.Say(kind, m.part.own, named, "%s", about)
	switch {
	case m.part.shared != nil && !m.made.Shared:
		m.Tell(changes, m.part.shared, named,
			"%s, one for each place where it is referred to: what it inherits there is its own", about)
	case m.part.shared != nil:
		m.Tell(kind, m.part.shared, named, "%s, declared once and shared by those who refer to it", about)
	}
	for name, value := range m.made.Parameters {
		if importing.Secret(name, value) {
			m.tellAnywhere(changes, []string{name},
				"a secret parameter of %s: the cluster keeps it sealed, and `clusterd config show` masks it", m.made.Type)
		}
	}
	var passed []string
	for _, name := range m.part.names() {
		if value := m.part.get(name); value == "" || m.agent.assumed[name] == value || slices.Contains(m.agent.used,
			name) && m.harmless(name) {
			m.tellOne(name, unneeded, "as without it")
			continue
		}
		if m.agent.parameters[name] != "" || m.agent.asIs || slices.Contains(m.agent.used, name) {
			passed = append(passed, name)
		}
	}
	m.tellAnywhere(translated, passed, "parameters of %s", m.made.Type)
	m.tellAnywhere(cannot, m.part.names(), "%s has no such parameter; left out", m.made.Type)
}

// lost speaks of attributes without a counterpart.
func (m *making) lost() {
	m.tellOne("__enforce_timeouts", unneeded,
		"times are always enforced: the agent is ended with all it started, and what it did is unknown")
	for _, name := range sortedKeys(m.agent.dropped) {
		m.tellOne(name, unneeded, m.agent.dropped[name])
	}
	for _, name := range sortedKeys(m.agent.losses) {
		if m.harmless(name) {
			m.tellOne(name, unneeded, "not set")
			continue
		}
		m.tellOne(name, cannot, m.agent.losses[name])
	}
}

func (m *making) tellOne(name string, kind importing.Kind, message string) {
	m.tellAnywhere(kind, []string{name}, "%s", message)
}

// harmless reports whether an attribute only says what is so without it.
func (m *making) harmless(name string) bool {
	value := m.part.get(name)
	yes, isTruth := importing.Truth(value)
	return value == "" || isTruth && !yes
}
