package importing_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// infinite stands for Pacemaker's infinity in the model.
const infinite = 1 << 40

// model is what a random CIB means, kept beside the text and computed apart from
// the importer.
type model struct {
	nodes    []string
	services []string
	// scores by service and node; a service that is not in it has none.
	scores map[string]map[string]int
	sticky map[string]int
	apart  map[string]map[string]bool
	needs  map[string]map[string]bool
	// down are services that are not started by themselves.
	down map[string]bool
	// quiet tells that everything is unmanaged.
	quiet bool
	// unchecked are services whose one check is switched off.
	unchecked map[string]bool
	// with are services that run together, as far as one follows another.
	with map[string]map[string]bool
	// groups are the services of two members, -a and -b.
	groups map[string]bool
	// levels are the fence levels by node.
	levels map[string][][]string
	// stops is op_defaults' timeout; "" for none. answers are what a failed stop means.
	stops   string
	answers map[string]string
	text    strings.Builder
	id      int
}

func (m *model) next() int {
	m.id++
	return m.id
}

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func randomCIB(r *rand.Rand) *model {
	m := &model{nodes: []string{"n1", "n2", "n3", "n4"}, scores: map[string]map[string]int{}, sticky: map[string]int{},
		apart: map[string]map[string]bool{}, needs: map[string]map[string]bool{},
		down: map[string]bool{}, unchecked: map[string]bool{}, with: map[string]map[string]bool{},
		groups: map[string]bool{}, levels: map[string][][]string{}, answers: map[string]string{}}
	m.text.WriteString("<cib><configuration><crm_config>")
	if m.quiet = r.IntN(10) == 0; m.quiet {
		m.text.WriteString(`<cluster_property_set id="cp"><nvpair id="cp1" name="maintenance-mode" value="true"/>` +
			`</cluster_property_set>`)
	}
	m.text.WriteString("</crm_config><nodes>")
	for n, name := range m.nodes {
		fmt.Fprintf(&m.text, `<node id="%d" uname="%s"/>`, n+1, name)
	}
	m.text.WriteString("</nodes><resources>")
	stickiness := pick(r, 0, 0, 60, 150)
	for n := range 2 + r.IntN(4) {
		m.resource(r, n, stickiness)
	}
	m.boards(r)
	m.text.WriteString("</resources><constraints>")
	for range r.IntN(6) {
		m.location(r)
	}
	m.spread(r)
	m.gather(r)
	for n := 1; n < len(m.services); n++ {
		if r.IntN(3) == 0 {
			first, then := m.services[r.IntN(n)], m.services[n]
			fmt.Fprintf(&m.text, `<rsc_order id="o%d" first="%s" then="%s"/>`, m.next(), m.named(r, first), m.named(r, then))
			add(m.needs, then, first)
		}
	}
	m.ticket(r)
	m.text.WriteString("</constraints>")
	m.topology(r)
	fmt.Fprintf(&m.text, `<rsc_defaults><meta_attributes id="rd"><nvpair id="rd1" name="resource-stickiness" value="%d"/>`+
		`</meta_attributes></rsc_defaults>`, stickiness)
	if m.stops = pick(r, "", "90s", "3min"); m.stops != "" {
		fmt.Fprintf(&m.text, `<op_defaults><meta_attributes id="od"><nvpair id="od1" name="timeout" value="%s"/>`+
			`</meta_attributes></op_defaults>`, m.stops)
	}
	m.text.WriteString("</configuration><status><node_state id=\"1\"><lrm id=\"1\"><lrm_resources>")
	for _, service := range m.services {
		for _, id := range []string{service, service + "-a", service + "-b"} {
			fmt.Fprintf(&m.text, `<lrm_resource id="%s" class="systemd" type="x"/>`, id)
		}
	}
	m.text.WriteString("</lrm_resources></lrm></node_state></status></cib>")
	return m
}

func add(m map[string]map[string]bool, from, to string) {
	if m[from] == nil {
		m[from] = map[string]bool{}
	}
	m[from][to] = true
}

