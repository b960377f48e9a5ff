package sim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/apply"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/resources"
)

// quietWindows are how often a settled world is given three seconds to become
// quiet; a failback may still be on its way.
const quietWindows = 10

// bytesEvery is how often whole States are compared byte by byte; in between,
// what Apply answered is. limitsEvery is how often lists are measured.
const (
	bytesEvery  = 256
	limitsEvery = 32
)

// watched is what the watchers remember.
type watched struct {
	newest *cluster.State
	// accepted are the requests whose client heard "ok", by id, with their index;
	// documents is the newest document version whose author did.
	accepted  map[string]uint64
	documents uint64
	// limbo tells that the entry at hand was decided by an earlier leader.
	limbo bool
	// starts are those of guests that die at each start, by UUID.
	starts map[string][]time.Duration
}

func newWatched() watched {
	return watched{newest: &cluster.State{}, accepted: map[string]uint64{}, starts: map[string][]time.Duration{}}
}

// apply applies the next entry on a host, and watches: equal index means equal
// answers and equal State, and a State that Apply made has no fault.
func (w *World) apply(h *Host) apply.Applied {
	index := h.state.Index + 1
	r := &w.raft.log[index-1]
	commands := r.commands
	if index%16 == 0 {
		var err error
		if commands, err = clustertest.Next.Decode(r.data); err != nil {
			w.violate("entry %d cannot be read: %v", index, err)
		}
	}
	applied := clustertest.NextRules.Apply(h.state, cluster.Entry{Index: index, At: r.at, Commands: commands})
	digest := ""
	if index%bytesEvery == 0 {
		digest = w.digest(h.state)
	}
	if r.known {
		if !sameApplied(r.applied, applied) || r.digest != digest {
			w.violate("index %d is not the same on %s as on the first node that applied it:\n%+v\n%+v", index, h.Name,
				r.applied, applied)
		}
		return applied
	}
	r.known, r.applied, r.digest = true, applied, digest
	before := w.watched.newest
	w.watched.newest = h.state.Fork()
	w.traceEntry(index, commands, applied)
	w.watched.limbo = r.limbo
	w.watchEntry(before, w.watched.newest, commands, applied)
	for _, wrong := range rules.Check(h.state) {
		w.violate("State at index %d: %s", index, wrong)
	}
	return applied
}

// digest names a State by its bytes. The timeline is left out, because what
// each entry told is compared by itself.
func (w *World) digest(s *cluster.State) string {
	short := s.Fork()
	short.Timeline = nil
	data, err := json.Marshal(short)
	if err != nil {
		w.violate("State at %d cannot be written: %v", s.Index, err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(data))
}

func sameApplied(a, b apply.Applied) bool {
	return slices.Equal(a.Refused, b.Refused) && slices.Equal(a.Codes, b.Codes) &&
		slices.EqualFunc(a.Events, b.Events, func(a, b cluster.Event) bool {
			return a.Index == b.Index && a.Ordinal == b.Ordinal && a.At.Equal(b.At) && a.Node == b.Node &&
				a.Subject == b.Subject && a.From == b.From && a.To == b.To &&
				a.Cause == b.Cause && a.By == b.By && a.Why == b.Why &&
				slices.EqualFunc(a.Phases, b.Phases, func(a, b cluster.Phase) bool {
					return a.What == b.What &&
						a.Took == b.Took && a.At.Equal(b.At)
				})
		})
}

func (w *World) traceEntry(index uint64, commands []cluster.Command, applied apply.Applied) {
	if w.Trace == nil {
		return
	}
	for i, c := range commands {
		body, err := json.Marshal(c)
		if err != nil {
			body = []byte(err.Error())
		}
		if len(body) > 400 {
			body = append(body[:400:400], "..."...)
		}
		w.tell("%5d %s %s %s", index, clustertest.Next.KindOf(c), body, applied.Refused[i])
	}
	for _, e := range applied.Events {
		w.tell("      %s %s -> %s on %q: %s", e.Subject, e.From, e.To, e.Node, e.Why)
	}
}

// watchExecution is the witness of laws L1 and L9: nobody executes twice, nobody
// goes on with memory that is older than its disk, and no disk has two writers.
func (w *World) watchExecution(v *vm) {
	if !w.spoils(v) && !w.byHand[v.service] {
		return // it cannot write, whatever it believes
	}
	if v.memory < w.memory[v.uuid] && !w.byHand[v.service] {
		w.violate("L1/L5: %s goes on on %s with memory of generation %d, its disk is at %d", v.service, v.host.Name,
			v.memory, w.memory[v.uuid])
	}
	w.memory[v.uuid]++
	v.memory = w.memory[v.uuid]
	for _, h := range w.order {
		for uuid, other := range h.vms {
			if other == v || !other.writes() {
				continue
			}
			if uuid == v.uuid && !w.byHand[v.service] && w.spoils(other) {
				w.violate("L1: %s executes on %s and on %s", v.service, h.Name, v.host.Name)
			}
			disks := resources.Conflicts(other.disks, v.disks)
			if uuid != v.uuid && len(disks) > 0 && !attached(other, v, disks[0]) &&
				w.canWrite(h, disks[0]) && w.canWrite(v.host, disks[0]) {
				w.violate("L9: %s on %s and %s on %s write %s", v.service, v.host.Name, other.service, h.Name, disks[0])
			}
		}
	}
}

// watchQuiet lets a settled world go on until nothing more is proposed,
// least of all what is refused again and again. A world in which something is
// under way is not quiet: a migration may say nothing for longer than a window.
func (w *World) watchQuiet() {
	for range quietWindows {
		before := len(w.raft.log)
		w.Run(w.Now+3*time.Second, nil)
		if len(w.raft.log) == before && w.NotSettled() == "" {
			return
		}
	}
	w.violate("a settled world does not become quiet, the last entry: %s", w.raft.log[len(w.raft.log)-1].data)
}

// watchIntent holds "intent before effect": the act's entry is in the log, and
// it asks for this.
func (w *World) watchIntent(d cluster.Duty) {
	if d.Index == 0 || int(d.Index) > len(w.raft.log) {
		w.violate("L6: %s of %s%s has the name %s, which is in no log", d.Kind, d.Service, d.Node, d.Act)
		return
	}
	for _, c := range w.raft.log[d.Index-1].commands {
		switch c := c.(type) {
		case cluster.Begin:
			if c.Service == d.Service && (string(c.Intent) == string(d.Kind) || c.Intent == cluster.IntentMigrate) {
				return
			}
		case cluster.BeginFence:
			if c.Node == d.Node && d.Kind == cluster.DutyFence {
				return
			}
		case cluster.FenceDone: // power comes again only after a confirmed off
			if c.Node == d.Node && d.Kind == cluster.DutyPowerOn && c.Result.Outcome == fence.Confirmed {
				return
			}
		}
	}
	if d.Kind != cluster.DutyPause { // it may be asked for by what was observed
		w.violate("L6: nothing in entry %d asks for %s of %s%s", d.Index, d.Kind, d.Service, d.Node)
	}
}
