package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

// keyed is a cluster of n nodes of which each has a public key recorded, and a data key.
func keyed(t *testing.T, nodes int, services ...string) *book {
	b := newBook(t, nodes, services...)
	wraps := map[string][]byte{}
	for _, name := range b.s.Nodes.Keys() {
		n := b.node(name)
		n.Key = []byte("public " + name)
		n.Fingerprint = fingerprintOf(n.Key)
		b.s.Nodes.Set(name, n)
		wraps[name] = []byte("wrapped for " + name)
	}
	for _, name := range b.s.Services.Keys() { // what was asked for was asked of the machines before
		service, _ := b.s.Services.Get(name)
		for i, h := range service.Holders {
			service.Holders[i].Machine = b.node(h.Node).Machine()
		}
		b.s.Services.Set(name, service)
	}
	b.must(Rekey{Wraps: wraps, AuthorityKey: []byte{1}, Why: "the first"})
	return b
}

func (b *book) turnOf(node string) uint64 { return b.node(node).KeyTurn.Since }

// TestANodesKeyIsTurnedInSteps: the new key is believed before it is the only one, the old one is
// barred with the entry that records the new one, and the machine stays the one it was.
func TestANodesKeyIsTurnedInSteps(t *testing.T) {
	b := keyed(t, 3)
	fresh, other := []byte("a new public key"), []byte("another one")
	name, old := fingerprintOf(fresh), b.node("node2")
	tell := func() TellKey {
		return TellKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: name, Key: fresh}
	}
	turn := func() TurnKey {
		return TurnKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: name, Epoch: b.s.Secrets.Epoch,
			Wrap: []byte{7}}
	}
	b.refused(RotateKey{Node: "ghost"}, "there is no node ghost")
	b.refused(AbortKey{Node: "node2"}, "is not being given a new key")
	b.refused(TellKey{Node: "node2", Fingerprint: name, Key: fresh}, "is over")
	b.must(RotateKey{Node: "node2", By: "root"})
	early := turn()
	b.refused(early, "has not told that key")
	b.refused(RotateKey{Node: "node2"}, "the order to give node2 a new key dates from")
	b.must(AbortKey{Node: "node2", By: "root"})
	b.refused(early, "is over")

	b.must(RotateKey{Node: "node2", By: "root"})
	wrong := tell()
	wrong.Key = other
	b.refused(wrong, "is not the one its fingerprint stands for")
	wrong.Key, wrong.Fingerprint = b.node("node3").Key, b.node("node3").Fingerprint
	b.refused(wrong, "is one of node3")
	b.must(tell())
	b.must(tell()) // its outcome was not known
	wrong.Key, wrong.Fingerprint = other, fingerprintOf(other)
	b.refused(wrong, "has told another new key")
	b.refused(AbortKey{Node: "node2"}, "uses its new key already")
	join := Join{Node: "node9", Fingerprint: name, HardwareUUID: "h9", Address: "node9"}
	if why := b.s.MayJoin(join, ""); !strings.Contains(why, "is a member already, as node2") {
		t.Errorf("another machine may join with a key that was told: %q", why)
	}
	if n := b.node("node2"); n.Fingerprint != old.Fingerprint || b.s.Removed.Has(old.Fingerprint) || !n.HasKey(name) {
		t.Errorf("both are believed until the new one is recorded: %+v", n)
	}
	// Its daemon may have ended in between and come back with either key.
	b.must(NodeUp{Node: "node2", Fingerprint: name, Boot: old.Boot, Address: "node2", MaxLevel: CurrentLevel})
	late := turn()
	late.Epoch--
	b.refused(late, "is in force meanwhile")
	late = turn()
	late.Wrap = nil
	b.refused(late, "would not have the data key")
	b.must(turn())

	b.expectTurned(old, fresh)
}

// expectTurned checks what a turn leaves behind: the machine, and nothing of its old key.
func (b *book) expectTurned(old Member, fresh []byte) {
	t, name := b.t, fingerprintOf(fresh)
	t.Helper()
	n := b.node("node2")
	if n.Fingerprint != name || string(n.Key) != string(fresh) || n.KeyTurn != nil || n.KeyAt.IsZero() {
		t.Errorf("recorded is %+v", n)
	}
	if n.Machine() != old.Machine() || n.HasKey(old.Fingerprint) || !b.s.Removed.Has(old.Fingerprint) {
		t.Errorf("machine %s was %s; the old key is barred: %t", n.Machine(), old.Machine(),
			b.s.Removed.Has(old.Fingerprint))
	}
	if b.s.RekeyWanted() == "" || string(b.s.Secrets.Wraps["node2"]) != "\x07" {
		t.Errorf("a new data key is due because %q; node2 has %v", b.s.RekeyWanted(), b.s.Secrets.Wraps["node2"])
	}
	late := NodeUp{Node: "node2", Fingerprint: old.Fingerprint, Boot: old.Boot, MaxLevel: CurrentLevel}
	b.refused(late, "is not the one")
	b.must(Inventory{Node: "node2", Incarnation: n.Incarnation, Boot: n.Boot})
	b.must(RotateKey{Node: "node2"})
	back := TellKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: old.Fingerprint, Key: old.Key}
	b.refused(back, "was barred as one of node2")
}

