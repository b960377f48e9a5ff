package cluster_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// keyed is a cluster of n nodes of which each has a public key recorded, and a data key.
func keyed(t *testing.T, nodes int, services ...string) *clustertest.Book {
	b := clustertest.NewBook(t, nodes, services...)
	wraps := map[string][]byte{}
	for _, name := range b.S.Nodes.Keys() {
		n := b.Node(name)
		n.Key = []byte("public " + name)
		n.Fingerprint = cluster.FingerprintOf(n.Key)
		b.S.Nodes.Set(name, n)
		wraps[name] = []byte("wrapped for " + name)
	}
	for _, name := range b.S.Services.Keys() { // what was asked for was asked of the machines before
		service, _ := b.S.Services.Get(name)
		for i, h := range service.Holders {
			service.Holders[i].Machine = b.Node(h.Node).Machine()
		}
		b.S.Services.Set(name, service)
	}
	b.Must(cluster.Rekey{Wraps: wraps, AuthorityKey: []byte{1}, Why: message.Words("the first")})
	return b
}

func turnOf(b *clustertest.Book, node string) uint64 { return b.Node(node).KeyTurn.Since }

// TestANodesKeyIsTurnedInSteps: the new key is believed before it is the only one, the old one is
// barred with the entry that records the new one, and the machine stays the one it was.
func TestANodesKeyIsTurnedInSteps(t *testing.T) {
	b := keyed(t, 3)
	fresh, other := []byte("a new public key"), []byte("another one")
	name, old := cluster.FingerprintOf(fresh), b.Node("node2")
	tell := func() cluster.TellKey {
		return cluster.TellKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: name, Key: fresh}
	}
	turn := func() cluster.TurnKey {
		return cluster.TurnKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: name, Epoch: b.S.Secrets.Epoch,
			Wrap: []byte{7}}
	}
	b.Refused(cluster.RotateKey{Node: "ghost"}, "there is no node ghost")
	b.Refused(cluster.AbortKey{Node: "node2"}, "is not being given a new key")
	b.Refused(cluster.TellKey{Node: "node2", Fingerprint: name, Key: fresh}, "is over")
	b.Must(cluster.RotateKey{Node: "node2", By: "root"})
	early := turn()
	b.Refused(early, "has not told that key")
	b.Refused(cluster.RotateKey{Node: "node2"}, "the order to give node2 a new key dates from")
	b.Must(cluster.AbortKey{Node: "node2", By: "root"})
	b.Refused(early, "is over")

	b.Must(cluster.RotateKey{Node: "node2", By: "root"})
	wrong := tell()
	wrong.Key = other
	b.Refused(wrong, "is not the one its fingerprint stands for")
	wrong.Key, wrong.Fingerprint = b.Node("node3").Key, b.Node("node3").Fingerprint
	b.Refused(wrong, "is one of node3")
	b.Must(tell())
	b.Must(tell()) // its outcome was not known
	wrong.Key, wrong.Fingerprint = other, cluster.FingerprintOf(other)
	b.Refused(wrong, "has told another new key")
	b.Refused(cluster.AbortKey{Node: "node2"}, "uses its new key already")
	join := cluster.Join{Node: "node9", Fingerprint: name, HardwareUUID: "h9", Address: "node9"}
	if why := rules.MayJoin(b.S, join, ""); !why.Is(message.JoinedAlready) {
		t.Errorf("another machine may join with a key that was told: %q", why)
	}
	if n := b.Node("node2"); n.Fingerprint != old.Fingerprint || b.S.Removed.Has(old.Fingerprint) || !n.HasKey(name) {
		t.Errorf("both are believed until the new one is recorded: %+v", n)
	}
	// Its daemon may have ended in between and come back with either key.
	b.Must(cluster.NodeUp{Node: "node2", Fingerprint: name, Boot: old.Boot, Address: "node2",
		MaxLevel: cluster.CurrentLevel})
	late := turn()
	late.Epoch--
	b.Refused(late, "is in force by now")
	late = turn()
	late.Wrap = nil
	b.Refused(late, "would not have the data key")
	b.Must(turn())

	expectTurned(b, old, fresh)
}

