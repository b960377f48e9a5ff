package importing_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/importing/cib"
	"github.com/clusterd/clusterd/internal/importing/rgconf"
)

// imported is as much of a document as these tests compare.
type imported struct {
	Nodes   map[string]struct{ Fence [][]string }
	Domains map[string]struct {
		Ordered, Restricted, Nofailback bool
		Members                         any
	}
	Services map[string]struct {
		Autostart *bool
		Domain    string
		Apart     []string
		Together  []string
		Failure   string `yaml:"stop_failure"`
		Depend    []struct{ Service, Mode string }
		Resources []struct {
			Ref    string
			Stop   string `yaml:"stop_timeout"`
			Status []struct{ Interval string }
		}
	}
}

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

// TestRandomCIBsKeepTheirMeaning compares documents with what their CIBs mean.
func TestRandomCIBsKeepTheirMeaning(t *testing.T) {
	for seed := range uint64(400) {
		m := randomCIB(rand.New(rand.NewPCG(seed, 14)))
		draft, _, err := cib.Translate("random", []byte(m.text.String()), missing)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, m.text.String())
		}
		text, err := draft.Text("random")
		if err != nil {
			t.Fatal(err)
		}
		var got imported
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		for _, fault := range m.differences(got) {
			t.Errorf("seed %d: %s", seed, fault)
		}
		if t.Failed() {
			t.Fatalf("%s\nfrom\n%s", text, m.text.String())
		}
	}
}

func pick[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

func randomCIB(r *rand.Rand) *model {
	m := &model{nodes: []string{"n1", "n2", "n3", "n4"}, scores: map[string]map[string]int{}, sticky: map[string]int{},
		apart: map[string]map[string]bool{}, needs: map[string]map[string]bool{},
		unchecked: map[string]bool{}, with: map[string]map[string]bool{},
		groups: map[string]bool{}, levels: map[string][][]string{}, answers: map[string]string{}}
	m.text.WriteString("<cib><configuration><crm_config/><nodes>")
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
	fmt.Fprintf(&m.text, `<rsc_ticket id="t%d" rsc="%s" ticket="site"/></constraints>`, m.next(), m.services[0])
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
		fmt.Fprintf(&m.text, `<primitive id="%s" class="systemd" type="%s"><operations>`+
			`<op id="%s-m" name="monitor" interval="30s"%s/>%s</operations></primitive>`, id, id, id, enabled, stop(id))
	}
	if r.IntN(3) > 0 {
		primitive(name)
		return
	}
	m.sticky[name] *= 2
	m.groups[name] = true
	fmt.Fprintf(&m.text, `<group id="%s">`, name)
	primitive(name + "-a")
	primitive(name + "-b")
	m.text.WriteString("</group>")
}

