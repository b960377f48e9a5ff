package sim

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

// quietWindows are how often a settled world is given three seconds to become
// quiet; a failback may still be on its way.
const quietWindows = 10

// bytesEvery is how often whole States are compared; in between, what Apply
// answered is.
const bytesEvery = 64

// apply applies the next entry on a host, and watches: equal index means equal
// answers and equal State, and a State that Apply made has no fault.
func (w *World) apply(h *Host) cluster.Applied {
	index := h.state.Index + 1
	r := w.log[index-1]
	commands, err := cluster.Decode(r.data)
	if err != nil {
		w.violate("entry %d cannot be read: %v", index, err)
	}
	applied := cluster.Apply(h.state, cluster.Entry{Index: index, At: r.at, Commands: commands})
	digest := fmt.Sprintf("%v %v", applied.Events, applied.Refused)
	if index%bytesEvery == 0 {
		data, err := json.Marshal(h.state)
		if err != nil {
			w.violate("State at %d cannot be written: %v", index, err)
		}
		digest += fmt.Sprintf(" %x", sha256.Sum256(data))
	}
	first, known := w.digests[index]
	if known {
		if first != digest {
			w.violate("index %d is not the same on %s as on the first node that applied it:\n%s\n%s", index, h.Name, first, digest)
		}
		return applied
	}
	w.digests[index] = digest
	w.traceEntry(index, commands, applied)
	for _, wrong := range cluster.Check(h.state) {
		w.violate("State at index %d: %s", index, wrong)
	}
	return applied
}

func (w *World) traceEntry(index uint64, commands []cluster.Command, applied cluster.Applied) {
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
		w.tell("%5d %s %s %s", index, c.Kind(), body, applied.Refused[i])
	}
	for _, e := range applied.Events {
		w.tell("      %s %s -> %s on %q: %s", e.Subject, e.From, e.To, e.Node, e.Why)
	}
}

// restoreSnapshot replaces a host's State by what was written and read again,
// as a restart does.
func (w *World) restoreSnapshot(h *Host) {
	data, err := json.Marshal(h.state)
	if err != nil {
		w.violate("snapshot of %s: %v", h.Name, err)
		return
	}
	fresh := &cluster.State{}
	if err := json.Unmarshal(data, fresh); err != nil {
		w.violate("snapshot of %s: %v", h.Name, err)
		return
	}
	again, err := json.Marshal(fresh)
	if err != nil || string(again) != string(data) {
		w.violate("the snapshot of %s at %d is not read as it was written (%v)", h.Name, h.state.Index, err)
	}
	h.state = fresh
}

// watchExecution is the witness of law L1: nobody executes twice, and nobody
// goes on with memory that is older than its disk.
func (w *World) watchExecution(v *vm) {
	if v.memory < w.memory[v.service] {
		w.violate("L1/L5: %s goes on on %s with memory of generation %d, its disk is at %d", v.service, v.host.Name, v.memory, w.memory[v.service])
	}
	w.memory[v.service]++
	v.memory = w.memory[v.service]
	for _, name := range w.names() {
		other := w.Hosts[name].vms[v.service]
		if other != nil && other != v && other.condition == resources.Running && !w.byHand[v.service] {
			w.violate("L1: %s executes on %s and on %s", v.service, name, v.host.Name)
		}
	}
}

// watchQuiet lets a settled world go on until nothing is proposed any more,
// least of all what is refused again and again.
func (w *World) watchQuiet() {
	before := len(w.log)
	for range quietWindows {
		before = len(w.log)
		w.Run(w.Now+3*time.Second, nil)
		if len(w.log) == before {
			return
		}
	}
	w.violate("a settled world does not become quiet, the last entry: %s", w.log[len(w.log)-1].data)
}

// watchIntent holds "intent before effect": the act's entry is in the log, and
// it asks for this.
func (w *World) watchIntent(d cluster.Duty) {
	if d.Index == 0 || int(d.Index) > len(w.log) {
		w.violate("L6: %s of %s%s has the name %s, which is in no log", d.Kind, d.Service, d.Node, d.Act)
		return
	}
	commands, err := cluster.Decode(w.log[d.Index-1].data)
	if err != nil {
		w.violate("entry %d cannot be read: %v", d.Index, err)
	}
	for _, c := range commands {
		switch c := c.(type) {
		case cluster.Begin:
			if c.Service == d.Service && (string(c.Intent) == string(d.Kind) || c.Intent == cluster.IntentMigrate) {
				return
			}
		case cluster.BeginFence:
			if c.Node == d.Node && d.Kind == cluster.DutyFence {
				return
			}
		}
	}
	if d.Kind != cluster.DutyPause { // it may be asked for by what was observed
		w.violate("L6: nothing in entry %d asks for %s of %s%s", d.Index, d.Kind, d.Service, d.Node)
	}
}
