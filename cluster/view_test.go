package cluster

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestADecisionIsMadeAnewWhenSomethingElseIsFound: the shortcut reuses a decision as long as the
// leader has found out nothing else, and not longer.
func TestADecisionIsMadeAnewWhenSomethingElseIsFound(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	view := func(w Contactwatch) View {
		w.Heard, w.Incarnation = true, b.node("node2").Incarnation
		v := View{Self: "node1", Leading: true, Led: settlingTime}
		v.Contacts = map[string]Contactwatch{"node2": w}
		for _, name := range []string{"node1", "node3"} {
			v.Contacts[name] = Contactwatch{Heard: true, Incarnation: b.node(name).Incarnation}
		}
		return v
	}
	var c shortcut
	_, first := c.planOf(0, b.s, view(Contactwatch{}))
	if _, again := c.planOf(1, b.s, view(Contactwatch{Silence: Tick, VerdictAge: Tick})); again != first || !c.planned {
		t.Error("a stopwatch alone, which has passed no limit, makes the leader plan anew")
	}
	found := Contactwatch{Verdict: &Verdict{Node: "node2", Kernel: Answers}}
	_, second := c.planOf(2, b.s, view(found))
	if second == first {
		t.Error("the leader has found out something else, and goes by what it decided before")
	}
	found.Silence = Tick
	if _, later := c.planOf(2+Tick, b.s, view(found)); later == second || later.Contacts["node2"].Silence != Tick {
		t.Error("a tick later the View is shown as it was")
	}
}

// TestEachFieldOfTheViewIsKnownToTheShortcut: what is sampled counts by itself, what is measured by
// its limits. A new field has to be one of them.
func TestEachFieldOfTheViewIsKnownToTheShortcut(t *testing.T) {
	known := map[string]string{
		"Self": "constant", "Leading": "constant", "Led": "turned", "Contacts": "foundAs and steady",
		"Resting": "steady", "Stuck": "steady", "Loops": "turned", "Ends": "steady", "Opens": "turned",
		"Waited": "steady", "Quiet": "Decision.Again", "Newest": "the State's",
	}
	for i := range reflect.TypeFor[View]().NumField() {
		if name := reflect.TypeFor[View]().Field(i).Name; known[name] == "" {
			t.Errorf("View.%s: by what does planOf notice that it has changed? A sample belongs into foundAs", name)
		}
	}
	stopwatches := []string{"Silence", "VerdictAge", "KernelOnly"}
	for i := range reflect.TypeFor[Contactwatch]().NumField() {
		field := reflect.TypeFor[Contactwatch]().Field(i)
		w := Contactwatch{}
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
		counts := w.found() != Contactwatch{}.found()
		if counts == slices.Contains(stopwatches, field.Name) {
			t.Errorf("Contactwatch.%s counts as something found: %t", field.Name, counts)
		}
	}
}

// TestAViewGoesOnWithItsState: time passes after the Step that measured it, and another event
// begins the count anew, as in Step.
func TestAViewGoesOnWithItsState(t *testing.T) {
	b := newBook(t, 3, "vm:a")
	newest := b.s.Timeline[len(b.s.Timeline)-1].Index
	v := View{Self: "node1", Quiet: time.Hour, Newest: newest}
	if later := v.On(b.s, time.Minute); later.Quiet != time.Hour+time.Minute || v.Quiet != time.Hour {
		t.Errorf("a minute later it is quiet for %s, and before for %s", later.Quiet, v.Quiet)
	}
	before := v.estimate(b.s.world())
	steps, err := DrainPlan(b.s, v, OrderNode{Node: "node1", Order: OrderDrain, Within: time.Minute})
	if err != nil || len(steps) > 0 {
		t.Fatalf("%+v, %v", steps, err)
	}
	r := onPaper(b.s, v)
	r.apply(OrderNode{Node: "node1", Order: OrderDrain})
	if now := r.view.estimate(r.state.world()); !now.Equal(before) {
		t.Errorf("on paper it is %s, by the leader %s", now, before)
	}
	b.must(OrderNode{Node: "node1", Order: OrderDrain})
	if later := v.On(b.s, time.Minute); later.Quiet != 0 || later.Newest != b.s.Index {
		t.Errorf("after another event it is quiet for %s", later.Quiet)
	}
}

// TestAnExplanationHasTheReasonsOfThePlan: of States of any history and Views of any leader.
func TestAnExplanationHasTheReasonsOfThePlan(t *testing.T) {
	base := newBook(t, 3, "vm:a", "vm:b")
	base.running("vm:b", "node2")
	rapid.Check(t, func(t *rapid.T) {
		s := anyHistory(t, base.s)
		v := anyView(t, s)
		plan := Plan(s, v)
		for _, name := range s.Services.Keys() {
			e, err := Explain(s, v, name)
			notes := slices.DeleteFunc(slices.Clone(plan.Notes), func(n Note) bool { return n.Subject != name })
			if err != nil || !slices.Equal(e.Waits, notes) {
				t.Fatalf("of %s the plan says %+v, the explanation %+v (%v)", name, notes, e.Waits, err)
			}
		}
	})
}

// anyView is what a leader may have measured of a State.
func anyView(t *rapid.T, s *State) View {
	upTo := func(what string, most time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(most)).Draw(t, what))
	}
	v := View{Self: "node1", Leading: true, Led: upTo("led", settlingTime), Contacts: map[string]Contactwatch{},
		Stuck: map[string]time.Duration{}}
	v = v.On(s, 0)
	v.Quiet = upTo("quiet", time.Hour)
	for _, name := range s.Nodes.Keys() {
		n, _ := s.Nodes.Get(name)
		v.Contacts[name] = Contactwatch{Heard: rapid.Bool().Draw(t, "heard"), Incarnation: n.Incarnation,
			Silence: upTo("silence", 2*time.Second)}
	}
	for _, name := range s.Services.Keys() {
		v.Stuck[name] = upTo("stuck", time.Minute)
	}
	return v
}
