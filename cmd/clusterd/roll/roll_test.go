package roll

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// pretended is a cluster that does what it is ordered at once, except where a test says otherwise.
type pretended struct {
	status api.Status
	// ordered are the orders as they came, ran the commands.
	ordered, ran []string
	hosts        int
	// asked is called at each question, with its number.
	asked func(p *pretended, number int)
	count int
}

func three() *pretended {
	return &pretended{hosts: 1, status: api.Status{Quorate: true, Nodes: []api.Node{
		{Name: "node1", Online: true, Leader: true, Boot: "node1-boot-1", Address: "10.0.0.1:7440"},
		{Name: "node2", Online: true, Boot: "node2-boot-1", Address: "10.0.0.2:7440"},
		{Name: "node3", Online: true, Boot: "node3-boot-1", Address: "10.0.0.3:7440"},
		{Name: "watcher", Online: true, Witness: true, Local: true, Boot: "w", Address: "10.0.0.4:7440"}},
		Services: []api.Service{{Name: "vm:web", StateText: "started", Owner: "node2"}}}}
}

func (p *pretended) node(name string) *api.Node {
	i := slices.IndexFunc(p.status.Nodes, func(n api.Node) bool { return n.Name == name })
	return &p.status.Nodes[i]
}

func (p *pretended) Status(context.Context, bool) (api.Status, error) {
	if p.count++; p.asked != nil {
		p.asked(p, p.count)
	}
	return p.status, nil
}

func (p *pretended) ChangeNodes(_ context.Context, r api.NodeRequest) (api.Reply, error) {
	p.ordered = append(p.ordered, r.Op+" "+r.Node)
	n := p.node(r.Node)
	if n.Order = nil; r.Op == order {
		n.Order = &api.NodeOrder{Order: order, Empty: true}
	}
	return api.Reply{}, nil
}

func (p *pretended) Reserve(context.Context, int) (api.ReserveReply, error) {
	reply := api.ReserveReply{}
	reply.Hosts = p.hosts
	return reply, nil
}

// reboots is a command that reboots the host it is for.
func (p *pretended) reboots(_ context.Context, words []string) error {
	p.ran = append(p.ran, strings.Join(words, " "))
	for i, n := range p.status.Nodes {
		if strings.Contains(p.ran[len(p.ran)-1], n.Name) {
			p.status.Nodes[i].Boot += "+"
		}
	}
	return nil
}

func (p *pretended) roll(t *testing.T, change func(*Options), named ...string) (told string, err error) {
	t.Helper()
	var out strings.Builder
	o := Options{Command: "ssh {address} reboot {node}", Reboots: true, Drain: 20 * time.Millisecond,
		Run: time.Second, Boot: 20 * time.Millisecond, Settle: 20 * time.Millisecond, Every: time.Millisecond, Out: &out,
		Runs: p.reboots}
	if change != nil {
		change(&o)
	}
	err = Nodes(t.Context(), p, named, o)
	return out.String(), err
}

func TestHostsAreWorkedOnOneAfterTheOther(t *testing.T) {
	p := three()
	told, err := p.roll(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"maintenance node2", "return node2", "maintenance node3", "return node3", "maintenance node1",
		"return node1"}; !slices.Equal(p.ordered, want) {
		t.Errorf("ordered is %q, want %q", p.ordered, want)
	}
	if want := []string{"ssh 10.0.0.2 reboot node2", "ssh 10.0.0.3 reboot node3",
		"ssh 10.0.0.1 reboot node1"}; !slices.Equal(p.ran, want) {
		t.Errorf("run is %q, want %q", p.ran, want)
	}
	if !strings.HasSuffix(told, "all done: node2, node3, node1\n") {
		t.Errorf("told is %s", told)
	}
}

func TestTheFirstTroubleEndsARoll(t *testing.T) {
	for name, c := range map[string]struct {
		before  func(*pretended)
		options func(*Options)
		says    []string
		ordered []string
	}{
		"another host is away": {func(p *pretended) { p.node("node3").Online, p.node("node3").State = false, "lost" }, nil,
			[]string{"node2 was left alone: node3 is lost", "not worked on: node3, node1"}, nil},
		"a service has failed": {func(p *pretended) { p.status.Services[0].StateText = "failed" }, nil,
			[]string{"node2 was left alone: vm:web is failed"}, nil},
		"no host may be lost": {func(p *pretended) { p.hosts = 0 }, nil,
			[]string{"no host may be lost now", "--anyway"}, nil},
		"it is not emptied": {func(p *pretended) {
			p.asked = func(p *pretended, _ int) {
				if o := p.node("node2").Order; o != nil {
					o.Empty = false
				}
			}
		}, nil, []string{"node2: it was not emptied within", "`clusterd node return node2` ends"},
			[]string{"maintenance node2"}},
		"somebody takes the order back": {func(p *pretended) {
			p.asked = func(p *pretended, _ int) { p.node("node2").Order = nil }
		}, nil, []string{"was taken back"}, []string{"maintenance node2"}},
		"it does not boot": {nil, func(o *Options) {
			o.Runs = func(context.Context, []string) error { return errors.New("exit status 255") }
		}, []string{"node2: it was not back within", "the command ended with: exit status 255",
			"is under the order maintenance"}, []string{"maintenance node2"}},
		"the command fails and was not to reboot": {nil, func(o *Options) {
			o.Reboots = false
			o.Runs = func(context.Context, []string) error { return errors.New("exit status 1") }
		}, []string{"node2: the command failed: exit status 1"}, []string{"maintenance node2"}},
		"the cluster is not well afterwards": {func(p *pretended) {
			p.asked = func(p *pretended, _ int) {
				if slices.Contains(p.ordered, "return node2") {
					p.status.Services[0].StateText = "failed"
				}
			}
		}, nil, []string{"node2 takes services again, but", "vm:web is failed"},
			[]string{"maintenance node2", "return node2"}},
	} {
		p := three()
		if c.before != nil {
			c.before(p)
		}
		told, err := p.roll(t, c.options)
		for _, want := range c.says {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: it ended with %v, want %q", name, err, want)
			}
		}
		if !slices.Equal(p.ordered, c.ordered) {
			t.Errorf("%s: ordered is %q, want %q; told was %s", name, p.ordered, c.ordered, told)
		}
	}
}

func TestWhoAnswersIsNotWorkedOn(t *testing.T) {
	p := three()
	if _, err := p.roll(t, nil, "watcher"); err == nil || !strings.Contains(err.Error(), "from another node") {
		t.Errorf("the node that answers: %v", err)
	}
	if _, err := p.roll(t, nil, "node9"); err == nil || !strings.Contains(err.Error(), "there is no node node9") {
		t.Errorf("a node that is not there: %v", err)
	}
	if _, err := p.roll(t, func(o *Options) { o.Anyway = true }, "node3"); err != nil ||
		!slices.Equal(p.ordered, []string{"maintenance node3", "return node3"}) {
		t.Errorf("one that is named: %v %q", err, p.ordered)
	}
}

func TestAnAddressIsAHost(t *testing.T) {
	for address, want := range map[string]string{"10.0.0.1:7440": "10.0.0.1",
		"node1.example.com:7440": "node1.example.com", "[fd00::1]:7440": "fd00::1", "fd00::1": "fd00::1", "node1": "node1"} {
		if got := words("ping {address}", "n", address); len(got) != 2 || got[1] != want {
			t.Errorf("%s is %q, want %q", address, got, want)
		}
	}
}
