package rehearsal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/importing"
)

const three = `cluster: alpha
nodes:
  node1: {fence: [[bmc1]]}
  node2: {fence: [[bmc2]]}
  node3: {}
devices:
  bmc1: {driver: ipmi, address: 10.0.0.1}
  bmc2: {driver: ipmi, address: 10.0.0.2}
domains:
  prefer1: {ordered: true, members: {node1: 1, node2: 2}}
  only3: {restricted: true, members: [node3]}
services:
  service:web: {domain: prefer1, resources: [{type: "systemd:web"}]}
  service:db: {domain: prefer1, tier: 0, resources: [{type: "systemd:db"}]}
  service:app: {depend: ["service:db"], apart: ["service:web"], resources: [{type: "systemd:app"}]}
  service:far: {domain: only3, resources: [{type: "systemd:far"}]}
  service:off: {autostart: false, resources: [{type: "systemd:off"}]}
`

func paper(t *testing.T, text string) *Paper {
	t.Helper()
	parsed, err := config.Parse("d", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(parsed.Document, parsed.Blobs, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func settle(t *testing.T, p *Paper) {
	t.Helper()
	if err := p.Settle(); err != nil {
		t.Fatal(err)
	}
}

func places(p *Paper) string {
	var words []string
	for _, s := range p.Standings() {
		words = append(words, strings.TrimPrefix(s.Service, "service:")+"="+s.State+"@"+s.Node)
	}
	return strings.Join(words, " ")
}

func TestALossIsRehearsedByTheRealRules(t *testing.T) {
	p := paper(t, three)
	settle(t, p)
	if got, want := places(p),
		"app=started@node2 db=started@node1 far=started@node3 off=disabled@ web=started@node1"; got != want {
		t.Fatalf("at first %s, want %s", got, want)
	}
	if err := p.Lose("node1"); err != nil {
		t.Fatal(err)
	}
	settle(t, p)
	// web would go to node2, but app is there, and they keep apart.
	if got, want := places(p),
		"app=started@node2 db=started@node2 far=started@node3 off=disabled@ web=started@node3"; got != want {
		t.Errorf("without node1 %s, want %s", got, want)
	}
}

func TestANodeWithoutADeviceIsNotTakenForOff(t *testing.T) {
	p := paper(t, three)
	settle(t, p)
	if err := p.Lose("node3"); err != nil {
		t.Fatal(err)
	}
	settle(t, p)
	var told string
	for _, note := range p.Notes {
		told += note.Why.String() + "\n"
	}
	if !strings.Contains(told, "node3 is lost and has no fence device") ||
		!strings.Contains(places(p), "far=started@node3") {
		t.Errorf("%s\n%s", places(p), told)
	}
}

func TestWhatCannotBeRehearsed(t *testing.T) {
	if _, err := New(paper(t, three).state.Document, nil, false); err == nil ||
		!strings.Contains(err.Error(), "definition") {
		t.Errorf("services without their definitions: %v", err)
	}
	parsed, err := config.Parse("d", []byte("cluster: a\n"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(parsed.Document, nil, false); err == nil {
		t.Error("a cluster without nodes")
	}
	p := paper(t, three)
	for _, err := range []error{p.Put("service:none", "node1"), p.Put("service:web", "node9"),
		p.Put("service:far", "node1"), p.Lose("node9"), p.Lose("node1", "node2", "node3")} {
		if err == nil {
			t.Error("accepted")
		}
	}
}

func TestTheMajorityOfAnyLoss(t *testing.T) {
	for _, c := range []struct {
		nodes, lost int
		want        Majority
	}{
		{1, 0, Kept}, {2, 0, Kept}, {2, 1, Depends}, {3, 1, Kept}, {3, 2, Gone}, {4, 1, Kept}, {4, 2, Depends}, {4, 3, Gone},
		{5, 2, Kept}, {5, 3, Gone}, {6, 2, Kept}, {6, 3, Depends}, {6, 4, Gone}, {9, 6, Depends}, {9, 7, Gone},
	} {
		text := "cluster: a\nnodes:\n"
		var names []string
		for n := range c.nodes {
			names = append(names, "n"+string(rune('1'+n)))
			text += "  " + names[n] + ": {}\n"
		}
		p := paper(t, text)
		if c.lost > 0 {
			if err := p.Lose(names[:c.lost]...); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.Majority(); got != c.want {
			t.Errorf("%d of %d nodes lost: the majority %s, want %s", c.lost, c.nodes, got, c.want)
		}
	}
}

const pair = `cluster: alpha
%s
nodes:
  node1: {fence: [[bmc1]]}
  node2: {fence: [[bmc2]]}
devices:
  bmc1: {driver: ipmi, address: 10.0.0.1}
  bmc2: {driver: ipmi, address: 10.0.0.2}
services:
  service:web: {resources: [{type: "systemd:web"}]}
`

func TestOneOfTwoGoesOnAloneOnlyByTheRule(t *testing.T) {
	for rule, want := range map[string]string{"": "web=started@node1", "two_node: {favour: node1}": "web=started@node2"} {
		p := paper(t, strings.Replace(pair, "%s", rule, 1))
		settle(t, p)
		if err := p.Lose("node1"); err != nil {
			t.Fatal(err)
		}
		alone, err := p.GoesOnAlone()
		if err != nil || alone != (rule != "") {
			t.Errorf("%q: alone %t, %v", rule, alone, err)
		}
		settle(t, p)
		if got := places(p); got != want {
			t.Errorf("%q: %s, want %s", rule, got, want)
		}
	}
}

func TestAWitnessVotesAndRunsNothing(t *testing.T) {
	parsed, err := config.Parse("d", []byte(strings.Replace(pair, "%s", "", 1)), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(parsed.Document, parsed.Blobs, true)
	if err != nil {
		t.Fatal(err)
	}
	settle(t, p)
	if err := p.Lose("node1"); err != nil {
		t.Fatal(err)
	}
	settle(t, p)
	if got := places(p); p.Majority() != Kept || got != "web=started@node2" {
		t.Errorf("the majority is %s, and %s", p.Majority(), got)
	}
}

// TestEveryExampleComesToRest rehearses the loss of every node of every document
// that the importers' examples are translated to.
func TestEveryExampleComesToRest(t *testing.T) {
	var documents []string
	for _, pattern := range []string{"../importing/rgconf/testdata/*.yaml", "../importing/cib/testdata/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, found...)
	}
	if len(documents) < 15 {
		t.Fatalf("only %d examples", len(documents))
	}
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := config.Prepare(path, text, func(file string) ([]byte, error) { return importing.StandIn(file), nil })
		if err != nil {
			t.Fatal(err)
		}
		for node := range parsed.Document.Nodes {
			p, err := New(parsed.Document, parsed.Blobs, len(parsed.Document.Nodes)%2 == 0 && parsed.Document.TwoNode == nil)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			settle(t, p)
			if p.state.Nodes.Len() == 1 {
				continue
			}
			if err := p.Lose(node); err != nil {
				t.Fatal(err)
			}
			if _, err := p.GoesOnAlone(); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			settle(t, p)
			fenced := len(parsed.Document.Nodes[node].Fence) > 0
			for _, s := range p.Standings() {
				if fenced && s.Lost {
					t.Errorf("%s without %s: %s is still taken to run there", path, node, s.Service)
				}
			}
			for _, wrong := range rules.Check(p.state) {
				t.Errorf("%s without %s: %s", path, node, wrong)
			}
		}
	}
}
