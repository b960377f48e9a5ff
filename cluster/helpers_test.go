package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

var founded = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// book is a State under test: every entry goes through the codec, and after
// each one Check must find nothing.
type book struct {
	t  testing.TB
	s  *State
	at time.Time
}

func (b *book) apply(commands ...Command) Applied {
	b.t.Helper()
	data, err := Encode(commands)
	if err != nil {
		b.t.Fatal(err)
	}
	decoded, err := Decode(data)
	if err != nil {
		b.t.Fatal(err)
	}
	b.at = b.at.Add(time.Second)
	applied := Apply(b.s, Entry{Index: b.s.Index + 1, At: b.at, Commands: decoded})
	for _, wrong := range Check(b.s) {
		b.t.Errorf("after %s at %d: %s", commands[0].Kind(), b.s.Index, wrong)
	}
	return applied
}

// must applies commands that are legal.
func (b *book) must(commands ...Command) Applied {
	b.t.Helper()
	applied := b.apply(commands...)
	if err := applied.Err(); err != nil {
		b.t.Fatalf("%s: %v", commands[0].Kind(), err)
	}
	return applied
}

// refused applies a command that a law forbids, for the given reason.
func (b *book) refused(command Command, why string) {
	b.t.Helper()
	applied := b.apply(command)
	if !strings.Contains(applied.Refused[0], why) || applied.Refused[0] == "" {
		b.t.Errorf("%s was answered with %q, want a refusal that says %q", command.Kind(), applied.Refused[0], why)
	}
	if len(applied.Events) > 0 {
		b.t.Errorf("a refused %s told events: %v", command.Kind(), applied.Events)
	}
}

func document(services ...string) Document {
	d := Document{Cluster: "demo", Nodes: map[string]NodeSpec{}, Devices: map[string]fence.Device{}, Services: map[string]resources.Spec{},
		Domains: map[string]domain.Domain{"pair": {Name: "pair", Restricted: true, Members: []domain.Member{{Node: "node1"}, {Node: "node2"}}}}}
	for i := 1; i <= 5; i++ {
		name := fmt.Sprintf("node%d", i)
		d.Devices["bmc-"+name] = fence.Device{Name: "bmc-" + name, Driver: "ipmi", Address: name}
		d.Nodes[name] = NodeSpec{Fence: []fence.Level{{Devices: []string{"bmc-" + name}}}}
	}
	for _, name := range services {
		d.Services[name] = resources.Spec{Name: name, UUID: "uuid-" + name, Autostart: true, Definition: "definition-" + name, Disks: []resources.Disk{{Identity: "disk-" + name}}}
	}
	return d
}

func configure(d Document, base uint64) Configure {
	blobs := map[string]string{}
	for _, spec := range d.Services {
		blobs[spec.Definition] = "<domain/>"
	}
	return Configure{Base: base, Document: d, Blobs: blobs}
}

// newBook founds a cluster of n nodes that are online; its services were
// declared before and run nowhere.
func newBook(t testing.TB, nodes int, services ...string) *book {
	t.Helper()
	b := &book{t: t, s: &State{}, at: founded}
	secrets := Secrets{Authority: "ca", AuthorityKey: []byte("secret")}
	b.must(Init{Cluster: "demo", ID: "id", Secrets: secrets, Level: CurrentLevel})
	b.must(configure(document(services...), 0))
	for i := 1; i <= nodes; i++ {
		name := fmt.Sprintf("node%d", i)
		token := ""
		if i > 1 {
			token = "token-" + name
			b.must(AddToken{ID: token, Token: Token{Expires: founded.Add(time.Hour)}})
		}
		b.must(Join{Token: token, Node: name, Fingerprint: "key-" + name, HardwareUUID: "hardware-" + name, Address: name})
		b.up(name, name+"-boot-1")
	}
	return b
}

// up lets a node's daemon start on a boot, and admits it with what it found.
func (b *book) up(name, boot string, found ...Found) {
	b.t.Helper()
	b.must(NodeUp{Node: name, Fingerprint: "key-" + name, Boot: boot, Address: name, MaxLevel: CurrentLevel})
	b.must(Inventory{Node: name, Incarnation: b.node(name).Incarnation, Boot: boot, Found: found})
}

func (b *book) node(name string) Member {
	n, _ := b.s.Nodes.Get(name)
	return n
}

func (b *book) service(name string) Service {
	service, known := b.s.Services.Get(name)
	if !known {
		b.t.Fatalf("there is no service %s", name)
	}
	return service
}

func (b *book) startOf(service, node string) Begin {
	return Begin{Service: service, Intent: IntentStart, Node: node, Definition: "definition-" + service}
}

