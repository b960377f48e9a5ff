package daemon

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clusterd/clusterd/agents"
	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/resources"
)

func declaring(definition string) *cluster.State {
	root := &cluster.State{}
	root.Services.Set("service:shop", cluster.Service{Owner: "node1", State: resources.Started, Spec: resources.Spec{Name: "service:shop", Definition: definition}})
	root.Services.Set("service:other", cluster.Service{Owner: "node2", State: resources.Started, Spec: resources.Spec{Name: "service:other", Definition: "d"}})
	root.Services.Set("vm:web", cluster.Service{Owner: "node1", State: resources.Started, Spec: resources.Spec{Name: "vm:web", Definition: "d"}})
	return root
}

func names(list []resources.Spec) string {
	var words []string
	for _, spec := range list {
		words = append(words, spec.Name+"="+spec.Definition)
	}
	return strings.Join(words, " ")
}

// A change that fails is tried again, each time later, and not for ever.
func TestAChangeInPlaceThatFailsIsTriedAgainWithALimit(t *testing.T) {
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	l, root := declarations{}, declaring("blue")
	var rests []time.Duration
	for attempt := 1; ; attempt++ {
		due, _ := l.due(root, "node1", now)
		if names(due) != "service:shop=blue" {
			t.Fatalf("attempt %d: %q is due", attempt, names(due))
		}
		if l.note(due[0], errors.New("exit 1"), now) {
			break
		}
		due, wait := l.due(root, "node1", now)
		if len(due) > 0 || wait <= 0 {
			t.Fatalf("after attempt %d: %q is due, the next in %s", attempt, names(due), wait)
		}
		rests = append(rests, wait)
		now = now.Add(wait)
	}
	if fmt.Sprint(rests) != fmt.Sprint(adjustRests) {
		t.Errorf("it rested %s", rests)
	}
	if due, wait := l.due(root, "node1", now.Add(time.Hour)); len(due) > 0 || wait != 0 {
		t.Errorf("after the last attempt %q is due, and more in %s", names(due), wait)
	}
	// A declaration that changed again is another one, with all its attempts.
	if due, _ := l.due(declaring("red"), "node1", now); names(due) != "service:shop=red" || l.note(due[0], errors.New("exit 1"), now) {
		t.Errorf("%q is due", names(due))
	}
}

func TestAChangeThatNeedsARestartIsNotTriedAgain(t *testing.T) {
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	for _, err := range []error{nil, fmt.Errorf("2 of its resources: %w", agents.ErrNextStart)} {
		l, root := declarations{}, declaring("blue")
		due, _ := l.due(root, "node1", now)
		if !l.note(due[0], err, now) {
			t.Errorf("%v: it is tried again", err)
		}
		if due, wait := l.due(root, "node1", now); len(due) > 0 || wait != 0 {
			t.Errorf("%v: %q is due, more in %s", err, names(due), wait)
		}
	}
}

func TestADeclarationIsNotToldWhileTheServiceIsBusyOrElsewhere(t *testing.T) {
	now := time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)
	l, root := declarations{}, declaring("blue")
	busy, _ := root.Services.Get("service:shop")
	busy.Intent = &cluster.Intent{Kind: cluster.IntentStop}
	root.Services.Set("service:shop", busy)
	if due, _ := l.due(root, "node1", now); len(due) > 0 {
		t.Errorf("%q is due", names(due))
	}
	l.note(resources.Spec{Name: "service:shop", Definition: "blue"}, nil, now)
	busy.Intent, busy.Owner = nil, "node3"
	root.Services.Set("service:shop", busy)
	if due, _ := l.due(root, "node1", now); len(due) > 0 {
		t.Errorf("%q is due", names(due))
	}
	busy.Owner = "node1"
	root.Services.Set("service:shop", busy)
	if due, _ := l.due(root, "node1", now); names(due) != "service:shop=blue" {
		t.Errorf("it came back, and %q is due", names(due))
	}
}
