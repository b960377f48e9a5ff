package config

import (
	"strings"
	"testing"

	"github.com/clusterd/clusterd/resources"
)

const allowed = `cluster: a
reserve_memory: 2GiB
memory_overcommit: 1.25
nodes:
  node1: {reserve_memory: 0, cpu_overcommit: 4}
  node2: {}
`

func TestHowFullANodeMayBecomeIsRead(t *testing.T) {
	d := parse(t, []byte(allowed)).Document
	one, two := d.AllowanceOf("node1"), d.AllowanceOf("node2")
	if *one.Reserve != 0 || one.Memory != 125 || one.CPUs != 400 {
		t.Errorf("node1 has %+v, %s", one, *one.Reserve)
	}
	if *two.Reserve != 2*resources.GiB || two.Memory != 125 || two.CPUs != 0 {
		t.Errorf("node2 has %+v, %s", two, *two.Reserve)
	}
	shown := Print(d)
	for _, want := range []string{"of each node: 2 GiB of memory kept from services, memory promised 1.25 times\n",
		"node node1, 0 MiB of memory kept from services, CPUs promised 4 times, without"} {
		if !strings.Contains(shown, want) {
			t.Errorf("what it means is not told, %q:\n%s", want, shown)
		}
	}
	next := parse(t, []byte("cluster: a\nnodes: {node1: {}, node2: {memory_overcommit: 2}}\n")).Document
	changed := strings.Join(Diff(d, next), "\n")
	for _, want := range []string{"reserve_memory changes from 2 GiB to none",
		"memory_overcommit changes from 1.25 to none", "node node1: reserve_memory changes from 0 MiB to none",
		"node node1: cpu_overcommit changes from 4 to none",

		"node node2: memory_overcommit changes from none to 2"} {
		if !strings.Contains(changed, want) {
			t.Errorf("%q is not told:\n%s", want, changed)
		}
	}
}

func TestHowFullANodeMayBecomeIsBounded(t *testing.T) {
	for text, want := range map[string]string{
		"reserve_memory: 12":         "must be an amount of memory with its unit",
		"reserve_memory: -1GiB":      "must be an amount of memory with its unit",
		"reserve_memory: [1GiB]":     "must be an amount of memory with its unit, such as 512MiB or 16GiB, not a list",
		"reserve_memory: 99TiB":      "it must be between 0 MiB and 67108864 MiB",
		"memory_overcommit: 0.5":     "it must be between 1 and 10",
		"memory_overcommit: .nan":    "must be",
		"cpu_overcommit: much":       "must be a factor such as 1.5",
		"cpu_overcommit: 1000":       "it must be between 0.1 and 100",
		"nodes: {n: {memory: 1GiB}}": "memory",
	} {
		_, err := Parse("d", []byte("cluster: a\n"+text+"\n"), nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestWhatAServiceTakes: as declared, else by the VM's definition; a service made of resources
// takes nothing that is not declared.
func TestWhatAServiceTakes(t *testing.T) {
	const definition = "<domain><name>a</name><uuid>" + uuidA +
		"</uuid><memory unit='GiB'>4</memory><vcpu>2</vcpu></domain>"
	text := "cluster: a\nservices:\n  vm:a:\n    definition: \"" + definition + "\"\n"
	byXML := parse(t, []byte(text)).Document.Services["vm:a"].Demand
	if want := 4*resources.GiB + resources.Overhead(4*resources.GiB); byXML.Memory != want || byXML.CPUs != 2 {
		t.Errorf("by its definition it takes %+v", byXML)
	}
	declared := parse(t, []byte(text+"    memory: 6GiB\n")).Document.Services["vm:a"].Demand
	if declared.Memory != 6*resources.GiB || declared.CPUs != 2 {
		t.Errorf("as declared it takes %+v", declared)
	}
	shown := Print(parse(t, []byte(text)).Document)
	if !strings.Contains(shown, "  takes 4176 MiB and 2 virtual CPUs of its node\n") {
		t.Errorf("it is not told:\n%s", shown)
	}
}

// TestASmallChangeOfTheReserveIsTold: two amounts that are told alike rounded are told in full.
func TestASmallChangeOfTheReserveIsTold(t *testing.T) {
	old := parse(t, []byte("cluster: a\nreserve_memory: 2048MiB\n")).Document
	next := parse(t, []byte("cluster: a\nreserve_memory: 2049MiB\n")).Document
	changed := strings.Join(Diff(old, next), "\n")
	if !strings.Contains(changed, "reserve_memory changes from 2048 MiB to 2049 MiB") {
		t.Errorf("told is %q", changed)
	}
	if same := Diff(old, old); len(same) > 0 {
		t.Errorf("of no change is told %q", same)
	}
}