// resource writes a primitive or a group of two.
func (m *model) resource(r *rand.Rand, n, stickiness int) {
	name := fmt.Sprintf("r%d", n)
	m.services = append(m.services, name)
	m.sticky[name] = stickiness
	enabled := ""
	if r.IntN(4) == 0 {
		enabled, m.unchecked[name] = ` enabled="false"`, true
	}
	answer := pick(r, "", "block", "fence")
	m.answers[name] = map[string]string{"": "fence", "block": "failed", "fence": "fence"}[answer]
	stop := func(id string) string {
		if answer == "" {
			return ""
		}
		return fmt.Sprintf(`<op id="%s-s" name="stop" interval="0s" on-fail="%s"/>`, id, answer)
	}
	primitive := func(id string) {
		fmt.Fprintf(&m.text, `<primitive id="%s" class="systemd" type="%s">%s<operations>`+
			`<op id="%s-m" name="monitor" interval="30s"%s/>%s</operations></primitive>`, id, id, m.hands(r, name, id), id,
			enabled, stop(id))
	}
	if r.IntN(3) > 0 {
		primitive(name)
		return
	}
	m.sticky[name] *= 2
	m.groups[name] = true
	fmt.Fprintf(&m.text, `<group id="%s">%s`, name, m.hands(r, name, name))
	primitive(name + "-a")
	primitive(name + "-b")
	m.text.WriteString("</group>")
}

// hands are meta attributes by which Pacemaker keeps its hands off something, or none.
func (m *model) hands(r *rand.Rand, service, id string) string {
	if r.IntN(12) > 0 {
		return ""
	}
	m.down[service] = true
	return fmt.Sprintf(`<meta_attributes id="%s-h"><nvpair id="%s-h1" %s/></meta_attributes>`, id, id,
		pick(r, `name="is-managed" value="false"`, `name="maintenance" value="true"`))
}

// location writes a location constraint: by name, by a pattern that also matches
// the fence device, or by what another one does not match, with a lifetime that is over or none.
func (m *model) location(r *rand.Rand) {
	service, node := pick(r, m.services...), pick(r, m.nodes...)
	score := pick(r, "-INFINITY", "50", "100", "200", "INFINITY")
	targets, about := []string{service}, fmt.Sprintf(`rsc="%s"`, m.named(r, service))
	switch r.IntN(6) {
	case 0, 1:
		about = fmt.Sprintf(`rsc-pattern="^(%s|guard)$"`, service)
	case 2:
		about = fmt.Sprintf(`rsc-pattern="!^%s$"`, service)
		targets = slices.DeleteFunc(slices.Clone(m.services), func(name string) bool { return name == service })
	}
	over := r.IntN(4) == 0
	if !over && r.IntN(3) == 0 {
		// The same by a rule, as the command line writes it; a ban may have an end.
		end := ""
		if score == "-INFINITY" && r.IntN(2) == 0 {
			end = fmt.Sprintf(`<date_expression id="l%d" operation="lt" end="2999-01-01"/>`, m.next())
		}
		fmt.Fprintf(&m.text, `<rsc_location id="l%d" %s><rule id="l%d" score="%s"><expression id="l%d" attribute="#uname" `+
			`operation="eq" value="%s"/>%s</rule>`, m.next(), about, m.next(), score, m.next(), node, end)
	} else {
		fmt.Fprintf(&m.text, `<rsc_location id="l%d" %s node="%s" score="%s">`, m.next(), about, node, score)
	}
	if over {
		fmt.Fprintf(&m.text, `<lifetime><rule id="l%d"><date_expression id="l%d" operation="lt" end="%s"/></rule></lifetime>`,
			m.next(), m.next(), instant.Add(-time.Hour).Format("2006-01-02 15:04:05"))
	}
	m.text.WriteString("</rsc_location>")
	if over {
		return
	}
	for _, name := range targets {
		m.weigh(name, node, score)
	}
}

// weigh adds a score, as Pacemaker adds them.
func (m *model) weigh(service, node, score string) {
	if m.scores[service] == nil {
		m.scores[service] = map[string]int{}
	}
	value := map[string]int{"-INFINITY": -infinite, "50": 50, "100": 100, "200": 200, "INFINITY": infinite}[score]
	before := m.scores[service][node]
	switch {
	case before == -infinite || value == -infinite:
		value = -infinite
	case before == infinite || value == infinite:
		value = infinite
	default:
		value += before
	}
	m.scores[service][node] = value
}

