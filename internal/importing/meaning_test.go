package importing_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

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

// starts reports whether a service is started by itself: somewhere, and nobody keeps it down.
func (m *model) starts(name string) bool {
	return !m.quiet && !m.down[name] &&
		slices.ContainsFunc(m.nodes, func(node string) bool { return m.scores[name][node] >= 0 })
}

// placed compares where a service may run, what it prefers, and whether it goes back.
func (m *model) placed(name string, got imported, say func(string, ...any)) {
	scores, s := m.scores[name], got.Services["service:"+name]
	if starts := s.Autostart == nil || *s.Autostart; starts != m.starts(name) {
		say("%s starts by itself: %t", name, starts)
	}
	var allowed []string
	for _, node := range m.nodes {
		if scores[node] >= 0 {
			allowed = append(allowed, node)
		}
	}
	if len(allowed) == 0 {
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