func (b *book) done(service, node string, result resources.Result) Done {
	return Done{Service: service, Act: b.service(service).Intent.Index, Node: node, Incarnation: b.node(node).Incarnation, Result: result}
}

// running brings a service up on a node.
func (b *book) running(service, node string) {
	b.t.Helper()
	b.must(b.startOf(service, node))
	b.must(b.done(service, node, resources.Result{OK: true, Source: resources.Running}))
}

func (b *book) lose(node string) {
	b.t.Helper()
	b.must(Contact{Node: node, Incarnation: b.node(node).Incarnation, State: NodeLost, Why: "silent"})
}

func (b *book) shoot(node, fencer string) BeginFence {
	return BeginFence{Node: node, Boot: b.node(node).Boot, Fencer: fencer, Why: "lost"}
}

func (b *book) shot(node string, outcome fence.Outcome) FenceDone {
	open, _ := b.s.Fences.Get(node)
	return FenceDone{Node: node, Act: open.Index, Ordinal: open.TriedTotal, Fencer: open.Fencer, Incarnation: open.Incarnation, Result: fence.Result{Outcome: outcome, Evidence: []string{"as tested"}}}
}

// looked answers the question that is open for a node.
func (b *book) looked(service, node string, condition resources.Condition) Looked {
	b.t.Helper()
	h, held := b.service(service).holder(node)
	if !held || !h.Ask {
		b.t.Fatalf("%s is not asked about %s", node, service)
	}
	return Looked{Service: service, Node: node, Incarnation: b.node(node).Incarnation, Since: h.Since, Observation: resources.Observation{Condition: condition}}
}

// is checks state, owner and holders of a service.
func (b *book) is(name string, state resources.State, owner string, holders ...string) {
	b.t.Helper()
	service := b.service(name)
	if service.State != state || service.Owner != owner || holderNames(service) != strings.Join(holders, ", ") {
		b.t.Errorf("%s is %s on %q, held by %q (%s); want %s on %q, held by %q", name, service.State, service.Owner, holderNames(service), service.Reason, state, owner, strings.Join(holders, ", "))
	}
}

// answer checks how a request ended.
func (b *book) answer(id string, code int) {
	b.t.Helper()
	r, known := b.s.Requests.Get(id)
	if !known || !r.Done || r.Code != code {
		b.t.Errorf("request %s is %+v, want it answered with %d", id, r, code)
	}
}

// guardedDocument fences node1 by the given levels; its VMs' disks lie on the LUN.
func guardedDocument(levels ...fence.Level) Document {
	d := document("vm:a", "vm:b")
	d.Devices["san"] = fence.Device{Name: "san", Driver: fence.DriverStorage, Options: map[string]string{"devices": lun}}
	d.Devices["wd"] = fence.Device{Name: "wd", Driver: fence.DriverWatchdog}
	d.Devices["pill"] = fence.Device{Name: "pill", Driver: fence.DriverPill, Options: map[string]string{"devices": "/dev/disk/by-id/p"}}
	d.Nodes["node1"] = NodeSpec{Fence: levels}
	used := map[string]bool{}
	for _, l := range levels {
		for _, name := range l.Devices {
			used[name] = true
		}
	}
	if !used["san"] {
		delete(d.Devices, "san") // every node would have to register with it
	}
	for i, name := range []string{"vm:a", "vm:b"} {
		spec := d.Services[name]
		spec.Disks = []resources.Disk{{Identity: fence.BlockIdentity(lun) + []string{"-part1", "-part2"}[i]}, {Identity: "file:/iso", ReadOnly: true}}
		spec.StorageOnly = name == "vm:a"
		d.Services[name] = spec
	}
	return d
}

// guardedBook has node1 fenced by the levels and guarded by everything, running
// both VMs.
func guardedBook(t *testing.T, levels ...fence.Level) *book {
	b := newBook(t, 3, "vm:a", "vm:b")
	b.must(configure(guardedDocument(levels...), 1))
	b.must(b.guarded("node1"))
	b.running("vm:a", "node1")
	b.running("vm:b", "node1")
	return b
}

func (b *book) guarded(node string) Guarded {
	n := b.node(node)
	return Guarded{Node: node, Incarnation: n.Incarnation, Guard: fence.Guard{Boot: n.Boot, Timeout: fence.DefaultTimeout, Lease: fence.DefaultLease, Pills: []string{"/dev/disk/by-id/p"}, Keys: []string{lun}}}
}

func level(devices ...string) fence.Level { return fence.Level{Devices: devices} }

const lun = "/dev/disk/by-id/wwn-0x6001405aaaaaaaaa"

// longest is how long a guarded node can run on without its lease.
var longest = fence.WaitOut(fence.DefaultLease, fence.DefaultTimeout)