// expectTurned checks what a turn leaves behind: the machine, and nothing of its old key.
func expectTurned(b *clustertest.Book, old cluster.Member, fresh []byte) {
	t, name := b.T, cluster.FingerprintOf(fresh)
	t.Helper()
	n := b.Node("node2")
	if n.Fingerprint != name || string(n.Key) != string(fresh) || n.KeyTurn != nil || n.KeyAt.IsZero() {
		t.Errorf("recorded is %+v", n)
	}
	if n.Machine() != old.Machine() || n.HasKey(old.Fingerprint) || !b.S.Removed.Has(old.Fingerprint) {
		t.Errorf("machine %s was %s; the old key is barred: %t", n.Machine(), old.Machine(),
			b.S.Removed.Has(old.Fingerprint))
	}
	if b.S.RekeyWanted().IsZero() || string(b.S.Secrets.Wraps["node2"]) != "\x07" {
		t.Errorf("a new data key is due because %q; node2 has %v", b.S.RekeyWanted(), b.S.Secrets.Wraps["node2"])
	}
	late := cluster.NodeUp{Node: "node2", Fingerprint: old.Fingerprint, Boot: old.Boot, MaxLevel: cluster.CurrentLevel}
	b.Refused(late, "is not the one")
	b.Must(cluster.Inventory{Node: "node2", Incarnation: n.Incarnation, Boot: n.Boot})
	b.Must(cluster.RotateKey{Node: "node2"})
	back := cluster.TellKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: old.Fingerprint, Key: old.Key}
	b.Refused(back, "was barred as one of node2")
}

// TestAKeyIsTurnedOnlyWhereTheOthersKnow: not of a node that cannot make one, nor while somebody is
// away who would meet a stranger when he is back, nor under a guest that is moving.
func TestAKeyIsTurnedOnlyWhereTheOthersKnow(t *testing.T) {
	b := keyed(t, 3, "vm:a")
	restart(b, "node1", "node2", "node3")
	b.Must(cluster.Contact{Node: "node3", Incarnation: b.Node("node3").Incarnation, State: cluster.NodeSilent,
		Why: message.Words("silent")})
	b.Refused(cluster.RotateKey{Node: "node3"}, "`clusterd node replace node3`")
	b.Refused(cluster.RotateKey{Node: "node2"}, "node3 would not know the new key of node2")
	b.Must(cluster.RotateKey{Node: "node2", Anyway: true, By: "root"})
	if waits := b.S.KeyTurns(); len(waits) != 1 || !waits[0].Is(message.KeyWaitsToBeMade) {
		t.Errorf("told is %q", waits)
	}
	fresh := []byte("a new public key")
	b.Must(cluster.TellKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: cluster.FingerprintOf(fresh),
		Key: fresh})
	turn := cluster.TurnKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: cluster.FingerprintOf(fresh),
		Epoch: 1, Wrap: []byte{7}}
	service := b.Service("vm:a")
	moving := service
	moving.Intent = &cluster.Intent{Kind: cluster.IntentMigrate, Node: "node1", Target: "node2",
		Generation: b.S.Generation}
	moving.Holders = []cluster.Holder{{Node: "node1", Machine: b.Node("node1").Machine(), Boot: b.Node("node1").Boot},
		{Node: "node2", Machine: b.Node("node2").Machine(), Boot: b.Node("node2").Boot}}
	moving.State, moving.Owner = resources.Migrating, "node1"
	b.S.Services.Set("vm:a", moving)
	b.Refused(turn, "vm:a is migrating from node1 to node2")
	if waits := b.S.KeyTurns(); !strings.Contains(fmt.Sprint(waits), "vm:a is migrating") {
		t.Errorf("told is %q", waits)
	}
	b.S.Services.Set("vm:a", service)
	b.Must(turn)
	if waits := b.S.KeyTurns(); len(waits) != 0 {
		t.Errorf("told is %q", waits)
	}
}