// TestAKeyIsTurnedOnlyWhereTheOthersKnow: not of a node that cannot make one, nor while somebody is
// away who would meet a stranger when he is back, nor under a guest that is moving.
func TestAKeyIsTurnedOnlyWhereTheOthersKnow(t *testing.T) {
	b := keyed(t, 3, "vm:a")
	b.restart("node1", "node2", "node3")
	b.must(Contact{Node: "node3", Incarnation: b.node("node3").Incarnation, State: NodeSilent, Why: "silent"})
	b.refused(RotateKey{Node: "node3"}, "`clusterd node replace node3`")
	b.refused(RotateKey{Node: "node2"}, "node3 would not know the new key of node2")
	b.must(RotateKey{Node: "node2", Anyway: true, By: "root"})
	if waits := b.s.KeyTurns(); len(waits) != 1 || !strings.Contains(waits[0], "until node2 has made it") {
		t.Errorf("told is %q", waits)
	}
	fresh := []byte("a new public key")
	b.must(TellKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: fingerprintOf(fresh), Key: fresh})
	turn := TurnKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: fingerprintOf(fresh), Epoch: 1, Wrap: []byte{7}}
	service := b.service("vm:a")
	moving := service
	moving.Intent = &Intent{Kind: IntentMigrate, Node: "node1", Target: "node2", Generation: b.s.Generation}
	moving.Holders = []Holder{{Node: "node1", Machine: b.node("node1").Machine(), Boot: b.node("node1").Boot},
		{Node: "node2", Machine: b.node("node2").Machine(), Boot: b.node("node2").Boot}}
	moving.State, moving.Owner = resources.Migrating, "node1"
	b.s.Services.Set("vm:a", moving)
	b.refused(turn, "vm:a is migrating from node1 to node2")
	if waits := b.s.KeyTurns(); !strings.Contains(strings.Join(waits, ""), "vm:a is migrating") {
		t.Errorf("told is %q", waits)
	}
	b.s.Services.Set("vm:a", service)
	b.must(turn)
	if waits := b.s.KeyTurns(); len(waits) != 0 {
		t.Errorf("told is %q", waits)
	}
}

// restart starts the daemons of nodes anew, with the keys that are recorded.
func (b *book) restart(names ...string) {
	b.t.Helper()
	for _, name := range names {
		n := b.node(name)
		b.must(NodeUp{Node: name, Fingerprint: n.Fingerprint, Boot: n.Boot, Address: name, MaxLevel: CurrentLevel})
		b.must(Inventory{Node: name, Incarnation: b.node(name).Incarnation, Boot: n.Boot})
	}
}

// TestBothKeysOfARemovedNodeAreBarred: also the one that it has told and does not use yet.
func TestBothKeysOfARemovedNodeAreBarred(t *testing.T) {
	b := keyed(t, 3)
	fresh := []byte("a new public key")
	before := b.node("node2").Fingerprint
	b.must(RotateKey{Node: "node2"})
	b.must(TellKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: fingerprintOf(fresh), Key: fresh})
	b.must(RemoveNode{Node: "node2", By: "root"})
	barred := b.s.Removed.Keys()
	if !slices.Contains(barred, before) || !slices.Contains(barred, fingerprintOf(fresh)) {
		t.Errorf("barred are %v", barred)
	}
}

// told brings a member to where it has told a new key and not recorded it.
func (b *book) told(node string, fresh []byte) {
	b.t.Helper()
	b.must(RotateKey{Node: node, By: "root"})
	b.must(TellKey{Node: node, Since: b.turnOf(node), Fingerprint: fingerprintOf(fresh), Key: fresh})
}

