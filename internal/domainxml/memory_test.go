package domainxml

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

func TestWhatAVMTakesOfItsNode(t *testing.T) {
	const two = 2 * resources.GiB
	for inner, want := range map[string]resources.Demand{
		"":                         {},
		"<memory>2097152</memory>": {Memory: two + resources.Overhead(two), CPUs: 1},
		"<memory unit='GiB'> 2 </memory><currentMemory unit='GiB'>1</currentMemory><vcpu current='1'>4</vcpu>": {
			Memory: two + resources.Overhead(two), CPUs: 4},
		"<memory unit='MiB'>2048</memory><memoryBacking><hugepages/></memoryBacking><vcpu>2</vcpu>": {
			Memory: resources.Overhead(two), Huge: two, CPUs: 2},
		"<cpu><numa><cell memory='1' unit='GiB'/><cell memory='1048576'/></numa></cpu>": {
			Memory: two + resources.Overhead(two), CPUs: 1},
	} {
		d, faults := Read("<domain><name>a</name><uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>" + inner + "</domain>")
		if len(faults) > 0 || d.Demand != want {
			t.Errorf("%s\ntakes %+v, want %+v; %v", inner, d.Demand, want, faults)
		}
	}
	for inner, want := range map[string]string{
		"<memory unit='pages'>1</memory>": "no amount of memory", "<memory>much</memory>": "no amount of memory",
		"<memory unit='TiB'>99999999999</memory>": "no amount of memory", "<vcpu>0</vcpu>": "no number of processors",
		"<cpu><numa><cell memory='x'/></numa></cpu>": "NUMA cell",
	} {
		_, faults := Read("<domain><name>a</name><uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>" + inner + "</domain>")
		if len(faults) != 1 || !strings.Contains(faults[0].Message, want) {
			t.Errorf("%s: %v, want %q", inner, faults, want)
		}
	}
}
