package importing_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/importing/rgconf"
)

// part is a resource of a document's tree.
type part struct {
	Ref, Name, Subtree string
	Resources          []part
}

func (p part) String() string {
	text := p.Ref + p.Name
	if p.Subtree != "" {
		text += ":" + p.Subtree
	}
	if len(p.Resources) > 0 {
		text += fmt.Sprint(p.Resources)
	}
	return text
}

// conf is as much of a document as is compared with a cluster.conf.
type conf struct {
	Nodes   map[string]struct{ Fence [][]string }
	Devices map[string]struct {
		Address string
		Options map[string]string
	}
	Domains map[string]struct {
		Ordered, Restricted, Nofailback bool
		Members                         any
	}
	Services map[string]struct {
		Autostart *bool
		Exclusive bool
		Domain    string
		Recovery  string
		Resources []part
	}
}

// meant is what a cluster.conf means, gathered while it is written.
type meant struct {
	r    *rand.Rand
	text strings.Builder
	// levels are the addresses and outlets by which a node is fenced, in their order.
	levels map[string][][]string
	// domains are the members by rank, and the words of a domain.
	domains  map[string]map[string]int
	words    map[string][3]bool
	services map[string]meantService
	scripts  int
	shared   []string
}

type meantService struct {
	autostart, exclusive bool
	domain, recovery     string
	tree                 []part
}

func (m *meant) write(format string, arguments ...any) { fmt.Fprintf(&m.text, format, arguments...) }

// randomConf writes a cluster.conf of several nodes, services and VMs.
func randomConf(r *rand.Rand) *meant {
	m := &meant{r: r, levels: map[string][][]string{}, domains: map[string]map[string]int{}, words: map[string][3]bool{},
		services: map[string]meantService{}}
	m.write(`<cluster name="c" config_version="%d">`, 1+r.IntN(90))
	nodes := []string{"n1", "n2", "n3", "n4"}[:2+r.IntN(3)]
	m.write(`<clusternodes>`)
	for i, node := range nodes {
		m.node(node, i+1)
	}
	m.write(`</clusternodes><fencedevices>`)
	for i := range nodes {
		m.write(`<fencedevice name="bmc%d" agent="fence_ipmilan" ipaddr="10.1.0.%d" login="a" passwd="b" lanplus="1"/>`,
			i+1, i+1)
	}
	m.write(`<fencedevice name="pduA" agent="fence_apc" ipaddr="10.2.0.1" login="a" passwd="b"/>` +
		`<fencedevice name="pduB" agent="fence_apc" ipaddr="10.2.0.2" login="a" passwd="b"/></fencedevices>`)
	if r.IntN(2) == 0 {
		m.write(`<totem token="%d" consensus="%d"/>`, 1000*(1+r.IntN(60)), 2000*(1+r.IntN(60)))
	}
	if r.IntN(3) == 0 {
		m.write(`<quorumd interval="%d" tko="%d" votes="1" label="q"><heuristic program="ping -c1 10.0.0.1"/></quorumd>`,
			1+r.IntN(3), 5+r.IntN(10))
	}
	m.write(`<rm><failoverdomains>`)
	for n := range r.IntN(4) {
		m.domain(fmt.Sprintf("d%d", n+1), nodes)
	}
	m.write(`</failoverdomains><resources>`)
	for n := range r.IntN(3) {
		m.shared = append(m.shared, fmt.Sprintf("g%d", n+1))
		m.write(`<script name="g%d" file="/opt/g%d"/>`, n+1, n+1)
	}
	m.write(`</resources>`)
	for n := range 1 + r.IntN(4) {
		m.service(fmt.Sprintf("s%d", n+1))
	}
	for n := range r.IntN(3) {
		m.vm(fmt.Sprintf("v%d", n+1))
	}
	m.write(`</rm></cluster>`)
	return m
}

// node has up to three methods, each of its BMC, of an outlet, or of both its supplies.
func (m *meant) node(name string, number int) {
	m.write(`<clusternode name="%s" nodeid="%d" votes="1"><fence>`, name, number)
	kinds := []string{"bmc", "outlet", "both"}
	m.r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	m.levels[name] = [][]string{}
	for _, kind := range kinds[:1+m.r.IntN(3)] {
		m.write(`<method name="%s">`, kind)
		var level []string
		switch kind {
		case "bmc":
			m.write(`<device name="bmc%d"/>`, number)
			level = []string{fmt.Sprintf("10.1.0.%d ", number)}
		case "outlet":
			m.write(`<device name="pduB" port="%d"/>`, 10+number)
			level = []string{fmt.Sprintf("10.2.0.2 %d", 10+number)}
		case "both":
			for _, action := range []string{"off", "on"} {
				m.write(`<device name="pduA" port="%d" action="%s"/><device name="pduB" port="%d" action="%s"/>`, number,
					action, number, action)
			}
			level = []string{fmt.Sprintf("10.2.0.1 %d", number), fmt.Sprintf("10.2.0.2 %d", number)}
		}
		m.write(`</method>`)
		m.levels[name] = append(m.levels[name], level)
	}
	m.write(`</fence></clusternode>`)
}

func (m *meant) flag() (bool, int) {
	set := m.r.IntN(2)
	return set == 1, set
}

func (m *meant) domain(name string, nodes []string) {
	ordered, o := m.flag()
	restricted, r := m.flag()
	stays, n := m.flag()
	m.words[name], m.domains[name] = [3]bool{ordered, restricted, stays}, map[string]int{}
	m.write(`<failoverdomain name="%s" ordered="%d" restricted="%d" nofailback="%d">`, name, o, r, n)
	for i, node := range nodes {
		if i == 0 || m.r.IntN(3) > 0 {
			rank := 1 + m.r.IntN(3)
			m.domains[name][node] = rank
			m.write(`<failoverdomainnode name="%s" priority="%d"/>`, node, rank)
		}
	}
	m.write(`</failoverdomain>`)
}

