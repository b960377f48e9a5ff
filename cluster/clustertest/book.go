// Package clustertest has a State under test: a book that takes commands through the codec and the
// laws, and that Check looks over after each entry.
package clustertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// Founded is when the cluster of a Book began.
var Founded = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)

// Book is a State under test: every entry goes through the codec, and after
// each one Check must find nothing.
type Book struct {
	T  testing.TB
	S  *cluster.State
	At time.Time
	// Newer: it is kept by a clusterd of NextLevel.
	Newer bool
}

// Apply writes one entry and holds the State against Check.
func (b *Book) Apply(commands ...cluster.Command) apply.Applied {
	b.T.Helper()
	release, rulesOf := cluster.Current, apply.Current
	if b.Newer {
		release, rulesOf = Next, NextRules
	}
	data, err := release.Encode(commands)
	if err != nil {
		b.T.Fatal(err)
	}
	decoded, err := release.Decode(data)
	if err != nil {
		b.T.Fatal(err)
	}
	b.At = b.At.Add(time.Second)
	applied := rulesOf.Apply(b.S, cluster.Entry{Index: b.S.Index + 1, At: b.At, Commands: decoded})
	for _, wrong := range rules.Check(b.S) {
		b.T.Errorf("after %s at %d: %s", cluster.KindOf(commands[0]), b.S.Index, wrong)
	}
	return applied
}

// Must applies commands that are legal.
func (b *Book) Must(commands ...cluster.Command) apply.Applied {
	b.T.Helper()
	applied := b.Apply(commands...)
	if err := applied.Err(); err != nil {
		b.T.Fatalf("%s: %v", cluster.KindOf(commands[0]), err)
	}
	return applied
}

// Refused applies a command that a law forbids, for the given reason.
func (b *Book) Refused(command cluster.Command, why string) {
	b.T.Helper()
	applied := b.Apply(command)
	if !strings.Contains(applied.Refused[0].String(), why) || applied.Refused[0].IsZero() {
		b.T.Errorf("%s was answered with %q, want a refusal that says %q", cluster.KindOf(command), applied.Refused[0], why)
	}
	if len(applied.Events) > 0 {
		b.T.Errorf("a refused %s told events: %v", cluster.KindOf(command), applied.Events)
	}
}

// Document declares services, five nodes with a board each, and the restricted domain "pair" of
// node1 and node2.
func Document(services ...string) cluster.Document {
	d := cluster.Document{Cluster: "demo", Nodes: map[string]cluster.NodeSpec{}, Devices: map[string]fence.Device{},
		Services: map[string]resources.Spec{},
		Domains: map[string]domain.Domain{
			"pair": {Name: "pair", Restricted: true, Members: []domain.Member{{Node: "node1"}, {Node: "node2"}}}}}
	for i := 1; i <= 5; i++ {
		name := fmt.Sprintf("node%d", i)
		d.Devices["bmc-"+name] = fence.Device{Name: "bmc-" + name, Driver: "ipmi", Address: name}
		d.Nodes[name] = cluster.NodeSpec{Fence: []fence.Level{{Devices: []string{"bmc-" + name}}}}
	}
	for _, name := range services {
		d.Services[name] = resources.Spec{Name: name, UUID: "uuid-" + name, Autostart: true,
			Definition: "definition-" + name, Disks: []resources.Disk{{Identity: "disk-" + name}}}
	}
	return d
}

// Configure is the command that brings a document in, written when base was in force.
func Configure(d cluster.Document, base uint64) cluster.Configure {
	blobs := map[string]string{}
	for _, spec := range d.Services {
		blobs[spec.Definition] = "<domain/>"
	}
	return cluster.Configure{Base: base, Document: d, Blobs: blobs}
}

// NewBook founds a cluster of n nodes that are online; its services were
// declared before and run nowhere.
func NewBook(t testing.TB, nodes int, services ...string) *Book {
	t.Helper()
	b := &Book{T: t, S: &cluster.State{}, At: Founded}
	secrets := cluster.Secrets{Authority: "ca", AuthorityKey: []byte("secret")}
	b.Must(cluster.Init{Cluster: "demo", ID: "id", Secrets: secrets, Level: cluster.CurrentLevel})
	b.Must(Configure(Document(services...), 0))
	for i := 1; i <= nodes; i++ {
		name := fmt.Sprintf("node%d", i)
		token := ""
		if i > 1 {
			token = "token-" + name
			b.Must(cluster.AddToken{ID: token, Token: cluster.Token{Expires: Founded.Add(time.Hour)}})
		}
		b.Must(cluster.Join{Token: token, Node: name, Fingerprint: "key-" + name, HardwareUUID: "hardware-" + name,
			Address: name})
		b.Up(name, name+"-boot-1")
	}
	return b
}

// Up lets a node's daemon start on a boot, and admits it with what it found.
func (b *Book) Up(name, boot string, found ...cluster.Found) {
	b.T.Helper()
	b.Must(cluster.NodeUp{Node: name, Fingerprint: "key-" + name, Boot: boot, Address: name,
		MaxLevel: cluster.CurrentLevel})
	b.Must(cluster.Inventory{Node: name, Incarnation: b.Node(name).Incarnation, Boot: boot, Found: found})
}

// Node is a member as the State has it.
func (b *Book) Node(name string) cluster.Member {
	n, _ := b.S.Nodes.Get(name)
	return n
}

// Service is one as the State has it.
func (b *Book) Service(name string) cluster.Service {
	service, known := b.S.Services.Get(name)
	if !known {
		b.T.Fatalf("there is no service %s", name)
	}
	return service
}

