package sim

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/plan"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/resources"
)

// volumeSalt draws when data volumes fail; the faults of a seed are otherwise what they
// were.
const volumeSalt = 71

// toldWithin is how soon everybody knows of a volume that fails.
const toldWithin = 20 * time.Second

// volumes lets the data volumes of hosts run full or fail for a while, in some worlds.
// What they still take of the log is another fault's: here a look at them fails.
func (s *Script) volumes(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), volumeSalt))
	if r.IntN(3) > 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range 1 + r.IntN(2) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(10*time.Second))),
				While: time.Second + time.Duration(r.Int64N(int64(60*time.Second))), Kind: "volume fails",
				Host: pick(r, s.Nodes), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// volumeFaults are drawn by volumes and writesFail alone. Each begins with little room.
func volumeFaults() []faultKind {
	return []faultKind{{"volume cannot be written", 0, func(w *World, f Fault, h *Host) {
		w.StopWrites(h, true)
		w.After(f.While, func() { w.StopWrites(h, false) })
	}}, {"volume fails", 0, func(w *World, f Fault, h *Host) {
		h.SetVolume(cluster.Volume{Why: message.Words("less than 256 MiB are free")})
		if f.Choice%3 > 0 {
			w.After(f.While/8, func() {
				if !w.calmly { // else everything is mended already
					h.SetVolume(cluster.Volume{Why: message.Words("read-only file system"), Failing: true})
				}
			})
		}
		w.After(f.While, func() { h.SetVolume(cluster.Volume{}) })
	}}}
}

// writeSalt draws when volumes can be read and not written; the faults of a seed are otherwise what
// they were.
const writeSalt = 103

// writesFail lets data volumes fail for what writes to them too: the daemon takes no entry, gives
// no vote and says so, and hears and is heard as before.
func (s *Script) writesFail(rounds int) {
	r := rand.New(rand.NewPCG(uint64(s.Seed), writeSalt))
	if r.IntN(6) > 0 {
		return
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		for range 1 + r.IntN(2) {
			s.Faults = append(s.Faults, Fault{At: begin + time.Duration(r.Int64N(int64(10*time.Second))),
				While: time.Second + time.Duration(r.Int64N(int64(50*time.Second))), Kind: "volume cannot be written",
				Host: pick(r, s.Nodes), Choice: r.Uint64()})
		}
	}
	sortFaults(s.Faults)
}

// StopWrites lets nothing be written to a host's data volume, which a look finds too, or ends that.
func (w *World) StopWrites(h *Host, stop bool) {
	if stop {
		w.Deafen(h, true)
		h.SetVolume(cluster.Volume{Why: message.Words("read-only file system"), Failing: true})
		return
	}
	h.SetVolume(cluster.Volume{})
	if h.Stuck {
		w.Undeafen(h)
	}
}

// SetVolume is what a look at the host's data volume finds from now on.
func (h *Host) SetVolume(v cluster.Volume) {
	if h.volume == v {
		return
	}
	h.volume, h.volumeSince = v, h.world.Now
	h.world.tell("the data volume of %s: %q", h.Name, v.Why)
	if h.daemon != nil {
		h.daemon.poke()
	}
}

// watchVolumes holds of what the leader decides from that everybody knows of a volume
// that has failed for a while, and that a note says so.
func (w *World) watchVolumes(s *cluster.State, d plan.Decision) {
	noted := map[string]bool{}
	for _, note := range d.Notes {
		noted[note.Subject] = true
	}
	for _, h := range w.order {
		n, known := s.Nodes.Get(h.Name)
		if known {
			w.watchWrites(h, n)
		}
		if !known || n.State != cluster.NodeOnline {
			continue
		}
		if n.Volume != nil && !noted[h.Name] {
			w.violate("silence: the data volume of %s fails, and nothing tells of it", h.Name)
		}
		failing := h.volume.Failing && w.Now-max(h.volumeSince, h.daemonSince) > toldWithin
		if failing && !w.inTrouble(h, toldWithin) && (n.Volume == nil || !n.Volume.Failing) {
			w.violate("the data volume of %s has failed for %s, and nobody knows it", h.Name, w.Now-h.volumeSince)
		}
	}
}