// common are the attributes that services and VMs share.
func (m *meant) common() (meantService, string) {
	s := meantService{autostart: m.r.IntN(4) > 0, exclusive: m.r.IntN(6) == 0,
		recovery: pick(m.r, "restart", "relocate", "disable")}
	text := fmt.Sprintf(`recovery="%s"`, s.recovery)
	if !s.autostart {
		text += ` autostart="0"`
	}
	if s.exclusive {
		text += ` exclusive="1"`
	}
	if len(m.domains) > 0 && m.r.IntN(3) > 0 {
		s.domain = fmt.Sprintf("d%d", 1+m.r.IntN(len(m.domains)))
		text += fmt.Sprintf(` domain="%s"`, s.domain)
	}
	return s, text
}

func (m *meant) service(name string) {
	s, text := m.common()
	m.write(`<service name="%s" %s>`, name, text)
	for range 1 + m.r.IntN(3) {
		s.tree = append(s.tree, m.script(2))
	}
	if len(m.shared) > 0 && m.r.IntN(2) == 0 {
		shared := pick(m.r, m.shared...)
		m.write(`<script ref="%s"/>`, shared)
		s.tree = append(s.tree, part{Ref: shared})
	}
	m.write(`</service>`)
	m.services["service:"+name] = s
}

// script is one with children, down to a depth.
func (m *meant) script(depth int) part {
	m.scripts++
	p := part{Name: fmt.Sprintf("x%d", m.scripts)}
	m.write(`<script name="%s" file="/opt/%s"`, p.Name, p.Name)
	switch m.r.IntN(4) {
	case 0:
		p.Subtree = "independent"
		m.write(` __independent_subtree="1"`)
	case 1:
		p.Subtree = "non-critical"
		m.write(` __independent_subtree="2"`)
	}
	m.write(`>`)
	if depth > 0 {
		for range m.r.IntN(3) {
			p.Resources = append(p.Resources, m.script(depth-1))
		}
	}
	m.write(`</script>`)
	return p
}

func (m *meant) vm(name string) {
	s, text := m.common()
	m.write(`<vm name="%s" %s/>`, name, text)
	m.services["vm:"+name] = s
}

// differences are what a document says otherwise.
func (m *meant) differences(got conf) []string {
	var faults []string
	say := func(format string, arguments ...any) { faults = append(faults, fmt.Sprintf(format, arguments...)) }
	for node, want := range m.levels {
		levels := [][]string{}
		for _, names := range got.Nodes[node].Fence {
			var level []string
			for _, name := range names {
				device := got.Devices[name]
				level = append(level, device.Address+" "+device.Options["plug"])
			}
			levels = append(levels, level)
		}
		if fmt.Sprintf("%q", levels) != fmt.Sprintf("%q", want) {
			say("%s is fenced by %q, not %q", node, levels, want)
		}
	}
	if len(got.Services) != len(m.services) {
		say("there are %d services, not %d", len(got.Services), len(m.services))
	}
	for name, want := range m.services {
		s, there := got.Services[name]
		starts := s.Autostart == nil || *s.Autostart
		if !there || starts != want.autostart || s.Exclusive != want.exclusive || s.Domain != want.domain {
			say("%s is %+v, not %+v", name, s, want)
		}
		if recovery := s.Recovery; recovery != want.recovery && (recovery != "" || want.recovery != "restart") {
			say("%s: recovery %q, not %q", name, recovery, want.recovery)
		}
		if fmt.Sprint(s.Resources) != fmt.Sprint(want.tree) {
			say("%s is made of %v, not %v", name, s.Resources, want.tree)
		}
		if want.domain != "" {
			m.inDomain(want.domain, got, say)
		}
	}
	return faults
}

// inDomain compares who may run what is in a domain, who is better, and whether it goes back.
func (m *meant) inDomain(name string, got conf, say func(string, ...any)) {
	d, want, words := got.Domains[name], m.domains[name], m.words[name]
	ranks := ranksOf(d.Members)
	if d.Restricted != words[1] || len(ranks) != len(want) || d.Nofailback != words[2] {
		say("domain %s is %+v, not %v %v", name, d, want, words)
	}
	for a := range want {
		for b := range want {
			better := words[0] && want[a] < want[b]
			if got := d.Ordered && ranks[a] < ranks[b]; got != better {
				say("domain %s: %s before %s is %t", name, a, b, got)
			}
		}
	}
}

// TestRandomConfsOfManyServicesKeepTheirMeaning: topologies, domains, trees and words of services
// come out as rgmanager reads them, whatever stands beside them.
func TestRandomConfsOfManyServicesKeepTheirMeaning(t *testing.T) {
	for seed := range uint64(400) {
		m := randomConf(rand.New(rand.NewPCG(seed, 16)))
		draft, _, err := rgconf.Translate("random", []byte(m.text.String()), missing)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, m.text.String())
		}
		text, err := draft.Text("random")
		if err != nil {
			t.Fatal(err)
		}
		var got conf
		if err := yaml.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		faults := m.differences(got)
		slices.Sort(faults)
		for _, fault := range faults {
			t.Errorf("seed %d: %s", seed, fault)
		}
		if t.Failed() {
			t.Fatalf("%s\n%s", m.text.String(), text)
		}
	}
}
