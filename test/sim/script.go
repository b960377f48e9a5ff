package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"sort"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/domain"
	"github.com/clusterd/clusterd/resources"
)

// A history is some rounds: faults for a while, then calm until everything runs
// and nothing changes, then nothing until the next round.
const (
	rounds      = 6
	roundEvery  = 5 * time.Minute
	roundBegins = 6 * time.Second
	// The bound is long because a start that failed everywhere, and a fence
	// device that was dead, are tried again only every half minute, and because
	// a person who disables what failed does it after a while.
	calmBound = 240 * time.Second
)

// Script is what goes wrong in a history, written down before it begins, so
// that a shorter one can be tried.
type Script struct {
	Seed  int64
	Nodes []string
	// Witness is the node that runs nothing; "" for none.
	Witness string
	// Level is that of every clusterd at first.
	Level    int
	Document cluster.Document
	Faults   []Fault
	// Rounds are how many there are; 0 is as many as usual.
	Rounds int
	// Has is what each host has; nil where nobody measures anything.
	Has map[string]cluster.Capacity
	// Guarded: nodes are fenced by other things than power.
	Guarded bool
	// Without are kinds of faults that do not happen: those of the list, and those
	// that come by chance (chances).
	Without []string
}

// Fault is one thing that breaks, or that a person does.
type Fault struct {
	At, While time.Duration
	Kind      string
	Host      string
	Other     string
	Service   string
	// Choice decides between what this kind of fault leaves open.
	Choice uint64
}

func (f Fault) String() string {
	return fmt.Sprintf("%8.3fs for %6.3fs: %s %s %s %s (%d)", f.At.Seconds(), f.While.Seconds(), f.Kind, f.Host, f.Other,
		f.Service, f.Choice)
}

func (f Fault) random() *rand.Rand { return rand.New(rand.NewPCG(f.Choice, 17)) }

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// WriteScript writes the script of a seed.
func WriteScript(seed int64) (s Script) {
	r := rand.New(rand.NewPCG(uint64(seed), 0x5851f42d4c957f2d))
	s = Script{Seed: seed}
	s.cast(r)
	if s.Level = Newest; r.IntN(3) == 0 {
		s.Level = oldest
	}
	s.madeOfResources()
	defer s.size() // of what is declared in the end
	defer s.rule()
	var kinds []string
	for _, k := range faultKinds() {
		for range k.weight {
			kinds = append(kinds, k.name)
		}
	}
	for round := range rounds {
		begin := time.Duration(round)*roundEvery + roundBegins
		end := begin + 10*time.Second + time.Duration(r.Int64N(int64(25*time.Second)))
		every := 300*time.Millisecond + time.Duration(r.Int64N(int64(4*time.Second)))
		s.Faults = append(s.Faults, Fault{At: begin, While: end - begin, Kind: "strikes", Choice: r.Uint64()})
		for at := begin; at < end; at += time.Duration(r.Int64N(int64(every))) + 20*time.Millisecond {
			s.Faults = append(s.Faults, Fault{
				At: at, While: 300*time.Millisecond + time.Duration(r.Int64N(int64(9*time.Second))), Kind: pick(r, kinds),
				Host: pick(r, s.Nodes), Other: pick(r, s.Nodes), Service: pick(r, s.serviceNames()), Choice: r.Uint64(),
			})
		}
	}
	s.guardIt()
	s.redeclare()
	s.arrivals()
	s.stoppings()
	s.loseLogs(rounds)
	s.twins()
	s.troubles()
	s.volumes(rounds)
	s.deafen(rounds)
	s.hypervisors(rounds)
	s.turnKeys(rounds)
	s.readdress(rounds)
	s.barBoards(rounds)
	s.writesFail(rounds)
	s.moveModes()
	s.restless(rounds)
	return s
}

// sortFaults puts them in the order of their times.
func sortFaults(faults []Fault) {
	sort.SliceStable(faults, func(i, j int) bool { return faults[i].At < faults[j].At })
}

func (s Script) serviceNames() []string {
	var names []string
	for i := range len(s.Document.Services) {
		name := serviceName(i)
		if _, made := s.Document.Services[name]; !made {
			name = resources.KindService + name[len(resources.KindVM):]
		}
		names = append(names, name)
	}
	return append(names, "vm:new0", "vm:new1")
}

func serviceName(i int) string { return fmt.Sprintf("vm:%c", 'a'+i) }