// watchWrites holds that a node whose volume cannot be written is known to be such, and is not
// called online for long.
func (w *World) watchWrites(h *Host, n cluster.Member) {
	since := max(h.volumeSince, h.daemonSince, h.deafSince, w.ledSince, h.lastDeaf, h.leaderSince)
	alone := h.Stuck && h.volume.Failing && h.daemon != nil && h.near && h.withLeader && !h.logless()
	if !alone || w.Now-since <= toldWithin || h.daemon.incarnation == 0 || h.Name == w.raft.leader {
		return
	}
	if last := n.LastVolume(); !last.Failing {
		w.violate("the data volume of %s cannot be written for %s, and nobody knows it", h.Name, w.Now-since)
	}
	if n.State == cluster.NodeOnline {
		w.violate("%s has taken nothing of the log for %s, and is called online", h.Name, w.Now-since)
	}
}

// watchVolumeWords holds that a node which cannot write, and so never reads that it was heard, does
// not fill the others' logs with it.
func (w *World) watchVolumeWords(c cluster.NodeVolume) {
	const most = 12
	h := w.Hosts[c.Node]
	h.volumeTold = append(slices.DeleteFunc(h.volumeTold, func(at time.Duration) bool { return w.Now-at > time.Minute }),
		w.Now)
	if len(h.volumeTold) > most {
		w.violate("%s tells of its data volume %d times in a minute", c.Node, len(h.volumeTold))
	}
}

// volumesNotSettled names a host of whose volume the State says what is over.
func (w *World) volumesNotSettled(s *cluster.State) string {
	for _, h := range w.order {
		if n, known := s.Nodes.Get(h.Name); known && n.Volume != nil && h.volume.None() {
			return "the data volume of " + h.Name + " is not known to be well again"
		}
	}
	return ""
}

// sizeSalt draws what hosts have and what services take of them; the faults of a seed are otherwise
// what they were.
const sizeSalt = 83

// size gives hosts and services sizes, in some worlds. In most of these each host could carry all
// that there is; in the others the room is tight, and what finds none has to wait for it.
func (s *Script) size() {
	r := rand.New(rand.NewPCG(uint64(s.Seed), sizeSalt))
	if r.IntN(3) > 0 {
		return
	}
	services, all := map[string]resources.Spec{}, resources.Bytes(0)
	for _, name := range s.declared(s.Document) {
		spec := s.Document.Services[name]
		spec.Demand = resources.Demand{Memory: resources.Bytes(1+r.IntN(8)) * resources.GiB, CPUs: 1 + r.IntN(4)}
		if r.IntN(8) == 0 {
			spec.Demand = resources.Demand{}
		}
		services[name] = spec
		all += spec.Demand.Memory
	}
	s.Document.Services = services
	tight := r.IntN(3) == 0
	if r.IntN(3) == 0 {
		s.Document.Allowance.Memory = 110
	}
	s.Has = map[string]cluster.Capacity{}
	for _, name := range s.Nodes {
		memory := all + 2*resources.GiB + resources.Bytes(r.IntN(8))*resources.GiB
		if tight {
			memory = all/resources.Bytes(len(s.Nodes)) + resources.Bytes(2+r.IntN(10))*resources.GiB
		}
		if s.Has[name] = (cluster.Capacity{Memory: memory, CPUs: 4 + r.IntN(12)}); r.IntN(20) == 0 {
			delete(s.Has, name) // it measures nothing
		}
	}
}

