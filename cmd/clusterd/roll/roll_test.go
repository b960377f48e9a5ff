package roll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
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
	// unknown is of how many orders the outcome is not known.
	unknown int
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
	if p.unknown > 0 {
		p.unknown--
		return api.Reply{}, errors.New("the outcome is not known")
	}
	n := p.node(r.Node)
	if n.Order = nil; r.Op == order {
		n.Order = &api.NodeOrder{Order: order, Empty: true, By: "root", At: time.Unix(int64(len(p.ordered)), 0)}
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

// theOne is the cluster of the case that is tried.
var theOne *pretended

// trouble is something that ends a roll: what is wrong before it or with its command, what it says,
// and what was ordered until then.
type trouble struct {
	before  func(*pretended)
	options func(*Options)
	says    []string
	ordered []string
}

// troubles are those before and while a host is emptied.
var troubles = map[string]trouble{
	"another host is away": {func(p *pretended) { p.node("node3").Online, p.node("node3").State = false, "lost" }, nil,
		[]string{"node2 was left alone: node3 is lost", "not worked on: node3, node1"}, nil},
	"a service is under way": {func(p *pretended) { p.status.Services[0].StateText = "starting" }, nil,
		[]string{"node2 was left alone: vm:web is starting"}, nil},
	"another host is lost while it is emptied": {func(p *pretended) {
		p.asked = func(p *pretended, _ int) {
			if p.node("node2").Order != nil {
				p.node("node3").Online, p.node("node3").State = false, "lost"
			}
		}
	}, nil, []string{"it is empty, and nothing was run: node3 is lost", "`clusterd node return node2` ends"},
		[]string{"maintenance node2"}},
	"somebody orders it off meanwhile": {nil, func(o *Options) {
		reboots := o.Runs
		o.Runs = func(ctx context.Context, words []string) error {
			p := theOne
			p.node("node2").Order = &api.NodeOrder{Order: order, By: "eve", Reason: "bad DIMM", At: time.Unix(99, 0)}
			return reboots(ctx, words)
		}
	}, []string{"was given the order maintenance by eve meanwhile (bad DIMM), which stays"},
		[]string{"maintenance node2"}},
	"there is no such program": {nil, func(o *Options) {
		o.Boot = time.Hour
		o.Runs = func(context.Context, []string) error { return fmt.Errorf("%w: exit status 127", ErrNotRun) }
	}, []string{"node2: the command failed", "exit status 127"}, []string{"maintenance node2"}},
	"no host may be lost": {func(p *pretended) { p.hosts = 0 }, nil,
		[]string{"no host may be lost now", "--anyway"}, nil},
	"it is not emptied": {func(p *pretended) {
		p.asked = func(p *pretended, _ int) {
			if o := p.node("node2").Order; o != nil {
				o.Empty, o.Holds = false, []string{"vm:web"}
				p.status.Notes = []cluster.Note{{Subject: "vm:web", Why: message.Words("it is bound to its host")}}
			}
		}
	}, nil, []string{"node2: it was not emptied within", "`clusterd node return node2` ends",
		"it holds vm:web: vm:web is not moved because it is bound to its host"},
		[]string{"maintenance node2"}},
	"somebody takes the order back": {func(p *pretended) {
		p.asked = func(p *pretended, _ int) { p.node("node2").Order = nil }
	}, nil, []string{"was taken back"}, []string{"maintenance node2"}},
	"it does not boot": {nil, func(o *Options) {
		o.Runs = func(context.Context, []string) error { return errors.New("exit status 255") }
	}, []string{"node2: it was not back within", "the command ended with: exit status 255",
		"may be under the order maintenance"}, []string{"maintenance node2"}},
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
	}, nil, []string{"node2 takes services again, but", "vm:web ran before and is failed"},
		[]string{"maintenance node2", "return node2"}},
}

func TestTheFirstTroubleEndsARoll(t *testing.T) {
	for name, c := range troubles {
		p := three()
		theOne = p
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

// What was down before bars nothing, an order whose outcome is not known is given again, and a host
// that an interrupted roll left under its order is gone on with.
func TestARollGoesOn(t *testing.T) {
	p := three()
	p.status.Services = append(p.status.Services, api.Service{Name: "vm:old", StateText: "failed"})
	p.unknown = 1
	p.node("node2").Order = &api.NodeOrder{Order: order, Empty: true}
	if _, err := p.roll(t, nil, "node2", "node2"); err != nil {
		t.Error(err)
	}
	if want := []string{"maintenance node2", "maintenance node2", "return node2"}; !slices.Equal(p.ordered, want) {
		t.Errorf("ordered is %q, want %q", p.ordered, want)
	}
	if p.node("node2").Order != nil {
		t.Error("it is left under the order")
	}
}

func TestAnInterruptedRollSaysSo(t *testing.T) {
	p := three()
	ctx, cancel := context.WithCancel(t.Context())
	err := Nodes(ctx, p, []string{"node2"}, Options{Command: "reboot", Drain: time.Hour, Run: time.Hour, Boot: time.Hour,
		Settle: time.Hour, Every: time.Millisecond, Out: io.Discard, Runs: func(context.Context, []string) error {
			cancel()
			return errors.New("killed")
		}})
	if err == nil || !strings.Contains(err.Error(), "interrupted while the command ran") ||
		!strings.Contains(err.Error(), "`clusterd node return node2` ends") {
		t.Errorf("it ended with %v", err)
	}
}

func TestACommandNeedsNoShell(t *testing.T) {
	for _, command := range []string{`ssh h "a b"`, "a && b", "a | b", "a; b", "a > b", "echo $HOME", "a `b`"} {
		if unfit(command) == "" {
			t.Errorf("%s is taken", command)
		}
	}
	if why := unfit("ssh -o BatchMode=yes root@{address} systemctl reboot"); why != "" {
		t.Error(why)
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
