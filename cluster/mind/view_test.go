package mind

import (
	"reflect"
	"slices"
	"testing"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/clustertest"
	"github.com/clusterd/clusterd/cluster/plan"
)

// TestADecisionIsMadeAnewWhenSomethingElseIsFound: the shortcut reuses a decision as long as the
// leader has found out nothing else, and not longer.
func TestADecisionIsMadeAnewWhenSomethingElseIsFound(t *testing.T) {
	b := clustertest.NewBook(t, 3, "vm:a")
	view := func(w cluster.Contactwatch) cluster.View {
		w.Heard, w.Incarnation = true, b.Node("node2").Incarnation
		v := cluster.View{Self: "node1", Leading: true, Led: plan.SettlingTime}
		v.Contacts = map[string]cluster.Contactwatch{"node2": w}
		for _, name := range []string{"node1", "node3"} {
			v.Contacts[name] = cluster.Contactwatch{Heard: true, Incarnation: b.Node(name).Incarnation}
		}
		return v
	}
	var c shortcut
	_, first := c.planOf(0, b.S, view(cluster.Contactwatch{}))
	if _, again := c.planOf(1, b.S,
		view(cluster.Contactwatch{Silence: cluster.Tick, VerdictAge: cluster.Tick})); again != first || !c.planned {
		t.Error("a stopwatch alone, which has passed no limit, makes the leader plan anew")
	}
	found := cluster.Contactwatch{Verdict: &cluster.Verdict{Node: "node2", Kernel: cluster.Answers}}
	_, second := c.planOf(2, b.S, view(found))
	if second == first {
		t.Error("the leader has found out something else, and goes by what it decided before")
	}
	found.Silence = cluster.Tick
	if _, later := c.planOf(2+cluster.Tick, b.S, view(found)); later == second ||
		later.Contacts["node2"].Silence != cluster.Tick {
		t.Error("a tick later the View is shown as it was")
	}
}

// TestEachFieldOfTheViewIsKnownToTheShortcut: what is sampled counts by itself, what is measured by
// its limits. A new field has to be one of them.
func TestEachFieldOfTheViewIsKnownToTheShortcut(t *testing.T) {
	known := map[string]string{
		"Self": "constant", "Leading": "constant", "Led": "turned", "Term": "turned", "Contacts": "foundAs and steady",
		"Cooldown": "steady", "Stuck": "steady", "Loops": "turned", "Ends": "steady", "Opens": "turned",
		"Waited": "steady", "Quiet": "Decision.Again", "Newest": "the State's",
	}
	for i := range reflect.TypeFor[cluster.View]().NumField() {
		if name := reflect.TypeFor[cluster.View]().Field(i).Name; known[name] == "" {
			t.Errorf("View.%s: by what does planOf notice that it has changed? A sample belongs into foundAs", name)
		}
	}
	stopwatches := []string{"Silence", "VerdictAge", "KernelOnly"}
	for i := range reflect.TypeFor[cluster.Contactwatch]().NumField() {
		field := reflect.TypeFor[cluster.Contactwatch]().Field(i)
		w := cluster.Contactwatch{}
		switch value := reflect.ValueOf(&w).Elem().Field(i); field.Type.Kind() {
		case reflect.Bool:
			value.SetBool(true)
		case reflect.Int64:
			value.SetInt(1)
		case reflect.Uint64:
			value.SetUint(1)
		case reflect.Pointer:
			value.Set(reflect.New(field.Type.Elem()))
		default:
			w.Log.Deaf = true
		}
		counts := w.Found() != cluster.Contactwatch{}.Found()
		if counts == slices.Contains(stopwatches, field.Name) {
			t.Errorf("Contactwatch.%s counts as something found: %t", field.Name, counts)
		}
	}
}