// takenOf is what may be running on a node, by the State alone: what each holder was started with
// or is declared with, whichever is more, and what room is kept for.
func takenOf(s *cluster.State, node, but string) (taken resources.Bytes) {
	for _, table := range []*cluster.Table[cluster.Service]{&s.Services, &s.Tombstones} {
		for _, key := range table.Keys() {
			service, _ := table.Get(key)
			most, there := resources.Bytes(0), false
			for _, h := range service.Holders {
				if h.Node == node {
					most, there = max(most, h.Demand.Memory), true
				}
			}
			kept := service.Kept.Node == node && service.Enabled && !service.Held &&
				service.State != resources.Started && service.State != resources.Failed
			if there {
				most = max(most, service.Spec.Demand.Memory)
			}
			if promised := service.Kept.Demand.Memory; kept && promised > 0 {
				most = max(most, promised)
			} else if kept {
				most = max(most, service.Spec.Demand.Memory)
			}
			if service.Spec.Name != but {
				taken += most
			}
		}
	}
	return taken
}

// givesOf is how much memory services may take of a node; it is not known where the node has not
// told.
func givesOf(s *cluster.State, node string) (gives resources.Bytes, known bool) {
	n, _ := s.Nodes.Get(node)
	if n.Capacity.Memory == 0 {
		return 0, false
	}
	gives = n.Capacity.Memory - min(resources.GiB, n.Capacity.Memory/8)
	if percent := s.Document.Allowance.Memory; percent > 0 {
		gives = gives * resources.Bytes(percent) / 100
	}
	return gives, true
}

// watchRoom holds that nothing begins on a node, nor arrives there, where it does not fit beside
// all that may be running there. What ran there and is started again is no more than there was.
func (w *World) watchRoom(before, after *cluster.State, c cluster.Begin) {
	node := c.Node
	switch c.Intent {
	case cluster.IntentMigrate:
		node = c.Target
	case cluster.IntentStart:
	default:
		return
	}
	service, _ := before.Services.Get(c.Service)
	_, there := service.Holder(node)
	gives, known := givesOf(after, node)
	if !known || service.Spec.Demand.Memory == 0 || there ||
		(service.Kept.Node == node && service.LastOwner == node && service.Spec.Demand.Memory <= w.tookOn(c.Service, node)) {
		return
	}
	taken := takenOf(after, node, "")
	if service.Kept.Node == node { // the room was promised to it before it was down
		taken -= min(taken, doubtedOn(after, node, service.Since))
	}
	if taken > gives {
		w.violate("room: %s is brought to %s, where %s may be taken then, and it may give %s", c.Service, node, taken, gives)
	}
}

// doubtedOn is what would be taken of a node by services that it is only asked about, since an
// index: nothing was begun there, and nobody has seen them there.
func doubtedOn(s *cluster.State, node string, since uint64) (doubted resources.Bytes) {
	for _, service := range s.Services.Rows() {
		for _, h := range service.Holders {
			if h.Node == node && h.Ask && h.Since >= since && h.Condition == "" && !h.Creating && service.Kept.Node != node {
				doubted += max(service.Spec.Demand.Memory, h.Demand.Memory)
			}
		}
	}
	return doubted
}

// remembersTook keeps what each holder was started with, past its end.
func (w *World) remembersTook(after *cluster.State) {
	if w.took == nil {
		w.took = map[[2]string]resources.Bytes{}
	}
	for _, service := range after.Services.Rows() {
		for i := range service.Holders {
			w.took[[2]string{service.Spec.Name, service.Holders[i].Node}] = service.Holders[i].Demand.Memory
		}
	}
}

// tookOn is what a service had when it was last on a node; all that there is where that was not
// counted.
func (w *World) tookOn(service, node string) resources.Bytes {
	if took := w.took[[2]string{service, node}]; took > 0 {
		return took
	}
	return math.MaxUint64
}

// roomFor reports whether a node has enough for a service, as it is.
func roomFor(s *cluster.State, service cluster.Service, node string) bool {
	gives, known := givesOf(s, node)
	need := service.Spec.Demand.Memory
	return !known || need == 0 || takenOf(s, node, service.Spec.Name)+need <= gives
}

// Measured lets the host's daemon measure it anew.
func (h *Host) Measured() {
	if h.daemon != nil {
		h.daemon.poke()
	}
}