// TestNoMigrationBeginsUnderATurnedKey: not from nor to a node that may use its new key at any
// moment. It is held for as long, and a node that leaves waits with it.
func TestNoMigrationBeginsUnderATurnedKey(t *testing.T) {
	for _, turning := range []string{"node1", "node2"} {
		b := keyed(t, 3, "vm:a")
		b.restart("node1", "node2", "node3")
		b.running("vm:a", "node1")
		move := Begin{Service: "vm:a", Intent: IntentMigrate, Node: "node1", Target: "node2"}
		b.must(RotateKey{Node: turning, By: "root"})
		scratch := State{}
		if err := json.Unmarshal([]byte(bytesOf(t, b.s)), &scratch); err != nil {
			t.Fatal(err)
		}
		ordered := &book{t: t, s: &scratch, at: b.at}
		ordered.must(move) // only ordered: it waits for the move
		b.must(AbortKey{Node: turning, By: "root"})

		fresh := []byte("a new public key")
		b.told(turning, fresh)
		why := turning + " is about to use a new identity key"
		b.refused(move, why)
		b.apply(Ask{Request: "m", Op: OpMigrate, Service: "vm:a", Node: "node2"})
		b.answer("m", codeTemporary)
		other := Begin{Service: "vm:a", Intent: IntentMigrate, Node: "node1", Target: "node3"}
		if turning == "node1" {
			b.refused(other, why)
		}
		b.must(TurnKey{Node: turning, Since: b.turnOf(turning), Fingerprint: fingerprintOf(fresh), Epoch: b.s.Secrets.Epoch,
			Wrap: []byte{7}})
		b.must(move)
	}
}

// TestAMachineThatIsReplacedByItselfAmidATurnStaysAMember: its key is the one that was told, and
// must not be barred as the one before.
func TestAMachineThatIsReplacedByItselfAmidATurnStaysAMember(t *testing.T) {
	b := keyed(t, 3)
	fresh := []byte("a new public key")
	b.told("node2", fresh)
	b.must(AddToken{ID: "t", Token: Token{Replace: "node2", Expires: b.at.AddDate(0, 0, 1)}})
	n := b.node("node2")
	b.must(Join{Token: "t", Node: "node2", Fingerprint: fingerprintOf(fresh), Key: fresh, HardwareUUID: n.HardwareUUID,
		Address: n.Address})
	if b.s.Removed.Has(fingerprintOf(fresh)) || !b.node("node2").HasKey(fingerprintOf(fresh)) {
		t.Errorf("barred: %v; recorded: %+v", b.s.Removed.Keys(), b.node("node2"))
	}
}

// TestATurnNeedNoLongerWaitForWhoIsAway: --anyway counts also after the order, and is written down.
func TestATurnNeedNoLongerWaitForWhoIsAway(t *testing.T) {
	b := keyed(t, 3)
	b.told("node2", []byte("a new public key"))
	if b.node("node2").KeyTurn.Anyway {
		t.Error("nobody said --anyway")
	}
	since := b.turnOf("node2")
	b.must(RotateKey{Node: "node2", Anyway: true, By: "root"})
	if turn := b.node("node2").KeyTurn; !turn.Anyway || turn.Since != since || turn.Fingerprint == "" {
		t.Errorf("the turn is %+v, ordered at %d", turn, since)
	}
	b.refused(RotateKey{Node: "node2", Anyway: true}, "dates from")
	b.refused(AbortKey{Node: "node2"}, "clusterd node replace node2")
}

// TestWhatAStateWouldRefuseIsKnownBefore: asking changes nothing, and Apply says the same.
func TestWhatAStateWouldRefuseIsKnownBefore(t *testing.T) {
	b := keyed(t, 3)
	fresh := []byte("a new public key")
	b.must(RotateKey{Node: "node2"})
	other := b.node("node3")
	taken := TellKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: other.Fingerprint, Key: other.Key}
	if why := taken.Refused(b.s); !strings.Contains(why, "is one of node3") {
		t.Errorf("a key of another node: %q", why)
	}
	tell := TellKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: fingerprintOf(fresh), Key: fresh}
	if why := tell.Refused(b.s); why != "" {
		t.Error(why)
	}
	b.must(tell)
	for number := b.s.Removed.Len(); number < maxRemoved; number++ {
		b.s.Removed.Set(fmt.Sprintf("gone-%d", number), Removed{Name: "old"})
	}
	turn := TurnKey{Node: "node2", Since: b.turnOf("node2"), Fingerprint: fingerprintOf(fresh), Epoch: b.s.Secrets.Epoch,
		Wrap: []byte{7}}
	if why := turn.Refused(b.s); !strings.Contains(why, "keys are barred for good") {
		t.Errorf("with the list full: %q", why)
	}
	b.refused(turn, "keys are barred for good")
}

// TestAKeyTurnEndsWithTheLogItWasOrderedIn: a backup from the midst of one orders nothing.
func TestAKeyTurnEndsWithTheLogItWasOrderedIn(t *testing.T) {
	b := keyed(t, 3)
	b.told("node2", []byte("a new public key"))
	fresh := &book{t: t, s: &State{}, at: b.at}
	fresh.must(Restore{State: json.RawMessage(bytesOf(t, b.s)), By: "root"})
	if turn := fresh.node("node2").KeyTurn; turn != nil {
		t.Errorf("restored with %+v", turn)
	}
}
