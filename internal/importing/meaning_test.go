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
	// stops is op_defaults' timeout; "" for none.
	stops string
	text  strings.Builder
	id    int
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
		apart: map[string]map[string]bool{}, needs: map[string]map[string]bool{}, unchecked: map[string]bool{}}
	m.text.WriteString("<cib><configuration><crm_config/><nodes>")
	for n, name := range m.nodes {
		fmt.Fprintf(&m.text, `<node id="%d" uname="%s"/>`, n+1, name)
	}
	m.text.WriteString("</nodes><resources>")
	stickiness := pick(r, 0, 0, 60, 150)
	for n := range 2 + r.IntN(4) {
		m.resource(r, n, stickiness)
	}
	m.text.WriteString(`<primitive id="guard" class="stonith" type="fence_ipmilan"/></resources><constraints>`)
	for range r.IntN(6) {
		m.location(r)
	}
	m.spread(r)
	for n := 1; n < len(m.services); n++ {
		if r.IntN(3) == 0 {
			first, then := m.services[r.IntN(n)], m.services[n]
			fmt.Fprintf(&m.text, `<rsc_order id="o%d" first="%s" then="%s"/>`, m.next(), first, then)
			add(m.needs, then, first)
		}
	}
	m.text.WriteString("</constraints>")
	fmt.Fprintf(&m.text, `<rsc_defaults><meta_attributes id="rd"><nvpair id="rd1" name="resource-stickiness" value="%d"/>`+
		`</meta_attributes></rsc_defaults>`, stickiness)
	if m.stops = pick(r, "", "90s", "3min"); m.stops != "" {
		fmt.Fprintf(&m.text, `<op_defaults><meta_attributes id="od"><nvpair id="od1" name="timeout" value="%s"/>`+
			`</meta_attributes></op_defaults>`, m.stops)
	}
	m.text.WriteString("</configuration><status><node_state id=\"1\"><lrm id=\"1\"><lrm_resources>")
	for _, service := range m.services {
		fmt.Fprintf(&m.text, `<lrm_resource id="%s" class="systemd" type="x"/>`, service)
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
	primitive := func(id string) {
		fmt.Fprintf(&m.text, `<primitive id="%s" class="systemd" type="%s"><operations>`+
			`<op id="%s-m" name="monitor" interval="30s"%s/></operations></primitive>`, id, id, id, enabled)
	}
	if r.IntN(3) > 0 {
		primitive(name)
		return
	}
	m.sticky[name] *= 2
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
	about := fmt.Sprintf(`rsc="%s"`, service)
	if r.IntN(3) == 0 {
		about = fmt.Sprintf(`rsc-pattern="^(%s|guard)$"`, service)
	}
	fmt.Fprintf(&m.text, `<rsc_location id="l%d" %s node="%s" score="%s">`, m.next(), about, node, score)
	over := r.IntN(4) == 0
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
			fmt.Fprintf(&m.text, `<resource_ref id="%s"/>`, service)
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

func (m *model) stay(a, b string) {
	add(m.apart, a, b)
	add(m.apart, b, a)
}

// differences are what a document says otherwise than the model.
func (m *model) differences(got imported) []string {
	var faults []string
	say := func(format string, arguments ...any) { faults = append(faults, fmt.Sprintf(format, arguments...)) }
	apart := map[string]map[string]bool{}
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
