package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/internal/message"
)

const (
	// keysWritten is how long after an entry its keys lie on disk; keyTries and keyHeldTries are how
	// soon a step to a new key is tried again, where something failed and where it is held up.
	keysWritten  = 20 * time.Millisecond
	keyTries     = time.Second
	keyHeldTries = 5 * time.Second
	// vouchTakes is how long it takes at most until members have been asked about a key.
	vouchTakes = 5 * time.Second
)

// nodeKey is a key pair, by what is public of it.
type nodeKey struct {
	fingerprint string
	public      []byte
}

// newNodeKey is the made-th key of a machine.
func newNodeKey(machine string, made int) nodeKey {
	public := []byte("key-" + machine)
	if made > 0 {
		public = fmt.Appendf(public, ".%d", made)
	}
	return nodeKey{fingerprint: cluster.FingerprintOf(public), public: public}
}

// keyring are the keys in a host's folder, and those that it wrote down of the others.
type keyring struct {
	// born names the machine: it is its first key.
	born string
	// used is that of the identity, next waits to become it, former was it before.
	used, next, former nodeKey
	made               int
	// book is the State whose keys were written down last; nil before any key was turned.
	book *cluster.State
	// unwritten: entries changed keys since it was written down.
	unwritten bool
}

func newKeyring(name string, key int) keyring {
	first := newNodeKey(machineName(name, key), 0)
	return keyring{born: first.fingerprint, used: first}
}

// holds reports whether the folder has the private key.
func (r keyring) holds(fingerprint string) bool {
	return r.used.fingerprint == fingerprint || r.former.fingerprint == fingerprint
}

// left reports whether there is a key beside the node's own.
func (r keyring) left() bool { return r.next.fingerprint != "" || r.former.fingerprint != "" }

// isMember reports whether a member is this machine; others of its name are not judged by their
// keys.
func (r keyring) isMember(n cluster.Member) bool { return cmp.Or(n.JoinedAs, n.Fingerprint) == r.born }

// disowns reports whether another machine has joined under a host's name: what that one asks for is
// not asked by a member.
func (h *Host) disowns(other *Host) bool {
	n, known := h.state.Nodes.Get(other.Name)
	return known && !other.ring.isMember(n)
}

// keysBy is what a host goes by: its State, or what it wrote down where that is newer.
func (h *Host) keysBy(s *cluster.State) *cluster.State {
	if book := h.ring.book; book != nil && book.Index > s.Index && book.Generation >= s.Generation {
		return book
	}
	return s
}

// believesKey reports whether a State, or who has it, believes another host by a key.
func believesKey(s *cluster.State, other *Host, key string) bool {
	if s.Removed.Has(key) {
		return false
	}
	n, known := s.Nodes.Get(other.Name)
	return !known || !other.ring.isMember(n) || n.HasKey(key)
}

// believes reports whether a host takes what another one uses for that one's key.
func (h *Host) believes(other *Host) bool {
	return believesKey(h.keysBy(h.state), other, other.ring.used.fingerprint)
}

// trust reports whether two daemons let each other in.
func (w *World) trust(a, b *Host) bool { return !w.turns.told || (a.letsIn(b) && b.letsIn(a)) }

func (h *Host) letsIn(other *Host) bool {
	return h == other || h.believes(other) || (h.daemon != nil && h.daemon.vouched[other.ring.used.fingerprint])
}

// pairKey reports whether two daemons make the same key for their heartbeats: from what the State
// of each records of both.
func (w *World) pairKey(a, b *Host) bool {
	if !w.turns.told {
		return true
	}
	for _, h := range []*Host{a, b} {
		one, two := a.records(h), b.records(h)
		own := h.records(h)
		if (one != "" && two != "" && one != two) || (own != "" && !h.ring.holds(own)) {
			return false
		}
	}
	return true
}

// records is the key that a host's State records of another one; "" where it knows none.
func (h *Host) records(other *Host) string {
	if n, known := h.state.Nodes.Get(other.Name); known && other.ring.isMember(n) {
		return n.Fingerprint
	}
	return ""
}

// learnKeys lets a daemon write down whose key is whose when an entry changed that.
func (h *Host) learnKeys(commands []cluster.Command) {
	w, d := h.world, h.daemon
	if d == nil || !w.turns.told || !changesKeys(commands) {
		return
	}
	w.After(0, w.changed)
	h.ring.unwritten = true
	d.after(keysWritten, h.writeKeys)
}

// changesKeys: with a snapshot comes whatever was before it.
func changesKeys(commands []cluster.Command) bool {
	return commands == nil || slices.ContainsFunc(commands, func(c cluster.Command) bool {
		switch c.(type) {
		case cluster.TellKey, cluster.TurnKey, cluster.Join, cluster.RemoveNode, cluster.Restore:
			return true
		}
		return false
	})
}

func (h *Host) writeKeys() {
	if book := h.ring.book; book == nil || (h.state.Nodes.Len() > 0 && h.keysBy(h.state) == h.state) {
		h.ring.book = h.state.Fork()
	}
	h.ring.unwritten = false
}

// losesKeys is what goes with a log: the keys that only its entries told. Whoever forgets them asks
// other members again.
func (h *Host) losesKeys() {
	if h.ring.unwritten {
		h.world.excuse(h)
	}
}

// keyDue reports whether a daemon has something to do about its own key.
func (d *daemon) keyDue() bool {
	me, known := d.host.state.Nodes.Get(d.host.Name)
	return known && (me.KeyTurn != nil || d.host.ring.left())
}

