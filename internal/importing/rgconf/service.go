package rgconf

import (
	"strconv"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/importing"
)

// mostRestarts and longestExpiry are what a document takes.
const (
	mostRestarts  = 100
	longestExpiry = 365 * 24 * time.Hour
)

// part is an element of the tree with what stands for it elsewhere: a shared
// definition it refers to, and the defaults of its type. The nearest counts.
type part struct {
	own, shared, defaults *importing.Element
}

func (p part) get(name string) string {
	for _, e := range []*importing.Element{p.own, p.shared, p.defaults} {
		if e != nil && e.Has(name) {
			return e.Get(name)
		}
	}
	return ""
}

// names are all attributes, each once.
func (p part) names() []string {
	var names []string
	seen := map[string]bool{}
	for _, e := range []*importing.Element{p.own, p.shared, p.defaults} {
		if e == nil {
			continue
		}
		for _, name := range e.Names() {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

func (t *translation) part(e *importing.Element) part {
	p := part{own: e, defaults: t.defaults[e.Name]}
	if ref := e.Get("ref"); ref != "" {
		if shared := t.shared[sharedKey(e.Name, ref)]; shared != nil {
			p.shared = shared.element
		}
	}
	return p
}

// tellPart says what became of attributes where they are written: at the element
// itself, and of those that it does not say, at the shared definition.
func (t *translation) tellPart(kind importing.Kind, p part, names []string, format string, arguments ...any) {
	t.Tell(kind, p.own, names, format, arguments...)
	if p.shared == nil {
		return
	}
	var own []string
	for _, name := range names {
		if !p.own.Has(name) {
			own = append(own, name)
		}
	}
	t.Tell(kind, p.shared, own, format, arguments...)
}

// offWord reports whether a switch is not on, by rgmanager's reading.
func offWord(value string) bool { return value == "" || value == "0" || value == "no" }

// policy writes what services and VMs have in common.
func (t *translation) policy(p part, spec *importing.Mapping) {
	t.domainOf(p, spec)
	t.autostart(p, spec)
	if exclusive := p.get("exclusive"); !offWord(exclusive) {
		spec.Set("exclusive", true)
		if number, _ := strconv.Atoi(exclusive); number > 1 {
			t.tellPart(changes, p, []string{"exclusive"}, "exclusive: true. The number ranked exclusive services by who "+
				"evicts whom; nobody is evicted here")
		}
		t.tellPart(translated, p, []string{"exclusive"}, "exclusive: true; VMs and services without resources count too, "+
			"as they did")
	}
	t.tellPart(unneeded, p, []string{"exclusive"}, "not exclusive")
	t.recovery(p, spec)
	t.restarts(p, spec)
	t.priority(p, spec)
}

func (t *translation) domainOf(p part, spec *importing.Mapping) {
	given := p.get("domain")
	name := importing.Name(given)
	switch {
	case given == "" || given == "none":
		t.tellPart(unneeded, p, []string{"domain"}, "no domain: any node may run it")
	case t.draft.Domains.Has(name):
		spec.Set("domain", name)
		t.tellPart(translated, p, []string{"domain"}, "domain: %s", name)
	case t.refused[name]:
		spec.Set("autostart", false)
		t.tellPart(cannot, p, []string{"domain"}, "no node may run it: its restricted domain has no members. Declared "+
			"with autostart: false")
	default:
		t.tellPart(changes, p, []string{"domain"}, "this domain is not declared; rgmanager warned and let any node run "+
			"it, and so does the document: no domain")
	}
}

func (t *translation) autostart(p part, spec *importing.Mapping) {
	on, ok := importing.Truth(p.get("autostart"))
	switch {
	case p.get("autostart") != "" && !ok:
		t.tellPart(cannot, p, []string{"autostart"}, "neither 0 nor 1; it is started")
	case p.get("autostart") != "" && !on:
		spec.Set("autostart", false)
		t.tellPart(changes, p, []string{"autostart"}, "autostart: false. It stays down when it is declared; once "+
			"enabled, that is kept, also over the loss of all nodes")
	default:
		t.tellPart(unneeded, p, []string{"autostart"}, "services are started as soon as every node has said that they do "+
			"not run there")
	}
	if t.unmanaged {
		spec.Set("autostart", false)
	}
}

func (t *translation) recovery(p part, spec *importing.Mapping) {
	policy := p.get("recovery")
	switch policy {
	case "":
	case "restart":
		t.tellPart(unneeded, p, []string{"recovery"}, "the default")
	case "relocate", "disable", "restart-disable":
		spec.Set("recovery", policy)
		if policy == "restart-disable" {
			t.tellPart(changes, p, []string{"recovery"}, "recovery: restart-disable, as the manual had it; the old code "+
				"went on to try other nodes when the start in place failed")
		}
		t.tellPart(translated, p, []string{"recovery"}, "recovery: %s", policy)
	default:
		t.tellPart(cannot, p, []string{"recovery"}, "there is no such policy; restart is taken, as rgmanager did")
	}
}

func (t *translation) restarts(p part, spec *importing.Mapping) {
	if given := p.get("max_restarts"); given != "" {
		number, err := strconv.Atoi(strings.TrimSpace(given))
		switch {
		case err != nil || number < 0:
			t.tellPart(cannot, p, []string{"max_restarts"}, "this is no number; no limit is set")
		case number > mostRestarts:
			spec.Set("max_restarts", mostRestarts)
			t.tellPart(changes, p, []string{"max_restarts"}, "max_restarts: %d, the most there is", mostRestarts)
		case number == 0:
			t.tellPart(unneeded, p, []string{"max_restarts"}, "no limit")
		default:
			spec.Set("max_restarts", number)
			t.tellPart(changes, p, []string{"max_restarts"}, "max_restarts: %d, counted for the service wherever it runs "+
				"and kept in the log; it was counted on each node, in memory", number)
		}
	}
	if given := p.get("restart_expire_time"); given != "" {
		span, err := importing.ReadSpan(given)
		switch {
		case err != nil:
			t.tellPart(cannot, p, []string{"restart_expire_time"}, "%v; restarts are never forgotten", err)
		case span > longestExpiry:
			spec.Set("restart_expire_time", longestExpiry)
			t.tellPart(changes, p, []string{"restart_expire_time"}, "restart_expire_time: a year, the longest there is")
		case span == 0:
			t.tellPart(unneeded, p, []string{"restart_expire_time"}, "restarts are never forgotten")
		default:
			spec.Set("restart_expire_time", span)
			t.tellPart(translated, p, []string{"restart_expire_time"}, "restart_expire_time: %s", importing.Span(span))
		}
	}
}

// mostPriority is what a document takes.
const mostPriority = 1000

func (t *translation) priority(p part, spec *importing.Mapping) {
	if p.get("priority") == "" {
		return
	}
	number, err := strconv.Atoi(strings.TrimSpace(p.get("priority")))
	switch {
	case !t.central():
		t.tellPart(unneeded, p, []string{"priority"}, "only central processing read it, and that was off; write priority "+
			"or tier if an order is wanted")
	case err != nil || number < 0 || number > mostPriority:
		t.tellPart(cannot, p, []string{"priority"}, "priorities are 0 to %d, the lower first; left out", mostPriority)
	case number == 0:
		t.tellPart(unneeded, p, []string{"priority"}, "0 is the first, as without it")
	default:
		spec.Set("priority", number)
		t.tellPart(translated, p, []string{"priority"}, "priority: %d; lower numbers first, and those without one before "+
			"all others, as it was", number)
	}
}

// services are the full names of everything at the top, for dependencies.
func declaredName(p part) string {
	kind := "service:"
	if p.own.Name == "vm" {
		kind = "vm:"
	}
	return kind + importing.Name(p.get("name"))
}

// dependencies writes depend, once all services are known: a document takes no
// reference to nothing, and no circle.
func (t *translation) dependencies(rm *importing.Element) {
	graph := map[string]string{}
	for _, e := range rm.Children {
		if e.Name != "service" && e.Name != "vm" && e.Name != "resourcegroup" {
			continue
		}
		p := t.part(e)
		if given := p.get("depend"); given != "" {
			t.depend(p, t.placeOf(declaredName(p)), given, graph)
		}
		t.tellPart(unneeded, p, []string{"depend", "depend_mode"}, "no dependency")
	}
}

// placeOf is where a service of the source ended up.
func (t *translation) placeOf(name string) string {
	if moved := t.moved[name]; moved != "" {
		return moved
	}
	return name
}

func (t *translation) depend(p part, self, given string, graph map[string]string) {
	if !strings.Contains(given, ":") {
		given = "service:" + given
	}
	kind, short, _ := strings.Cut(given, ":")
	other := t.placeOf(kind + ":" + importing.Name(short))
	switch {
	case !t.draft.Services.Has(self):
		t.tellPart(cannot, p, []string{"depend", "depend_mode"}, "left out with its service")
		return
	case !t.draft.Services.Has(other) || other == self:
		t.tellPart(cannot, p, []string{"depend", "depend_mode"}, "%s is not among the services of the document; left out",
			other)
		return
	}
	for at := other; at != ""; at = graph[at] {
		if at == self {
			t.tellPart(cannot, p, []string{"depend", "depend_mode"}, "the services depend on each other in a circle, so "+
				"that none could start first; this dependency is left out")
			return
		}
	}
	graph[self] = other
	mode := "hard"
	if p.get("depend_mode") == "soft" {
		mode = "soft"
	}
	line := importing.Line()
	line.Set("service", other)
	line.Set("mode", mode)
	service := t.draft.Services.Mapping(self)
	service.Set("depend", []*importing.Mapping{line})
	if mode == "hard" {
		t.tellPart(unneeded, p, []string{"depend_mode"}, "the default")
	}
	if t.central() {
		t.tellPart(translated, p, []string{"depend", "depend_mode"}, "depend: %s (%s)", other, mode)
		return
	}
	t.tellPart(changes, p, []string{"depend", "depend_mode"}, "depend: %s (%s), held always and across nodes; without "+
		"central processing it hardly was", other, mode)
}
