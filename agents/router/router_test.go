package router

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/resources"
)

// hand is an agent that knows what it was asked for.
type hand struct {
	agents.None
	name    string
	changes chan agents.Observation
	fails   error
}

func (h hand) Inventory(context.Context) ([]agents.Observation, error) {
	return []agents.Observation{{Service: h.name}}, h.fails
}

func (h hand) Do(ctx context.Context, act agents.Act) agents.Result {
	return agents.Verbs{agents.VerbStart: agents.About(func(_ context.Context, spec resources.Spec) agents.Result {
		return agents.Result{OK: true, Why: h.name + " started " + spec.Name}
	})}.Do(ctx, act)
}

func (h hand) Changes() <-chan agents.Observation { return h.changes }

func TestEachServiceGoesToItsHand(t *testing.T) {
	ctx := context.Background()
	vms, services := hand{name: "vms", changes: make(chan agents.Observation)},
		hand{name: "services", changes: make(chan agents.Observation)}
	r := New(map[string]agents.Agent{resources.KindVM: vms, resources.KindService: services})
	for name, want := range map[string]string{"vm:a": "vms started vm:a", "service:a": "services started service:a",
		"pod:a": `this node has no hands for services of type "pod"`} {
		if result := r.Do(ctx, agents.Act{Verb: agents.VerbStart, Spec: resources.Spec{Name: name}}); result.Why != want {
			t.Errorf("%s: %+v", name, result)
		}
	}
	if result := r.Do(ctx, agents.Act{Verb: agents.VerbStart, Spec: resources.Spec{Name: "pod:a"}}); !result.Unsent {
		t.Errorf("a start that no agent took counts as sent: %+v", result)
	}
	if seen := r.Look(ctx, resources.Spec{Name: "pod:a"}); seen.Condition != agents.Unknown {
		t.Errorf("%+v", seen)
	}
	if found, err := r.Inventory(ctx); err != nil || len(found) != 2 {
		t.Errorf("%v %v", found, err)
	}
	for _, from := range []hand{vms, services} {
		from.changes <- agents.Observation{Service: from.name}
		if o := <-r.Changes(); o.Service != from.name {
			t.Errorf("%+v", o)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	select {
	case _, open := <-r.Changes():
		if open {
			t.Error("a change came from nowhere")
		}
	case <-time.After(5 * time.Second):
		t.Error("the changes did not end")
	}
}

// Half an inventory is none: a service that the silent half runs would count as
// not being here.
func TestAnInventoryIsWholeOrNone(t *testing.T) {
	r := New(map[string]agents.Agent{resources.KindVM: hand{fails: errors.New("libvirtd does not answer")},
		resources.KindService: hand{}})
	defer r.Close()
	if found, err := r.Inventory(context.Background()); err == nil || found != nil {
		t.Errorf("%v %v", found, err)
	}
}

// able is an agent that can all that an agent may be able to.
type able struct {
	hand
	asked *[]string
}

func (a able) Do(ctx context.Context, act agents.Act) agents.Result {
	return agents.Verbs{agents.VerbCancel: agents.About(func(_ context.Context, spec resources.Spec) agents.Result {
		return agents.Result{OK: true, Why: "gave up " + spec.Name}
	})}.Do(ctx, act)
}

func (a able) AwaitCalls(_ context.Context, uuid string) { *a.asked = append(*a.asked, uuid) }

func (a able) Answers(context.Context) error { return errors.New("libvirtd does not answer") }

// TestWhatAnAgentIsAbleToIsNotLostInTheRouter: the daemon sees nothing but the router.
func TestWhatAnAgentIsAbleToIsNotLostInTheRouter(t *testing.T) {
	ctx, asked := context.Background(), []string{}
	var r agents.Agent = New(map[string]agents.Agent{resources.KindVM: able{asked: &asked}, resources.KindService: hand{}})
	defer func() { _ = r.Close() }()
	for name, want := range map[string]string{
		"vm:a":      "gave up vm:a",
		"service:a": "what runs service:a cannot give a migration up",
		"pod:a":     `this node has no hands for services of type "pod"`,
	} {
		act := agents.Act{Verb: agents.VerbCancel, Spec: resources.Spec{Name: name}}
		if got := r.Do(ctx, act); got.Why != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	r.(agents.Awaiting).AwaitCalls(ctx, "6f1c")
	if err := r.(agents.Answering).Answers(ctx); err == nil || len(asked) != 1 || asked[0] != "6f1c" {
		t.Errorf("answers: %v; calls were awaited of %v", err, asked)
	}
}
