package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// addressSalt draws when addresses come late or change; the faults of a seed are otherwise what
// they were.
const addressSalt = 97

const (
	// tellEvery is how often a node without a leader tells from where it asks.
	tellEvery = time.Second
	// strandedFor is how long a person waits before the new addresses are written into all files.
	strandedFor = 45 * time.Second
)

// whereabouts is where a host is reached, and what its own file says of the others.
type whereabouts struct {
	// now is its address; "" is its name. former are those that it had.
	now    string
	former []string
	// missing: the host does not have the address yet, so nothing of it reaches anybody.
	missing bool
	// moved is where former addresses of others are by now, by its file.
	moved map[string]string
}

// addressFaults are drawn by readdress alone.
func addressFaults() []faultKind {
	return []faultKind{
		{"address late", 0, func(w *World, f Fault, h *Host) {
			h.LosesAddress()
			w.After(f.While, h.FindsAddress)
		}},
		{"address changes", 0, func(w *World, f Fault, h *Host) {
			if f.Choice%2 == 0 {
				h.PowerOff()
			}
			h.Moves()
			w.After(f.While/8, func() {
				h.bootUnlessAway()
				h.StartDaemon()
			})
		}},
		{"addresses change", 0, func(w *World, f Fault, _ *Host) { w.Renumber(f.While / 8) }},
	}
}

// readdress lets hosts boot without their address, or with another one, in some worlds.
func (s *Script) readdress(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), addressSalt))
	if r.IntN(5) > 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range 1 + r.IntN(2) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(25*time.Second))),
				While: time.Second + time.Duration(r.Int64N(int64(40*time.Second))),
				Kind:  pick(r, []string{"address late", "address changes", "address changes", "addresses change"}),
				Host:  pick(r, s.Nodes), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// LosesAddress boots a host whose network comes later than its daemon.
func (h *Host) LosesAddress() {
	if h.away {
		return
	}
	h.PowerOff()
	h.world.tell("the address of %s is not there", h.Name)
	h.at.missing = true
	h.bootUnlessAway()
}

// FindsAddress gives it the address. A daemon that waited for that starts.
func (h *Host) FindsAddress() {
	if !h.at.missing {
		return
	}
	w := h.world
	h.at.missing, w.healed = false, w.Now
	w.tell("the address of %s is there", h.Name)
	h.StartDaemon()
	w.changed()
}

// Moves gives a host another address, which its own file says and nobody else knows. Its daemon
// ends with the old one.
func (h *Host) Moves() {
	w := h.world
	h.KillDaemon()
	w.addresses++
	h.at.former = append(h.at.former, h.address())
	h.at.now = fmt.Sprintf("%s-at-%d", h.Name, w.addresses)
	w.tell("%s is at %s now", h.Name, h.at.now)
	w.changed()
}

// Renumber gives all hosts another address, and each of their files says what moved where.
func (w *World) Renumber(pause time.Duration) {
	for _, h := range w.order {
		h.Moves()
	}
	w.writeMoved()
	for _, h := range w.order {
		w.After(w.between(pause, pause+time.Second), h.StartDaemon)
	}
}

// writeMoved writes down on every host where the others are by now.
func (w *World) writeMoved() {
	moved := map[string]string{}
	for _, h := range w.order {
		for _, former := range h.at.former {
			moved[former] = h.address()
		}
	}
	for _, h := range w.order {
		h.at.moved = moved
	}
}

func (h *Host) address() string {
	if h.at.now == "" {
		return h.Name
	}
	return h.at.now
}

// finds reports whether a host knows where another one is: by its State, and what its file says of
// that. Whoever leads is known by the log that it brings.
func (h *Host) finds(other *Host) bool {
	w := h.world
	if w.addresses == 0 || h == other ||
		(w.raft.leader == other.Name && other.daemon != nil && other.daemon.leading) {
		return true
	}
	n, known := h.state.Nodes.Get(other.Name)
	at := n.Address
	if moved := h.at.moved[at]; moved != "" {
		at = moved
	}
	return !known || at == other.address()
}

// tellAddress is what a daemon does that is at another address than before, and hears of no leader:
// whoever leads is told from where it asks.
func (d *daemon) tellAddress() {
	h := d.host
	w := h.world
	if h.at.now == "" {
		return
	}
	d.after(tellEvery, d.tellAddress)
	leader := w.Hosts[w.Leader()]
	if leader == nil || leader == h || leader.byHand != nil || h.pair.out || !w.answers(h, leader) || leader.finds(h) {
		return
	}
	w.Propose(leader.Name, cluster.SetAddress{Node: h.Name, Address: h.address()}, nil)
}

// mendAddresses does in calm what a person does: the network comes up, and where nobody can lead
// because those who could do not find each other, all files are written.
func (w *World) mendAddresses() {
	for _, h := range w.order {
		h.FindsAddress()
	}
	stranded := w.addresses > 0 && w.Leader() == "" && w.Now-w.calmSince > strandedFor
	if stranded && !w.renumbered {
		w.tell("a person writes into all files where everybody is")
		w.writeMoved()
		for _, h := range w.order {
			h.KillDaemon()
		}
	}
	w.renumbered = stranded
}

// addressesNotSettled names a node that is recorded where it is not.
func (w *World) addressesNotSettled(s *cluster.State) string {
	for _, h := range w.order {
		if n, known := s.Nodes.Get(h.Name); known && w.addresses > 0 && n.Address != h.address() {
			return fmt.Sprintf("%s is looked for at %s, and is at %s", h.Name, n.Address, h.address())
		}
	}
	return ""
}

// watchAddresses holds that no two nodes are looked for at one address.
func (w *World) watchAddresses(s *cluster.State) {
	var taken []string
	for _, n := range s.Nodes.Rows() {
		if n.Address == "" {
			continue
		}
		if slices.Contains(taken, n.Address) {
			w.violate("L10: two nodes are looked for at %s", n.Address)
		}
		taken = append(taken, n.Address)
	}
}

// watchHostCommand judges what is said of where hosts are, of their volumes, and of boards that
// may not.
func (w *World) watchHostCommand(before, after *cluster.State, c cluster.Command) {
	switch c := c.(type) {
	case cluster.BeginFence:
		w.watchGivenUp(before, c)
	case cluster.NodeVolume:
		w.watchVolumeWords(c)
	case cluster.SetAddress, cluster.NodeUp, cluster.Join:
		w.watchAddresses(after)
		w.After(time.Second, w.watchAllDeaf) // the others apply it too, and find it then
	}
}

// ledBy reports whether a host is in touch with whoever leads, and that one knows where it is.
func (h *Host) ledBy(leader *Host) bool { return h.world.talks(h, leader) && leader.finds(h) }