// goes takes members out of touch.
func goes(b *clustertest.Book, names ...string) {
	b.T.Helper()
	for _, name := range names {
		b.Must(cluster.Contact{Node: name, Incarnation: b.Node(name).Incarnation, State: cluster.NodeSilent,
			Why: message.Words("silent")})
	}
}

// turned gives a member a new key, whoever is away.
func turned(b *clustertest.Book, node string) {
	b.T.Helper()
	b.Must(cluster.RotateKey{Node: node, Anyway: true, By: "root"})
	fresh := fmt.Appendf(nil, "a new public key of %s at %d", node, b.S.Index)
	key := cluster.FingerprintOf(fresh)
	b.Must(cluster.TellKey{Node: node, Since: turnOf(b, node), Fingerprint: key, Key: fresh})
	b.Must(cluster.TurnKey{Node: node, Since: turnOf(b, node), Fingerprint: key, Epoch: b.S.Secrets.Epoch,
		Wrap: []byte{7}})
}

// TestNobodyIsLeftOutOfAllKeys: who is away learns a key of which it was left out from a third
// member, which it has to know by its key. Left out of the keys of all of them it would be a
// stranger, and where another voter loses its log then, nobody could lead.
func TestNobodyIsLeftOutOfAllKeys(t *testing.T) {
	const why = "from nobody: no other member in touch is known there by the key"
	anyway := func(node string) cluster.RotateKey { return cluster.RotateKey{Node: node, Anyway: true, By: "root"} }
	b := keyed(t, 3)
	restart(b, "node1", "node2", "node3")
	goes(b, "node3")
	turned(b, "node1")
	b.Refused(anyway("node2"), "node3 could learn the new key of node2 "+why)
	turned(b, "node1") // node2 can tell of that as well
	b.Must(cluster.Contact{Node: "node3", Incarnation: b.Node("node3").Incarnation, State: cluster.NodeLost,
		Why: message.Words("its kernel is silent too")})
	b.Refused(anyway("node2"), why) // it has heard nothing meanwhile
	restart(b, "node3")
	goes(b, "node3")
	turned(b, "node2")
	b.Refused(anyway("node1"), why)
	b.Must(cluster.RemoveNode{Node: "node3", By: "root"})
	b.Must(anyway("node1"))

	b = keyed(t, 2)
	restart(b, "node1", "node2")
	goes(b, "node2")
	b.Refused(anyway("node1"), "node2 could learn the new key of node1 "+why) // of two nodes there is no third one

	b = keyed(t, 4)
	restart(b, "node1", "node2", "node3", "node4")
	goes(b, "node4")
	turned(b, "node1")
	turned(b, "node2")
	b.Refused(anyway("node3"), why)
	restart(b, "node4")
	goes(b, "node3", "node4")
	turned(b, "node1")
	// Two that are away tell each other nothing.
	b.Refused(anyway("node2"), "node3 and node4 could learn the new key of node2 "+why)
}

// TestOfTwoKeysThatLeaveTheSameOutOneWaits: both were ordered while it was not away yet. The node
// that was told first uses its new key, and the other one only when the first has told who is back.
func TestOfTwoKeysThatLeaveTheSameOutOneWaits(t *testing.T) {
	b := keyed(t, 3)
	restart(b, "node1", "node2", "node3")
	for _, node := range []string{"node1", "node2"} {
		told(b, node, []byte("a new public key of "+node))
	}
	goes(b, "node3")
	ignorant := func(node, other string) []string {
		turn := *b.Node(node).KeyTurn
		turn.Anyway = true
		return turn.Ignorant(b.S, []string{other, "node3"}, map[string]bool{other: true})
	}
	if left := ignorant("node1", "node2"); len(left) != 0 {
		t.Errorf("node1 waits for %v", left)
	}
	if left := ignorant("node2", "node1"); !slices.Equal(left, []string{"node3"}) {
		t.Errorf("node2 waits for %v beside node1, and not for node3", left)
	}
	b.Must(cluster.RotateKey{Node: "node1", Anyway: true})
	b.Refused(cluster.RotateKey{Node: "node2", Anyway: true}, "node3 could learn the new key of node2 from nobody")
	b.Must(cluster.TurnKey{Node: "node1", Since: turnOf(b, "node1"), Fingerprint: b.Node("node1").KeyTurn.Fingerprint,
		Epoch: b.S.Secrets.Epoch, Wrap: []byte{7}})
	if left := ignorant("node2", "node1"); !slices.Equal(left, []string{"node3"}) {
		t.Errorf("node2 waits for %v behind node1, and not for node3", left)
	}
	restart(b, "node3")
	if left := ignorant("node2", "node1"); !slices.Equal(left, []string{"node3"}) {
		t.Errorf("node3 is in touch and did not answer, and node2 waits for %v", left)
	}
	goes(b, "node3")
	if left := ignorant("node2", "node1"); len(left) != 0 {
		t.Errorf("node3 knows node1 by now, and node2 waits for %v", left)
	}
}