// location writes a location constraint: by name or by a pattern that also matches
// the fence device, with a lifetime that is over or none.
func (m *model) location(r *rand.Rand) {
	service, node := pick(r, m.services...), pick(r, m.nodes...)
	score := pick(r, "-INFINITY", "50", "100", "200", "INFINITY")
	about := fmt.Sprintf(`rsc="%s"`, m.named(r, service))
	if r.IntN(3) == 0 {
		about = fmt.Sprintf(`rsc-pattern="^(%s|guard)$"`, service)
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

// differences are what a document says otherwise than the model.
func (m *model) differences(got imported) []string {
	var faults []string
	say := func(format string, arguments ...any) { faults = append(faults, fmt.Sprintf(format, arguments...)) }
	for _, node := range m.nodes {
		if levels := got.Nodes[node].Fence; fmt.Sprint(levels) != fmt.Sprint(m.levels[node]) {
			say("%s has the fence levels %v, not %v", node, levels, m.levels[node])
		}
	}
	apart, with := map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, name := range m.services {
		s, there := got.Services["service:"+name]
		if !there {
			say("%s is not in the document", name)
			continue
		}
		for _, other := range s.Apart {
			add(apart, name, strings.TrimPrefix(other, "service:"))
			add(apart, strings.TrimPrefix(other, "service:"), name)
		}
		for _, other := range s.Together {
			add(with, name, strings.TrimPrefix(other, "service:"))
			add(with, strings.TrimPrefix(other, "service:"), name)
		}
		if s.Failure != m.answers[name] {
			say("%s: stop_failure %q, not %q", name, s.Failure, m.answers[name])
		}
		needs := map[string]bool{}
		for _, need := range s.Depend {
			needs[strings.TrimPrefix(need.Service, "service:")] = need.Mode == "hard"
		}
		if !maps.Equal(needs, m.needs[name]) && len(needs)+len(m.needs[name]) > 0 {
			say("%s depends on %v, not %v", name, needs, m.needs[name])
		}
		for _, part := range s.Resources {
			if want := map[string]string{"": "", "90s": "90s", "3min": "3m"}[m.stops]; part.Stop != want {
				say("%s: stop_timeout %q, not %q", name, part.Stop, want)
			}
			if len(part.Status) != 1 || (part.Status[0].Interval == "0s") != m.unchecked[name] {
				say("%s: checks %v", name, part.Status)
			}
		}
		m.placed(name, got, say)
	}
	if !maps.EqualFunc(apart, m.apart, func(a, b map[string]bool) bool { return maps.Equal(a, b) }) {
		say("apart are %v, not %v", apart, m.apart)
	}
	if !maps.EqualFunc(with, m.with, func(a, b map[string]bool) bool { return maps.Equal(a, b) }) {
		say("together are %v, not %v", with, m.with)
	}
	return faults
}

// placed compares where a service may run, what it prefers, and whether it goes back.
func (m *model) placed(name string, got imported, say func(string, ...any)) {
	scores, s := m.scores[name], got.Services["service:"+name]
	var allowed []string
	for _, node := range m.nodes {
		if scores[node] >= 0 {
			allowed = append(allowed, node)
		}
	}
	if len(allowed) == 0 {
		if s.Autostart == nil || *s.Autostart {
			say("%s may run nowhere and is started", name)
		}
		return
	}
	d := got.Domains[s.Domain]
	ranks := ranksOf(d.Members)
	low, high := infinite, 0
	for _, node := range m.nodes {
		_, member := ranks[node]
		if legal := s.Domain == "" || !d.Restricted || member; legal != slices.Contains(allowed, node) {
			say("%s on %s: allowed is %t", name, node, legal)
		}
		if !member || !d.Ordered {
			ranks[node] = 1000
		}
		if scores[node] >= 0 {
			low, high = min(low, scores[node]), max(high, scores[node])
		}
	}
	for _, a := range allowed {
		for _, b := range allowed {
			if (scores[a] > scores[b]) != (ranks[a] < ranks[b]) {
				say("%s: %s (%d) and %s (%d) rank %d and %d", name, a, scores[a], b, scores[b], ranks[a], ranks[b])
			}
		}
	}
	if stays := low < high && m.sticky[name] > 0 && m.sticky[name] >= high-low; stays != d.Nofailback {
		say("%s: nofailback is %t (stickiness %d, scores %d to %d)", name, d.Nofailback, m.sticky[name], low, high)
	}
}

// ranksOf are the members of a domain with their ranks: one for all in a list, and the last where a
// member has none.
func ranksOf(declared any) map[string]int {
	ranks := map[string]int{}
	switch members := declared.(type) {
	case []any:
		for _, node := range members {
			ranks[fmt.Sprint(node)] = 1
		}
	case map[string]any:
		for node, rank := range members {
			ranks[node] = 1000
			if number, is := rank.(int); is {
				ranks[node] = number
			}
		}
	}
	return ranks
}

// TestRandomClusterConfsKeepTheirMeaning does the same for cluster.conf: who is
// fenced by which outlet, and in which domain a service runs.
func TestRandomClusterConfsKeepTheirMeaning(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 15))
		var text strings.Builder
		outlets := map[string]string{}
		text.WriteString(`<cluster name="c"><clusternodes>`)
		for n := range 3 {
			node := fmt.Sprintf("n%d", n+1)
			outlets[node] = fmt.Sprintf("guest%d", r.IntN(1000))
			word := pick(r, "port", "plug", "domain")
			fmt.Fprintf(&text,
				`<clusternode name="%s"><fence><method name="m"><device name="host" %s="%s"/></method></fence></clusternode>`,
				node, word, outlets[node])
		}
		text.WriteString(`</clusternodes><fencedevices><fencedevice name="host" agent="fence_xvm"/></fencedevices>`)
		text.WriteString(`<rm><resources>`)
		restricted, shared := r.IntN(2) == 0, r.IntN(2) == 0
		attributes := `name="s" domain="d"`
		if shared {
			fmt.Fprintf(&text, `<service %s/>`, attributes)
			attributes = `ref="s"`
		}
		fmt.Fprintf(&text, `</resources><failoverdomains><failoverdomain name="d" ordered="1" restricted="%d">`+
			`<failoverdomainnode name="n2" priority="1"/><failoverdomainnode name="n3" priority="2"/></failoverdomain>`+
			`</failoverdomains><service %s><script name="x" file="/opt/x"/></service></rm></cluster>`,
			map[bool]int{true: 1}[restricted], attributes)
		draft, _, err := rgconf.Translate("random", []byte(text.String()), missing)
		if err != nil {
			t.Fatal(err)
		}
		for node, outlet := range outlets {
			levels := draft.Nodes.Mapping(node)
			if !levels.Has("fence") {
				t.Fatalf("seed %d: %s has no fence level\n%s", seed, node, text.String())
			}
			device := draft.Devices.Mapping("host-" + node)
			if got := device.Mapping("options").Text("plug"); got != outlet {
				t.Errorf("seed %d: %s is fenced by outlet %q, not %q\n%s", seed, node, got, outlet, text.String())
			}
		}
		d, s := draft.Domains.Mapping("d"), draft.Services.Mapping("service:s")
		if s.Text("domain") != "d" || d.Text("ordered") != "true" || d.Has("restricted") != restricted {
			t.Errorf("seed %d: the service is not in its domain\n%s", seed, text.String())
		}
	}
}