// followKey begins to take the steps to a new key that were ordered.
func (d *daemon) followKey() {
	if !d.stepping && d.keyDue() {
		d.stepping = true
		d.after(d.host.world.keyPause(), d.stepKey)
	}
}

// stepKey takes the next step, as soon as this daemon's State is known to be the newest.
func (d *daemon) stepKey() {
	h, w := d.host, d.host.world
	if !d.keyDue() {
		d.stepping = false
		return
	}
	leader := w.Hosts[w.Leader()]
	if leader == nil || !w.talks(h, leader) || int(h.state.Index) != len(w.raft.log) || h.byHand != nil {
		d.after(keyTries, d.stepKey)
		return
	}
	me, _ := h.state.Nodes.Get(h.Name)
	switch h.state.KeyStep(h.Name, h.ring.used.fingerprint) {
	case cluster.KeyDrops:
		h.ring.next, h.ring.former, d.stepping = nodeKey{}, nodeKey{}, false
	case cluster.KeyTold:
		d.tellKey(me.KeyTurn)
	case cluster.KeyUsed:
		d.useKey(*me.KeyTurn)
	case cluster.KeyTurned:
		c := cluster.TurnKey{Node: h.Name, Since: me.KeyTurn.Since, Fingerprint: h.ring.used.fingerprint,
			Epoch: h.state.Secrets.Epoch}
		d.proposeStep(c, c.Refused(h.state))
	default:
		d.keyHeld = w.Now // clustat tells of the move
		d.after(keyTries, d.stepKey)
	}
}

func (d *daemon) holdKey(why string) {
	d.keyHeld = d.host.world.Now
	d.host.world.tell("the new key of %s is held up: %s", d.host.Name, why)
	d.after(keyHeldTries, d.stepKey)
}

func (d *daemon) proposeStep(c cluster.Command, refused message.Text) {
	if !refused.IsZero() {
		d.holdKey(refused.String())
		return
	}
	d.host.world.propose(d, []cluster.Command{c}, func(bool, apply.Applied) {
		d.after(d.host.world.keyPause(), d.stepKey)
	})
}

// tellKey makes the new key, once, and tells it.
func (d *daemon) tellKey(turn *cluster.KeyTurn) {
	h := d.host
	if h.ring.next.fingerprint == "" {
		h.ring.made++
		h.ring.next = newNodeKey(machineName(h.Name, h.key), h.ring.made)
	}
	next := h.ring.next
	c := cluster.TellKey{Node: h.Name, Since: turn.Since, Fingerprint: next.fingerprint, Key: next.public}
	d.proposeStep(c, c.Refused(h.state))
}

// useKey asks all others whether they know the told key, and makes it that of the identity.
func (d *daemon) useKey(turn cluster.KeyTurn) {
	h, w := d.host, d.host.world
	var others []string
	says := map[string]bool{}
	for _, name := range h.state.Nodes.Keys() {
		if name == h.Name {
			continue
		}
		others = append(others, name)
		if other := w.Hosts[name]; other != nil && w.answers(h, other) {
			says[name] = other.knowsKey(h, turn.Fingerprint)
		}
	}
	switch ignorant := turn.Ignorant(h.state, others, says); {
	case len(ignorant) > 0:
		d.holdKey(fmt.Sprintf("it is not known to %v", ignorant))
		return
	case h.ring.next.fingerprint != turn.Fingerprint:
		d.holdKey(keyGone)
		return
	}
	d.after(w.keyPause()/16, func() {
		w.watchUse(h, turn)
		h.ring.used, h.ring.former, h.ring.next = h.ring.next, h.ring.used, nodeKey{}
		w.tell("%s uses its new key", h.Name)
		w.changed()
		d.after(w.keyPause(), d.stepKey)
	})
}

// keyGone is why a turn cannot go on that was told.
const keyGone = "the told key is no longer on its disk"

// knowsKey is a daemon's answer about a key. What it says lies on its disk.
func (h *Host) knowsKey(of *Host, key string) bool {
	h.writeKeys()
	n, known := h.ring.book.Nodes.Get(of.Name)
	return known && n.HasKey(key)
}

// askAbout lets daemons that meet a key which they do not know ask members that they do know. That
// such a key may use nothing but the log's channel is not modelled.
func (w *World) askAbout() {
	for _, h := range w.order {
		for _, other := range w.order {
			d := h.daemon
			if d == nil || d.paused || other.daemon == nil || h.letsIn(other) || d.asking[other.Name] || !w.linked(h, other) {
				continue
			}
			d.asking[other.Name] = true
			d.after(w.keyTime(500*time.Millisecond, vouchTakes), func() {
				delete(d.asking, other.Name)
				if key := other.ring.used.fingerprint; w.voucher(h, other) != nil {
					w.tell("a member vouches to %s for the key of %s", h.Name, other.Name)
					d.vouched[key] = true
				}
				w.changed()
			})
		}
	}
}

// voucher is a third one that a host knows, and that says that another one's key is a member's.
func (w *World) voucher(h, other *Host) *Host {
	for _, third := range w.order {
		if third != h && third != other && w.answers(h, third) && third.knowsKey(other, other.ring.used.fingerprint) {
			return third
		}
	}
	return nil
}

// putKeys puts the keys of an older copy of the folder back. What is made later is another key than
// any before.
func (h *Host) putKeys(copied keyring) {
	copied.made = max(copied.made, h.ring.made)
	h.ring = copied
	h.world.excuse(h)
}

// estranges reports whether a copy of a folder is not put back because of the keys in it: of two
// nodes nobody can tell a key that was turned since, and a person has to join that node anew.
func (w *World) estranges(copied image) bool { return w.paired() && copied.turns != w.turns.changes }
