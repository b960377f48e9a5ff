package cluster

import (
	"sort"
	"strings"

	"github.com/clusterd/clusterd/resources"
)

// everywhere is the set of holders of a service about which nothing is known:
// every boot of every machine that could run it (law L1). A boot that is
// confirmed off, and a machine that was never up, cannot.
func (t *transaction) everywhere(why string, spec resources.Spec) []Holder {
	var holders []Holder
	for _, name := range t.Nodes.Keys() {
		n, _ := t.Nodes.Get(name)
		if n.Witness || n.Boot == "" || n.State == NodeFenced {
			continue
		}
		holders = append(holders, t.holderOn(n, why, spec, true))
	}
	return holders
}

// holderOn makes the holder of a service on a node's present boot. The disks
// are those of the definition that would run there.
func (t *transaction) holderOn(n Member, why string, spec resources.Spec, ask bool) Holder {
	return Holder{Node: n.Name, Machine: n.Machine(), Boot: n.Boot, Since: t.index, Ask: ask, Why: why, Definition: spec.Definition, Disks: spec.Disks}
}

// holder finds the holder of a service on a node.
func (s Service) holder(node string) (Holder, bool) {
	for _, h := range s.Holders {
		if h.Node == node {
			return h, true
		}
	}
	return Holder{}, false
}

// withHolder returns the service with the holder put in the place of the same
// machine and boot, sorted by node.
func (s Service) withHolder(h Holder) Service {
	kept := make([]Holder, 0, len(s.Holders)+1)
	for _, old := range s.Holders {
		if old.Machine != h.Machine || old.Boot != h.Boot {
			kept = append(kept, old)
		}
	}
	kept = append(kept, h)
	sort.SliceStable(kept, func(i, j int) bool { return kept[i].Node < kept[j].Node })
	s.Holders = kept
	return s
}

// withoutHolder returns the service without the holders that match.
func (s Service) withoutHolder(match func(Holder) bool) Service {
	kept := make([]Holder, 0, len(s.Holders))
	for _, h := range s.Holders {
		if !match(h) {
			kept = append(kept, h)
		}
	}
	s.Holders = kept
	return s
}

// onBoot matches the holder on a node's present boot.
func onBoot(n Member) func(Holder) bool {
	return func(h Holder) bool { return h.Machine == n.Machine() && h.Boot == n.Boot }
}

func mergeHolders(a, b []Holder) []Holder {
	merged := Service{Holders: append([]Holder(nil), a...)}
	for _, h := range b {
		merged = merged.withHolder(h)
	}
	return merged.Holders
}

// running lists the nodes where the service was last seen executing.
func (s Service) running() []string {
	var nodes []string
	for _, h := range s.Holders {
		if h.Condition == string(resources.Running) {
			nodes = append(nodes, h.Node)
		}
	}
	return nodes
}

func holderNames(s Service) string {
	names := make([]string, 0, len(s.Holders))
	for _, h := range s.Holders {
		names = append(names, h.Node)
	}
	return strings.Join(names, ", ")
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