// cast writes the cluster of a script: three times in four five nodes and twelve
// VMs, else a smaller one.
func (s *Script) cast(r *rand.Rand) {
	s.Document = cluster.Document{Cluster: "sim", Domains: map[string]domain.Domain{}}
	// Drawn apart, so that a seed's faults are what they were before there was this.
	if own := rand.New(rand.NewPCG(uint64(s.Seed), 8)); own.IntN(3) == 0 {
		s.Document.Fencing = cluster.Fencing{AtOnce: 1 + own.IntN(3), Shots: 6 + own.IntN(6)}
	}
	nodes, services := 5, 12
	if r.IntN(4) == 0 {
		nodes, services = pick(r, []int{2, 3, 3, 4, 5}), pick(r, []int{1, 3, 6, 9, 12})
	}
	for i := range nodes {
		name := fmt.Sprintf("node%d", i+1)
		s.Nodes = append(s.Nodes, name)
		if r.IntN(12) > 0 {
			Device(&s.Document, name)
		}
	}
	if r.IntN(3) == 0 || (len(s.Nodes) == 2 && r.IntN(2) == 0) {
		s.Witness = "witness"
		s.Nodes = append(s.Nodes, s.Witness)
	}
	s.Document.Domains["ordered"] = domain.Domain{Name: "ordered", Ordered: true, NoFailback: r.IntN(2) == 0,
		Members: []domain.Member{{Node: "node1", Priority: 1}, {Node: "node2", Priority: 2}, {Node: "node3"}}}
	s.Document.Domains["restricted"] = domain.Domain{Name: "restricted", Restricted: true, Ordered: r.IntN(2) == 0,
		Members: []domain.Member{{Node: "node2", Priority: 1}, {Node: "node3", Priority: 2}}}
	recoveries := []resources.Recovery{resources.Restart, resources.Relocate, resources.Restart, resources.RestartDisable}
	for i := range services {
		spec := resources.Spec{Name: serviceName(i), Autostart: r.IntN(6) > 0, MaxRestarts: r.IntN(3),
			Recovery: pick(r, recoveries)}
		spec.Domain = pick(r, []string{"", "", "ordered", "restricted"})
		Service(&s.Document, spec)
	}
}

// History runs the history of a seed and returns its world.
func History(seed int64, trace func(string)) *World {
	return WriteScript(seed).Play(trace, false)
}

// Play runs a script. A dull world takes no shortcuts.
func (s Script) Play(trace func(string), dull bool) *World {
	w := New(s.Seed)
	w.Trace, w.Dull, w.Level = trace, dull, s.Level
	for _, kind := range s.Without {
		w.without[kind] = true
	}
	if w.without["upgrade"] {
		w.Level = Newest
	}
	for _, name := range s.Nodes {
		h := w.AddHost(name, name == s.Witness)
		h.Installed, h.Has = w.Level, s.Has[name]
		if h.Drift = w.random.IntN(11) - 5; w.without["drift"] {
			h.Drift = 0
		}
		if h.Wall = w.between(-2*time.Minute, 2*time.Minute); w.without["wall clock jumps"] {
			h.Wall = 0
		}
		h.BMCSharesPower = w.strikes("board shares power", 8)
	}
	w.guarded = s.Guarded
	w.Found(s.Document, s.Nodes...)
	faults := s.Faults
	for round := range cmp.Or(s.Rounds, rounds) {
		begin, next := time.Duration(round)*roundEvery, time.Duration(round+1)*roundEvery
		w.Run(begin+roundBegins, nil)
		last := w.Now
		for ; len(faults) > 0 && faults[0].At < next; faults = faults[1:] {
			f := faults[0]
			w.After(f.At-w.Now, func() { w.commitFault(f) })
			last = max(last, f.At)
		}
		w.Run(last+time.Millisecond, nil)
		w.comeToRest(next)
		if len(w.Violations) > 0 {
			return w
		}
	}
	for _, h := range w.order {
		if a, b := w.digest(h.state), w.digest(w.State()); h.state.Index == w.State().Index && a != b {
			w.violate("at the end the State of %s differs from the others'", h.Name)
		}
	}
	return w
}

func (w *World) commitFault(f Fault) {
	for _, k := range append(faultKinds(), pairFaults()...) {
		if k.name == f.Kind {
			if !w.without[f.Kind] {
				w.tell("FAULT %s", f)
				k.do(w, f, w.Hosts[f.Host])
			}
			return
		}
	}
	w.violate("there is no fault %q", f.Kind)
}

// Shrink drops faults from a script that fails as long as it still does, and
// returns what is left. It makes at most so many tries.
func (s Script) Shrink(tries int) Script {
	what := kindOf(s.Play(nil, false))
	for size := len(s.Faults) / 2; size > 0 && tries > 0; {
		shorter := false
		for begin := 0; begin+size <= len(s.Faults) && tries > 0; tries-- {
			next := s
			next.Faults = append(append([]Fault(nil), s.Faults[:begin]...), s.Faults[begin+size:]...)
			if kindOf(next.Play(nil, false)) == what {
				s, shorter = next, true
			} else {
				begin += size
			}
		}
		if !shorter || size > len(s.Faults) {
			size /= 2
		}
	}
	return s
}

// kindOf is what kind of violation a world ended with, so that a shorter script
// is one for the same fault.
func kindOf(w *World) string {
	if len(w.Violations) == 0 {
		return ""
	}
	_, text, _ := strings.Cut(w.Violations[0], ": ")
	words := strings.Fields(text)
	return strings.Join(words[:min(2, len(words))], " ")
}

// Tell lists a script's faults.
func (s Script) Tell() string {
	var lines strings.Builder
	for _, f := range s.Faults {
		lines.WriteString(f.String() + "\n")
	}
	return lines.String()
}