// spread writes an anti-colocation of two sets.
func (m *model) spread(r *rand.Rand) {
	if len(m.services) < 3 || r.IntN(2) == 0 {
		return
	}
	all := slices.Clone(m.services)
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	sets := [][]string{all[:2], all[2:3]}
	fmt.Fprintf(&m.text, `<rsc_colocation id="c%d" score="-INFINITY">`, m.next())
	for _, set := range sets {
		linked := r.IntN(2) == 0
		fmt.Fprintf(&m.text, `<resource_set id="s%d" sequential="%t">`, m.next(), linked)
		for _, service := range set {
			fmt.Fprintf(&m.text, `<resource_ref id="%s"/>`, m.named(r, service))
		}
		if r.IntN(3) == 0 {
			m.text.WriteString(pick(r, `<resource_ref id="guard"/>`, `<resource_ref id="nobody"/>`))
		}
		m.text.WriteString("</resource_set>")
		if linked && len(set) == 2 {
			m.stay(set[0], set[1])
		}
	}
	m.text.WriteString("</rsc_colocation>")
	m.stay(all[0], all[2])
	m.stay(all[1], all[2])
}

// named is an id by which a constraint may name a service: of a group also that of a
// member.
func (m *model) named(r *rand.Rand, service string) string {
	if m.groups[service] && r.IntN(2) == 0 {
		return service + pick(r, "-a", "-b")
	}
	return service
}

// gather writes a colocation of two services that are not kept apart.
func (m *model) gather(r *rand.Rand) {
	one, other := pick(r, m.services...), pick(r, m.services...)
	if one == other || len(m.apart) > 0 {
		return
	}
	fmt.Fprintf(&m.text, `<rsc_colocation id="c%d" rsc="%s" with-rsc="%s" score="INFINITY"/>`, m.next(),
		m.named(r, one), m.named(r, other))
	add(m.with, other, one)
	add(m.with, one, other)
}

// ticket has services wait for a ticket: by name, in a set, or by a tag.
func (m *model) ticket(r *rand.Rand) {
	one, other := pick(r, m.services...), pick(r, m.services...)
	m.down[one] = true
	switch r.IntN(3) {
	case 0:
		fmt.Fprintf(&m.text, `<rsc_ticket id="t%d" rsc="%s" ticket="site"/>`, m.next(), m.named(r, one))
		return
	case 1:
		fmt.Fprintf(&m.text, `<rsc_ticket id="t%d" ticket="site"><resource_set id="s%d"><resource_ref id="%s"/>`+
			`<resource_ref id="%s"/></resource_set></rsc_ticket>`, m.next(), m.next(), m.named(r, one), m.named(r, other))
	default:
		fmt.Fprintf(&m.text, `<rsc_ticket id="t%d" rsc="both" ticket="site"/></constraints><tags><tag id="both">`+
			`<obj_ref id="%s"/><obj_ref id="%s"/></tag></tags><constraints>`, m.next(), m.named(r, one), m.named(r, other))
	}
	m.down[other] = true
}

// boards writes fence devices: a guard that fences nobody, and a board of each node but the last,
// which may lack what its program cannot do without.
func (m *model) boards(r *rand.Rand) {
	m.text.WriteString(`<primitive id="guard" class="stonith" type="fence_ipmilan"/>`)
	for n, node := range m.nodes[:3] {
		fmt.Fprintf(&m.text, `<primitive id="board-%s" class="stonith" type="fence_ipmilan"><instance_attributes id="b%d">`+
			`<nvpair id="b%d-h" name="pcmk_host_list" value="%s"/><nvpair id="b%d-p" name="password" value="p"/>`, node,
			n, n, node, n)
		if r.IntN(4) > 0 {
			fmt.Fprintf(&m.text, `<nvpair id="b%d-i" name="ip" value="192.0.2.%d"/>`, n, n+1)
			m.levels[node] = [][]string{{"board-" + node}}
		}
		m.text.WriteString("</instance_attributes></primitive>")
	}
}

// topology writes the levels of one node: its board, alone or with one that nobody declared.
func (m *model) topology(r *rand.Rand) {
	if r.IntN(2) == 0 {
		return
	}
	beside := pick(r, "", ",nobody", ",watchdog")
	fmt.Fprintf(&m.text, `<fencing-topology><fencing-level id="f1" index="1" target="n1" devices="board-n1%s"/>`+
		`</fencing-topology>`, beside)
	if beside == ",nobody" {
		m.levels["n1"] = nil
	}
}

func (m *model) stay(a, b string) {
	add(m.apart, a, b)
	add(m.apart, b, a)
}