// restart starts the daemons of nodes anew, with the keys that are recorded.
func restart(b *clustertest.Book, names ...string) {
	b.T.Helper()
	for _, name := range names {
		n := b.Node(name)
		b.Must(cluster.NodeUp{Node: name, Fingerprint: n.Fingerprint, Boot: n.Boot, Address: name,
			MaxLevel: cluster.CurrentLevel})
		b.Must(cluster.Inventory{Node: name, Incarnation: b.Node(name).Incarnation, Boot: n.Boot})
	}
}

// TestBothKeysOfARemovedNodeAreBarred: also the one that it has told and does not use yet.
func TestBothKeysOfARemovedNodeAreBarred(t *testing.T) {
	b := keyed(t, 3)
	fresh := []byte("a new public key")
	before := b.Node("node2").Fingerprint
	b.Must(cluster.RotateKey{Node: "node2"})
	b.Must(cluster.TellKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: cluster.FingerprintOf(fresh),
		Key: fresh})
	b.Must(cluster.RemoveNode{Node: "node2", By: "root"})
	barred := b.S.Removed.Keys()
	if !slices.Contains(barred, before) || !slices.Contains(barred, cluster.FingerprintOf(fresh)) {
		t.Errorf("barred are %v", barred)
	}
}

// told brings a member to where it has told a new key and not recorded it.
func told(b *clustertest.Book, node string, fresh []byte) {
	b.T.Helper()
	b.Must(cluster.RotateKey{Node: node, By: "root"})
	b.Must(cluster.TellKey{Node: node, Since: turnOf(b, node), Fingerprint: cluster.FingerprintOf(fresh), Key: fresh})
}

// TestNoMigrationBeginsUnderATurnedKey: not from nor to a node that may use its new key at any
// moment. It is held for as long, and a node that leaves waits with it.
func TestNoMigrationBeginsUnderATurnedKey(t *testing.T) {
	for _, turning := range []string{"node1", "node2"} {
		b := keyed(t, 3, "vm:a")
		restart(b, "node1", "node2", "node3")
		b.Running("vm:a", "node1")
		move := cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node2"}
		b.Must(cluster.RotateKey{Node: turning, By: "root"})
		scratch := cluster.State{}
		if err := json.Unmarshal([]byte(bytesOf(t, b.S)), &scratch); err != nil {
			t.Fatal(err)
		}
		ordered := &clustertest.Book{T: t, S: &scratch, At: b.At}
		ordered.Must(move) // only ordered: it waits for the move
		b.Must(cluster.AbortKey{Node: turning, By: "root"})

		fresh := []byte("a new public key")
		told(b, turning, fresh)
		why := turning + " is about to use a new identity key"
		b.Refused(move, why)
		b.Apply(cluster.Ask{Request: "m", Op: cluster.OpMigrate, Service: "vm:a", Node: "node2"})
		b.Answer("m", cluster.CodeTemporary)
		other := cluster.Begin{Service: "vm:a", Intent: cluster.IntentMigrate, Node: "node1", Target: "node3"}
		if turning == "node1" {
			b.Refused(other, why)
		}
		b.Must(cluster.TurnKey{Node: turning, Since: turnOf(b, turning), Fingerprint: cluster.FingerprintOf(fresh),
			Epoch: b.S.Secrets.Epoch,
			Wrap:  []byte{7}})
		b.Must(move)
	}
}

