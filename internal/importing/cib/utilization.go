package cib

import (
	"strconv"

	"github.com/clusterd/clusterd/internal/importing"
)

// memoryNames and processorNames are what people call memory and processors in
// <utilization>, where Pacemaker takes any name. VirtualDomain writes the first of
// them by itself.
var (
	memoryNames    = []string{"hv_memory", "host_memory", "memory", "ram"}
	processorNames = []string{"cpu", "cpus", "vcpus", "cores"}
)

// The largest numbers that a document takes: MiB, and processors.
const (
	mostMebibytes  = 64 << 20
	mostProcessors = 8192
)

// utilizes reports whether Pacemaker looked at <utilization> at all.
func (t *translation) utilizes() bool {
	strategy := t.properties.get("placement-strategy")
	return strategy != "" && strategy != "default"
}

// nodeUtilization speaks of what a node was said to have.
func (t *translation) nodeUtilization(e *importing.Element) {
	has := t.pairs(e, "utilization")
	for _, names := range [][]string{memoryNames, processorNames} {
		has.tell(changes, "the node's daemon measures memory and processors. `reserve_memory` of the node keeps memory from "+
			"services, `cpu_overcommit` bounds processors", names...)
	}
	t.uncounted(has)
}

// vmUtilization speaks of what a VM was said to take.
func (t *translation) vmUtilization(i *item) {
	for _, names := range [][]string{memoryNames, processorNames} {
		i.takes.tell(unneeded, "what a VM takes is read from its definition", names...)
	}
	t.uncounted(i.takes)
}

// uncounted speaks of what is neither memory nor processors.
func (t *translation) uncounted(takes *pairs) {
	if !t.utilizes() {
		takes.tellAll(unneeded, "placement-strategy does not count it")
		return
	}
	takes.tellAll(cannot, "only memory and processors are counted")
}

// demand writes what the members of a service take together.
func (t *translation) demand(spec *importing.Mapping, members []*item) {
	if t.utilizes() {
		if sum := t.add(members, memoryNames, mostMebibytes); sum > 0 {
			spec.Set("memory", strconv.Itoa(sum)+"MiB")
			tellDemand(members, memoryNames, "memory: "+spec.Text("memory")+" for the whole service, taken as MiB, for the "+
				"CIB has no unit")
		}
		if sum := t.add(members, processorNames, mostProcessors); sum > 0 {
			spec.Set("vcpus", sum)
			tellDemand(members, processorNames, "vcpus: "+spec.Text("vcpus")+" for the whole service; they only rank nodes "+
				"that are otherwise equal, unless `cpu_overcommit` bounds them")
		}
	}
	for _, i := range members {
		t.uncounted(i.takes)
	}
}

// add is what the members take together of what has these names. Of what is no
// number that a document takes, it says so, and leaves it out.
func (t *translation) add(members []*item, names []string, most int) int {
	sum := 0
	for _, i := range members {
		for _, name := range names {
			if !i.takes.has(name) {
				continue
			}
			number, err := strconv.Atoi(i.takes.get(name))
			switch {
			case err != nil || number < 0 || number > most-sum:
				i.takes.tell(cannot, "this is no number of MiB or processors that a document takes; left out", name)
			case number == 0:
				i.takes.tell(unneeded, "it takes nothing", name)
			default:
				sum += number
			}
		}
	}
	return sum
}

func tellDemand(members []*item, names []string, message string) {
	for _, i := range members {
		i.takes.tell(changes, message, names...)
	}
}