// StartOf is the command that begins a start.
func (b *Book) StartOf(service, node string) cluster.Begin {
	return cluster.Begin{Service: service, Intent: cluster.IntentStart, Node: node, Definition: "definition-" + service}
}

// Done is the result of the act that is open for a service.
func (b *Book) Done(service, node string, result resources.Result) cluster.Done {
	intent := b.Service(service).Intent
	return cluster.Done{Service: service, Act: intent.Index, Node: node, Incarnation: b.Node(node).Incarnation,
		Stage: intent.Present().Name, Result: result}
}

// Ready has the target of a migration say that it can take the service.
func (b *Book) Ready(service string) {
	b.T.Helper()
	b.Must(b.Done(service, b.Service(service).Intent.Target, resources.Result{OK: true, Source: resources.Absent}))
}

// Running brings a service up on a node.
func (b *Book) Running(service, node string) {
	b.T.Helper()
	b.Must(b.StartOf(service, node))
	b.Must(b.Done(service, node, resources.Result{OK: true, Source: resources.Running}))
}

// Lose has a node called lost.
func (b *Book) Lose(node string) {
	b.T.Helper()
	b.Must(cluster.Contact{Node: node, Incarnation: b.Node(node).Incarnation, State: cluster.NodeLost,
		Why: message.Words("silent")})
}

// Shoot is the command that begins to fence a node.
func (b *Book) Shoot(node, fencer string) cluster.BeginFence {
	return cluster.BeginFence{Node: node, Boot: b.Node(node).Boot, Fencer: fencer, Why: message.Words("lost")}
}

// Shot is the end of that.
func (b *Book) Shot(node string, outcome fence.Outcome) cluster.FenceDone {
	open, _ := b.S.Fences.Get(node)
	return cluster.FenceDone{Node: node, Act: open.Index, Ordinal: open.TriedTotal, Fencer: open.Fencer,
		Incarnation: open.Incarnation, Result: fence.Result{Outcome: outcome, Evidence: []string{"as tested"}}}
}

// Looked answers the question that is open for a node.
func (b *Book) Looked(service, node string, condition resources.Condition) cluster.Looked {
	b.T.Helper()
	h, held := b.Service(service).Holder(node)
	if !held || !h.Ask {
		b.T.Fatalf("%s is not asked about %s", node, service)
	}
	return cluster.Looked{Service: service, Node: node, Incarnation: b.Node(node).Incarnation, Since: h.Since,
		Observation: resources.Observation{Condition: condition}}
}

// Is checks state, owner and holders of a service.
func (b *Book) Is(name string, state resources.State, owner string, holders ...string) {
	b.T.Helper()
	service := b.Service(name)
	if service.State != state || service.Owner != owner || cluster.HolderNames(service) != strings.Join(holders, ", ") {
		b.T.Errorf("%s is %s on %q, held by %q (%s); want %s on %q, held by %q", name, service.State, service.Owner,
			cluster.HolderNames(service), service.Reason, state, owner, strings.Join(holders, ", "))
	}
}

// Answer checks how a request ended.
func (b *Book) Answer(id string, code int) {
	b.T.Helper()
	r, known := b.S.Requests.Get(id)
	if !known || !r.Done || r.Code != code {
		b.T.Errorf("request %s is %+v, want it answered with %d", id, r, code)
	}
}

// GuardedDocument fences node1 by the given levels; its VMs' disks lie on the LUN.
func GuardedDocument(levels ...fence.Level) cluster.Document {
	d := Document("vm:a", "vm:b")
	d.Devices["san"] = fence.Device{Name: "san", Driver: fence.DriverStorage, Options: map[string]string{"devices": Lun}}
	d.Devices["wd"] = fence.Device{Name: "wd", Driver: fence.DriverWatchdog}
	d.Devices["pill"] = fence.Device{Name: "pill", Driver: fence.DriverPill,
		Options: map[string]string{"devices": "/dev/disk/by-id/p"}}
	d.Nodes["node1"] = cluster.NodeSpec{Fence: levels}
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
		spec.Disks = []resources.Disk{{Identity: fence.BlockIdentity(Lun) + []string{"-part1", "-part2"}[i]},
			{Identity: "file:/iso", ReadOnly: true}}
		spec.StorageOnly = name == "vm:a"
		d.Services[name] = spec
	}
	return d
}

// GuardedBook has node1 fenced by the levels and guarded by everything, running
// both VMs.
func GuardedBook(t *testing.T, levels ...fence.Level) *Book {
	b := NewBook(t, 3, "vm:a", "vm:b")
	b.Must(Configure(GuardedDocument(levels...), 1))
	b.Must(b.Guarded("node1"))
	b.Running("vm:a", "node1")
	b.Running("vm:b", "node1")
	return b
}

// Guarded is what a node tells of its watchdog, its disk watcher and its keys.
func (b *Book) Guarded(node string) cluster.Guarded {
	n := b.Node(node)
	return cluster.Guarded{Node: node, Incarnation: n.Incarnation,
		Guard: fence.Guard{Boot: n.Boot, Timeout: fence.DefaultTimeout, Lease: fence.DefaultLease,
			Pills: []string{"/dev/disk/by-id/p"}, Keys: []string{Lun}}}
}

// Level is a fence level of the devices.
func Level(devices ...string) fence.Level { return fence.Level{Devices: devices} }

// Lun is the disk that GuardedDocument puts its VMs on.
const Lun = "/dev/disk/by-id/wwn-0x6001405aaaaaaaaa"

// Longest is how long a guarded node can run on without its lease.
var Longest = fence.WaitOut(fence.DefaultLease, fence.DefaultTimeout)
