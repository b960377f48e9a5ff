package sim

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// pairDelay is so long that half of it is more than the slowest board here takes
// after it has accepted an off command: that is the rule's assumption.
const pairDelay = 42 * time.Second

// pairFaults are faults between two nodes, besides those that every world knows.
func pairFaults() []faultKind {
	return []faultKind{
		{"parted", 0, func(w *World, f Fault, h *Host) {
			w.Cut(h.Name, h.other().Name)
			w.After(f.While, func() { w.Heal(h.Name, h.other().Name) })
		}},
		{"parted for long", 0, func(w *World, f Fault, h *Host) {
			w.Cut(h.Name, h.other().Name)
			w.After(12*f.While, func() { w.Heal(h.Name, h.other().Name) })
		}},
		{"parted one way after the other", 0, func(w *World, f Fault, h *Host) {
			w.CutOneWay(Management, h.Name, h.other().Name)
			w.After(f.While/3, func() { w.Cut(h.Name, h.other().Name) })
			w.After(9*f.While, func() { w.Heal(h.Name, h.other().Name) })
		}},
		{"boots alone", 0, func(w *World, f Fault, h *Host) {
			h.PowerOff()
			h.other().PowerOff()
			w.After(f.While, h.bootUnlessAway)
			w.After(15*f.While, h.other().bootUnlessAway)
		}},
		{"dies while it goes on alone", 0, (*World).strikePair},
		{"favour changes", 0, func(w *World, f Fault, h *Host) {
			if rule := w.State().Document.TwoNode; rule != nil {
				next := w.State().Document
				next.TwoNode = &cluster.TwoNode{Favour: h.Name, Delay: rule.Delay}
				w.Configure(h.Name, next, nil)
			}
		}},
	}
}

// strikePair ends daemons, or the power, in the middle of going on alone.
func (w *World) strikePair(f Fault, _ *Host) {
	until := w.Now + 4*f.While
	var look func()
	look = func() {
		if w.Now >= until {
			return
		}
		w.After(20*time.Millisecond, look)
		for _, h := range w.order {
			if p := &h.pair; (p.parting == nil && p.recovery == nil && !p.out) || !w.chance(60) {
				continue
			}
			if w.chance(4) {
				h.PowerOff()
			} else {
				h.KillDaemon()
			}
			w.After(w.between(100*time.Millisecond, 6*time.Second), func() {
				h.bootUnlessAway()
				h.StartDaemon()
			})
		}
	}
	look()
}

// pairWeights are how often each fault is chosen in a world of two nodes. People
// who change who is a member are left out: with two votes of two they wait.
var pairWeights = map[string]int{
	"parted": 8, "parted for long": 6, "parted one way after the other": 3, "boots alone": 3,
	"dies while it goes on alone": 6, "favour changes": 2,
	"power loss": 8, "blackout": 2, "daemon dies": 6, "daemon pauses": 4, "host hangs": 4, "link cut one way": 4,
	"board network cut": 4, "slow follower": 2,
	"another leads": 2, "BMC": 8, "storage gone": 1, "libvirt down": 2, "calls hang": 1, "guest crashes": 1, "request": 4,
}

// WritePairScript writes the script of a seed for a world of two nodes: with the
// two-node rule, or now and then without it or with a witness.
func WritePairScript(seed int64) Script {
	r := rand.New(rand.NewPCG(uint64(seed), 0x2545f4914f6cdd1d))
	s := Script{Seed: seed, Rounds: pairRounds, Level: Newest, Nodes: []string{"node1", "node2"}}
	s.castPair(r)
	var kinds []string
	for _, k := range append(faultKinds(), pairFaults()...) {
		weight := pairWeights[k.name]
		if len(s.Nodes) > 2 && slices.ContainsFunc(pairFaults(), func(p faultKind) bool { return p.name == k.name }) {
			continue
		}
		for range weight {
			kinds = append(kinds, k.name)
		}
	}
	for round := range pairRounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		end := begin + 10*time.Second + time.Duration(r.Int64N(int64(40*time.Second)))
		every := time.Second + time.Duration(r.Int64N(int64(12*time.Second)))
		for at := begin; at < end; at += time.Duration(r.Int64N(int64(every))) + 20*time.Millisecond {
			s.Faults = append(s.Faults, Fault{
				At: at, While: 300*time.Millisecond + time.Duration(r.Int64N(int64(9*time.Second))), Kind: pick(r, kinds),
				Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()), Choice: r.Uint64(),
			})
		}
	}
	s.loseLogs(pairRounds)
	s.turnKeys(pairRounds)
	return s
}

// pairRounds are fewer than elsewhere, for more of such worlds.
const pairRounds = 3

func (s *Script) castPair(r *rand.Rand) {
	s.Document = cluster.Document{Cluster: "sim", Domains: map[string]domain.Domain{}}
	for _, name := range s.Nodes {
		Device(&s.Document, name)
	}
	switch r.IntN(8) {
	case 0: // without the rule
	case 1:
		s.Witness = "witness"
		s.Nodes = append(s.Nodes, s.Witness)
		Device(&s.Document, s.Witness)
	case 2, 3:
		s.Document.TwoNode = &cluster.TwoNode{Delay: pairDelay} // favoured by the domains
	default:
		s.Document.TwoNode = &cluster.TwoNode{Favour: pick(r, s.Nodes), Delay: pairDelay}
	}
	for _, first := range []string{"node1", "node2"} {
		d := domain.Domain{Name: first, Ordered: true, NoFailback: r.IntN(2) == 0}
		for _, name := range []string{"node1", "node2"} {
			priority := 2
			if name == first {
				priority = 1
			}
			d.Members = append(d.Members, domain.Member{Node: name, Priority: priority})
		}
		s.Document.Domains[first] = d
	}
	for i := range 2 + r.IntN(3) {
		Service(&s.Document, resources.Spec{Name: serviceName(i), Autostart: true,
			Domain: pick(r, []string{"", "node1", "node2"})})
	}
}