// TestAMachineThatIsReplacedByItselfAmidATurnStaysAMember: its key is the one that was told, and
// must not be barred as the one before.
func TestAMachineThatIsReplacedByItselfAmidATurnStaysAMember(t *testing.T) {
	b := keyed(t, 3)
	fresh := []byte("a new public key")
	told(b, "node2", fresh)
	b.Must(cluster.AddToken{ID: "t", Token: cluster.Token{Replace: "node2", Expires: b.At.AddDate(0, 0, 1)}})
	n := b.Node("node2")
	b.Must(cluster.Join{Token: "t", Node: "node2", Fingerprint: cluster.FingerprintOf(fresh), Key: fresh,
		HardwareUUID: n.HardwareUUID,
		Address:      n.Address})
	if b.S.Removed.Has(cluster.FingerprintOf(fresh)) || !b.Node("node2").HasKey(cluster.FingerprintOf(fresh)) {
		t.Errorf("barred: %v; recorded: %+v", b.S.Removed.Keys(), b.Node("node2"))
	}
}

// TestATurnNeedNoLongerWaitForWhoIsAway: --anyway counts also after the order, and is written down.
func TestATurnNeedNoLongerWaitForWhoIsAway(t *testing.T) {
	b := keyed(t, 3)
	told(b, "node2", []byte("a new public key"))
	if b.Node("node2").KeyTurn.Anyway {
		t.Error("nobody said --anyway")
	}
	since := turnOf(b, "node2")
	b.Must(cluster.RotateKey{Node: "node2", Anyway: true, By: "root"})
	if turn := b.Node("node2").KeyTurn; !turn.Anyway || turn.Since != since || turn.Fingerprint == "" {
		t.Errorf("the turn is %+v, ordered at %d", turn, since)
	}
	b.Refused(cluster.RotateKey{Node: "node2", Anyway: true}, "dates from")
	b.Refused(cluster.AbortKey{Node: "node2"}, "clusterd node replace node2")
}

// TestWhatAStateWouldRefuseIsKnownBefore: asking changes nothing, and Apply says the same.
func TestWhatAStateWouldRefuseIsKnownBefore(t *testing.T) {
	b := keyed(t, 3)
	fresh := []byte("a new public key")
	b.Must(cluster.RotateKey{Node: "node2"})
	other := b.Node("node3")
	taken := cluster.TellKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: other.Fingerprint, Key: other.Key}
	if why := taken.Refused(b.S); !why.Is(message.KeyOfNode) {
		t.Errorf("a key of another node: %q", why)
	}
	tell := cluster.TellKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: cluster.FingerprintOf(fresh),
		Key: fresh}
	if why := tell.Refused(b.S); !why.IsZero() {
		t.Error(why)
	}
	b.Must(tell)
	for number := b.S.Removed.Len(); number < cluster.MaxRemoved; number++ {
		b.S.Removed.Set(fmt.Sprintf("gone-%d", number), cluster.Removed{Name: "old"})
	}
	turn := cluster.TurnKey{Node: "node2", Since: turnOf(b, "node2"), Fingerprint: cluster.FingerprintOf(fresh),
		Epoch: b.S.Secrets.Epoch,
		Wrap:  []byte{7}}
	if why := turn.Refused(b.S); !why.Is(message.KeysBarredFull) {
		t.Errorf("with the list full: %q", why)
	}
	b.Refused(turn, "keys are barred for good")
}

// TestAKeyTurnEndsWithTheLogItWasOrderedIn: a backup from the midst of one orders nothing.
func TestAKeyTurnEndsWithTheLogItWasOrderedIn(t *testing.T) {
	b := keyed(t, 3)
	told(b, "node2", []byte("a new public key"))
	fresh := &clustertest.Book{T: t, S: &cluster.State{}, At: b.At}
	fresh.Must(cluster.Restore{State: json.RawMessage(bytesOf(t, b.S)), By: "root"})
	if turn := fresh.Node("node2").KeyTurn; turn != nil {
		t.Errorf("restored with %+v", turn)
	}
}
